//! Writes the matching events of archived files to a slice.

use super::{columns::SliceColumns, filter::Filter, months};
use crate::{
    archive::ArchiveRecord as _,
    output::write_failed,
    reader::{ReadError, Reader, Scan},
};
use archive_connectors::{Error, ErrorKind, Progress, Result, progress::Step};
use archive_formats::{
    Entry, EventBatch, ParquetPart, Schema,
    encode::{
        EncodeError,
        slice::{EncodedSlice, SliceEncoder, SliceStyle, encoder},
    },
    manifest::DataFile,
    slice_manifest::{SliceCounts, SliceFile, SliceOrigin},
};
use futures::TryStreamExt as _;
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};

/// Everything needed to cut a slice.
#[derive(Debug)]
pub(super) struct Slicer {
    pub(super) reader: Reader,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) filter: Filter,
    pub(super) columns: SliceColumns,
}

/// A slice being written.
#[derive(Debug)]
pub(super) struct Writing {
    encoder: Box<dyn SliceEncoder>,
    /// The encoder's file, for the final sync.
    file: File,
    path: PathBuf,
    counts: SliceCounts,
}

impl Slicer {
    /// Appends the matching events of every commit, in order. Returns the files that were read.
    pub(super) async fn cut(&self, entries: &[&Entry], writing: &mut Writing) -> Result<Vec<SliceOrigin>> {
        let mut origins = Vec::new();
        for Entry { sha256, manifest } in entries {
            let files = months::files(manifest, self.filter.window())?;
            let subject = manifest.subject();
            let window = self.filter.window();
            let files = files.into_iter().map(|file| (file, file.part(window))).collect::<Vec<_>>();
            let bytes =
                |file: &DataFile, part: &Option<ParquetPart>| part.as_ref().map_or(file.bytes, ParquetPart::bytes);
            let total = files.iter().map(|(file, part)| bytes(file, part)).sum();
            self.progress.step(&subject, Step::Check, Some(total));
            // A commit with files always has a schema.
            if let Some(schema) = manifest.schema.clone().map(Arc::new) {
                for (file, part) in &files {
                    self.file(file, &schema, writing).await?;
                    writing.counts.read += part.as_ref().map_or(file.rows, ParquetPart::rows);
                    self.progress.advance(&subject, bytes(file, part));
                }
            }
            self.progress.finish(&subject);
            let files = files.into_iter().map(|(DataFile { path, sha256, rows, .. }, part)| SliceFile {
                path: path.clone(),
                sha256: *sha256,
                rows: *rows,
                part,
            });
            let files = files.collect();
            origins.push(SliceOrigin { sequence: manifest.sequence, sha256: *sha256, month: manifest.month, files });
        }
        Ok(origins)
    }

    /// Appends the matching events of a file.
    async fn file(&self, file: &DataFile, schema: &Arc<Schema>, writing: &mut Writing) -> Result<()> {
        let columns = self.columns.columns().iter().map(|column| column.name.as_str());
        let columns = columns.chain(self.filter.names()).map(str::to_owned).collect();
        let scan = Scan { window: self.filter.window(), columns };
        let mut batches = pin!(self.reader.events(file, schema, Some(scan)));
        let failed = |error: ReadError| error.into_error(self.reader.sink(), file);
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            writing.append(&batch, &self.filter, &self.columns)?;
        }
        Ok(())
    }
}

impl Writing {
    pub(super) fn begin(file: File, style: SliceStyle, columns: &SliceColumns, path: &Path) -> Result<Self> {
        let copy = file.try_clone().map_err(write_failed(path))?;
        let encoder = encoder(style, columns.columns().to_vec(), BufWriter::new(copy)).map_err(encode_failed(path))?;
        Ok(Self { encoder, file, path: path.to_owned(), counts: SliceCounts::default() })
    }

    fn append(&mut self, batch: &EventBatch, filter: &Filter, columns: &SliceColumns) -> Result<()> {
        let failed = |error| encode_failed(&self.path)(EncodeError::Arrow(error));
        let kept = filter.apply(batch).map_err(failed)?;
        self.counts.in_window += kept.in_window;
        if kept.batch.is_empty() {
            return Ok(());
        }
        self.counts.matched += kept.batch.len() as u64;
        let rows = columns.project(&kept.batch).map_err(failed)?;
        self.encoder.write(&rows).map_err(encode_failed(&self.path))
    }

    /// Finishes the slice and syncs it to disk.
    pub(super) async fn finish(self) -> Result<(EncodedSlice, SliceCounts)> {
        let Self { encoder, file, path, counts } = self;
        let finishing = tokio::task::spawn_blocking(move || {
            let encoded = encoder.finish().map_err(encode_failed(&path))?;
            file.sync_all().map_err(write_failed(&path))?;
            Ok((encoded, counts))
        });
        finishing.await.map_err(stopped)?
    }
}

fn encode_failed(path: &Path) -> impl FnOnce(EncodeError) -> Error {
    let path = path.to_owned();
    move |error| match error {
        EncodeError::Io(error) => write_failed(&path)(error),
        error => Error::new(ErrorKind::Internal, "could not encode the slice").with_source(error),
    }
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "cutting the slice stopped").with_source(error)
}

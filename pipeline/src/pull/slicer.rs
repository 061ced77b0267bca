//! Archived files -> rows of a slice.

use super::{columns::SliceColumns, filter::Filter, months};
use crate::{
    contents::{self, ContentsError, Part},
    fetch::{damaged, fetch_committed},
    output::write_failed,
};
use archive_connectors::{
    Error, ErrorKind, Progress, Result, Sink,
    progress::{Coverage, Step},
};
use archive_formats::{
    Entry, EventBatch, Schema,
    encode::{
        EncodeError,
        slice::{EncodedSlice, SliceEncoder, SliceStyle, encoder},
    },
    manifest::DataFile,
    slice::{SliceCounts, SliceFile, SliceOrigin},
};
use std::{
    collections::HashSet,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a slice is cut with.
#[derive(Clone, Debug)]
pub(super) struct Slicer {
    pub(super) sink: Sink,
    /// A private folder for the file that is being read.
    pub(super) folder: PathBuf,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) filter: Arc<Filter>,
    pub(super) columns: Arc<SliceColumns>,
}

/// The slice as far as it is written.
#[derive(Debug)]
pub(super) struct Writing {
    encoder: Box<dyn SliceEncoder>,
    /// The encoder's own, to be flushed in the end.
    file: File,
    path: PathBuf,
    counts: SliceCounts,
}

impl Slicer {
    /// Appends what is wanted of every commit, in their order, and says which files it read.
    pub(super) async fn cut(&self, entries: &[&Entry], mut writing: Writing) -> Result<(Vec<SliceOrigin>, Writing)> {
        let mut origins = Vec::new();
        for Entry { sha256, manifest } in entries {
            let files = months::files(manifest, self.filter.window())?;
            let coverage = Coverage { dataset: manifest.dataset.clone(), month: manifest.month };
            self.progress.step(&coverage, Step::Check, Some(files.iter().map(|file| file.bytes).sum()));
            // Where there are files, there is a schema.
            if let Some(schema) = manifest.schema.clone().map(Arc::new) {
                for file in &files {
                    writing = self.file(file, Arc::clone(&schema), writing).await?;
                    self.progress.advance(&coverage, file.bytes);
                }
            }
            self.progress.finish(&coverage);
            let named = |file: &&DataFile| SliceFile { path: file.path.clone(), sha256: file.sha256, rows: file.rows };
            let files = files.iter().map(named).collect();
            origins.push(SliceOrigin { sequence: manifest.sequence, sha256: *sha256, month: manifest.month, files });
        }
        Ok((origins, writing))
    }

    /// Appends what is wanted of a file, once its bytes are proven to be those that were committed.
    async fn file(&self, file: &DataFile, schema: Arc<Schema>, mut writing: Writing) -> Result<Writing> {
        let local_path = self.folder.join("file");
        fetch_committed(&self.sink, file, &local_path).await?;
        let (slicer, file) = (self.clone(), file.clone());
        let reading = tokio::task::spawn_blocking(move || {
            slicer.append(&file, &local_path, &schema, &mut writing)?;
            writing.counts.read += file.rows;
            Ok(writing)
        });
        reading.await.map_err(stopped)?
    }

    fn append(&self, file: &DataFile, local_path: &Path, schema: &Arc<Schema>, writing: &mut Writing) -> Result<()> {
        let columns = self.columns.columns().iter().map(|column| column.name.as_str());
        let columns = columns.chain(self.filter.names()).collect::<HashSet<_>>();
        let part = Part { window: self.filter.window(), columns: &columns };
        let mut visit = |batch: &EventBatch| writing.append(batch, &self.filter, &self.columns);
        match contents::part_of_events(local_path, file.format, schema, part, &mut visit) {
            Ok(_) => Ok(()),
            Err(ContentsError::Failed(error)) => Err(error),
            Err(error) => Err(damaged(&self.sink, file, "does not hold what its manifest says").with_source(error)),
        }
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

    /// Ends the slice: all its bytes are on disk then.
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

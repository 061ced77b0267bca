//! Archived files -> rows of a COPY, and digests of what they hold.

use super::{month::ArchivedMonth, stopped, undigested};
use crate::{
    contents::{self, ContentsError, Part},
    fetch::{damaged, fetch_committed},
    pull::{columns::SliceColumns, months},
};
use archive_connectors::{
    Error, ErrorKind, Progress, Result, Sink,
    progress::{Coverage, Step},
};
use archive_formats::{
    EventBatch, Schema, Sha256, column_digest::ColumnDigests, encode::copy::write_rows, manifest::DataFile,
};
use arrow_array::RecordBatch;
use bytes::Bytes;
use std::{collections::HashSet, path::PathBuf, sync::Arc};
use tokio::sync::mpsc;

/// Bytes that are sent at once.
const PIECE: usize = 256 * 1024;

/// What a month is read with.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) sink: Sink,
    /// A private folder for the file that is being read.
    pub(super) folder: PathBuf,
    /// The columns of the month.
    pub(super) schema: Arc<Schema>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) coverage: Coverage,
}

/// The month as far as it was sent.
struct Sending {
    schema: Arc<Schema>,
    columns: SliceColumns,
    digests: ColumnDigests,
    piece: Vec<u8>,
    pieces: mpsc::Sender<Bytes>,
}

impl Feed {
    /// Sends every event of the month, and returns the digests of the columns.
    pub(super) async fn send(&self, month: &ArchivedMonth<'_>, pieces: mpsc::Sender<Bytes>) -> Result<Vec<Sha256>> {
        let schemas = month.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref());
        let columns = SliceColumns::new(schemas, None, [])?;
        let digests = ColumnDigests::new(&self.schema);
        let mut sending = Sending { schema: Arc::clone(&self.schema), columns, digests, piece: Vec::new(), pieces };
        let bytes = month.entries.iter().map(|entry| entry.manifest.bytes()).sum();
        self.progress.step(&self.coverage, Step::Upload, Some(bytes));
        for entry in &month.entries {
            let manifest = &entry.manifest;
            let files = months::files(manifest, self.coverage.month.window())?;
            let Some(schema) = manifest.schema.clone().map(Arc::new) else { continue };
            for file in files {
                sending = self.file(file, Arc::clone(&schema), sending).await?;
                self.progress.advance(&self.coverage, file.bytes);
            }
        }
        Ok(sending.digests.finish())
    }

    /// Sends the events of a file, once its bytes are proven to be those that were committed.
    async fn file(&self, file: &DataFile, schema: Arc<Schema>, mut sending: Sending) -> Result<Sending> {
        let local_path = self.folder.join("file");
        fetch_committed(&self.sink, file, &local_path).await?;
        let (sink, file) = (self.sink.clone(), file.clone());
        let window = self.coverage.month.window();
        let reading = tokio::task::spawn_blocking(move || {
            let columns = schema.columns.iter().map(|column| column.name.as_str()).collect::<HashSet<_>>();
            let part = Part { window, columns: &columns };
            let mut visit = |batch: &EventBatch| sending.batch(batch);
            match contents::part_of_events(&local_path, file.format, &schema, part, &mut visit) {
                Ok(_) => Ok(sending),
                Err(ContentsError::Failed(error)) => Err(error),
                Err(error) => Err(damaged(&sink, &file, "does not hold what its manifest says").with_source(error)),
            }
        });
        reading.await.map_err(stopped)?
    }
}

impl Sending {
    fn batch(&mut self, batch: &EventBatch) -> Result<()> {
        let batch = self.united(batch)?;
        self.digests.add(batch.records()).map_err(undigested)?;
        let pieces = &self.pieces;
        write_rows(&batch, &mut self.piece, |piece| {
            if piece.len() < PIECE { Ok(()) } else { send(pieces, std::mem::take(piece)) }
        })?;
        send(&self.pieces, std::mem::take(&mut self.piece))
    }

    /// The events with all columns of the month.
    fn united(&self, batch: &EventBatch) -> Result<EventBatch> {
        let failed = || Error::new(ErrorKind::Internal, "the columns of a commit do not fit those of the month");
        let records = self.columns.project(batch).map_err(|error| failed().with_source(error))?;
        let records = RecordBatch::try_new(self.schema.to_arrow(), records.columns().to_vec());
        let records = records.map_err(|error| failed().with_source(error))?;
        EventBatch::try_new(Arc::clone(&self.schema), records).map_err(|error| failed().with_source(error))
    }
}

fn send(pieces: &mpsc::Sender<Bytes>, piece: Vec<u8>) -> Result<()> {
    let gone = |_| Error::new(ErrorKind::Interrupted, "nobody takes the rows any more");
    pieces.blocking_send(piece.into()).map_err(gone)
}

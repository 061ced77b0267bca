//! Streams archived files as COPY data, and computes digests of their columns.

use super::undigested;
use crate::{
    pull::{columns::SliceColumns, months},
    reader::{ReadError, Reader, Scan},
};
use archive_connectors::{
    Error, ErrorKind, Progress, Result,
    progress::{Step, Subject},
};
use archive_formats::{
    Chain, Dataset, Entry, EventBatch, Month, Schema, Sha256, Window,
    column_digest::ColumnDigests,
    encode::copy::{column_with_nul, write_rows},
    manifest::{CommitKind, DataFile},
};
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::{pin::pin, sync::Arc};
use tokio::sync::mpsc;

/// Bytes sent per piece.
const PIECE: usize = 256 * 1024;

/// Everything needed to read a month.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) reader: Reader,
    /// The columns of the month.
    pub(super) schema: Arc<Schema>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) subject: Subject,
    pub(super) window: Window,
}

/// The state of sending a month.
struct Sending {
    schema: Arc<Schema>,
    columns: SliceColumns,
    digests: ColumnDigests,
    pieces: mpsc::Sender<Bytes>,
}

impl Feed {
    /// Sends every event of the month, and returns the digests of the columns.
    pub(super) async fn send(&self, month: &ArchivedMonth<'_>, pieces: mpsc::Sender<Bytes>) -> Result<Vec<Sha256>> {
        let schemas = month.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref());
        let columns = SliceColumns::new(schemas, None, [])?;
        let digests = ColumnDigests::new(&self.schema);
        let mut sending = Sending { schema: Arc::clone(&self.schema), columns, digests, pieces };
        let bytes = month.entries.iter().map(|entry| entry.manifest.bytes()).sum();
        self.progress.step(&self.subject, Step::Upload, Some(bytes));
        for entry in &month.entries {
            let manifest = &entry.manifest;
            let files = months::files(manifest, self.window)?;
            let Some(schema) = manifest.schema.clone().map(Arc::new) else { continue };
            for file in files {
                self.file(file, &schema, &mut sending).await?;
                self.progress.advance(&self.subject, file.bytes);
            }
        }
        Ok(sending.digests.finish())
    }

    async fn file(&self, file: &DataFile, schema: &Arc<Schema>, sending: &mut Sending) -> Result<()> {
        let columns = schema.columns().iter().map(|column| column.name.clone()).collect();
        let scan = Scan { window: self.window, columns };
        let mut batches = pin!(self.reader.events(file, schema, Some(scan)));
        let failed = |error: ReadError| error.into_error(self.reader.sink(), file);
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            sending.batch(&batch).await?;
        }
        Ok(())
    }
}

impl Sending {
    async fn batch(&mut self, batch: &EventBatch) -> Result<()> {
        let batch = self.united(batch)?;
        if let Some(column) = column_with_nul(&batch) {
            return Err(Error::new(
                ErrorKind::Incomplete,
                "a text has the character U+0000, which PostgreSQL cannot hold",
            )
            .with_context("column", &column.name)
            .with_hint("take a slice without the column by `kt-archive pull --columns`, and load that"));
        }
        self.digests.add(batch.records()).map_err(undigested)?;
        let (mut piece, mut whole) = (Vec::new(), Vec::new());
        let end_piece = |piece: &mut Vec<u8>| {
            if piece.len() >= PIECE {
                whole.push(std::mem::take(piece));
            }
            Ok::<_, Error>(())
        };
        write_rows(&batch, &mut piece, end_piece)?;
        for piece in whole.into_iter().chain([piece]) {
            let gone = |_| Error::new(ErrorKind::Interrupted, "the database takes no more rows");
            self.pieces.send(piece.into()).await.map_err(gone)?;
        }
        Ok(())
    }

    /// Adds the month's columns that `batch` lacks.
    fn united(&self, batch: &EventBatch) -> Result<EventBatch> {
        let failed = || Error::new(ErrorKind::Internal, "the columns of a commit do not fit those of the month");
        let records = self.columns.project(batch).map_err(|error| failed().with_source(error))?;
        let records = RecordBatch::try_new(self.schema.to_arrow(), records.columns().to_vec());
        let records = records.map_err(|error| failed().with_source(error))?;
        EventBatch::try_new(Arc::clone(&self.schema), records).map_err(|error| failed().with_source(error))
    }
}

/// The commits of a month.
pub(super) struct ArchivedMonth<'a> {
    pub(super) entries: Vec<&'a Entry>,
    dataset: &'a Dataset,
}

impl<'a> ArchivedMonth<'a> {
    pub(super) fn from_chain(chain: &'a Chain, dataset: &'a Dataset, month: Month) -> Result<Self> {
        let of_month = |entry: &&Entry| entry.manifest.dataset == *dataset && entry.manifest.month == month;
        let entries = chain.entries().iter().filter(of_month).collect::<Vec<_>>();
        if entries.iter().any(|entry| entry.manifest.kind == CommitKind::Month) {
            return Ok(Self { entries, dataset });
        }
        Err(Error::new(ErrorKind::Incomplete, format!("{dataset} {month} is not archived"))
            .with_hint("`kt-archive status` shows which months are"))
    }

    /// Events of the month.
    pub(super) fn rows(&self) -> u64 {
        self.entries.iter().map(|entry| entry.manifest.events.archived).sum()
    }

    /// The table that the events came from, or the name of the dataset.
    pub(super) fn table(&self) -> String {
        let named = self.entries.iter().find_map(|entry| entry.manifest.source.detail.get("table")?.as_str());
        named.map_or_else(|| self.dataset.as_str().replace('-', "_"), str::to_owned)
    }

    /// The union of all commits' columns by name; `None` without events.
    pub(super) fn schema(&self) -> Result<Option<Schema>> {
        let schemas = || self.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref());
        let Some(first) = schemas().next() else { return Ok(None) };
        let contradiction = |message: String| Error::new(ErrorKind::Incomplete, message);
        if schemas().any(|other| (other.id(), other.time()) != (first.id(), first.time())) {
            return Err(contradiction("the commits of the month have other id or time columns".to_owned()));
        }
        let mut columns = SliceColumns::new(schemas(), None, [])?.columns().to_vec();
        for column in &mut columns {
            let is_given = |schema: &Schema| schema.columns().iter().any(|it| it.name == column.name && !it.nullable);
            column.nullable = !schemas().all(is_given);
        }
        let schema = Schema::new(columns, first.id(), first.time());
        schema.map(Some).map_err(|error| contradiction(error.to_string()))
    }
}

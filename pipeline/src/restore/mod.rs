//! Restores an archived month into a database, and proves that it is equal.
//!
//! Like a pull, it reads only files named in manifests, each after its digest was checked. The archive's columns are
//! digested while they are loaded, the table's rows are read back and digested again, and the transaction commits only
//! if the digests are equal.

mod feed;
mod report;

pub use report::{RestoreReport, RestoredColumn};

use crate::{Archive, reader::Reader, settings::Settings, state::Scratch};
use archive_connectors::{
    Error, ErrorKind, Progress, Result,
    postgres::{
        Server,
        restore::{Destination, Restoration},
    },
    progress::{DatasetMonth, Step, Subject},
};
use archive_formats::{Dataset, EventBatch, Month, Schema, Sha256, column_digest::ColumnDigests};
use feed::{ArchivedMonth, Feed};
use futures::{future::join, stream};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The parameters of a restore.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The database.
    pub server: Server,
    /// The table; default: the one that the month came from, or the name of the dataset.
    pub table: Option<String>,
    /// Whether to load into a temporary table, and keep nothing.
    pub drill: bool,
}

/// Pieces and batches buffered for the slower side.
const WAITING: usize = 4;

/// Loads a month of the archive of `settings` into a table, and compares. Differences are reported, and the load is
/// rolled back.
pub async fn restore(
    settings: &Settings,
    request: &RestoreRequest,
    progress: Arc<dyn Progress>,
) -> Result<RestoreReport> {
    let archive = Archive::open(&settings.archive).await?;
    archive.expect_datasets(std::slice::from_ref(&request.dataset))?;
    let month = ArchivedMonth::from_chain(archive.chain(), &request.dataset, request.month)?;
    let table = request.table.clone().unwrap_or_else(|| month.table());
    let mut report = empty_report(request, &month, &table);
    let Some(schema) = month.schema()? else { return Ok(report) };
    let schema = Arc::new(schema);
    let scratch = Scratch::new(&settings.state_dir, "restore")?;
    let subject = Subject::from(DatasetMonth { dataset: request.dataset.clone(), month: request.month });
    let feed = Feed {
        reader: Reader::new(archive.sink().clone(), scratch.path().to_owned()),
        schema: Arc::clone(&schema),
        progress: Arc::clone(&progress),
        window: request.month.window(),
        subject: subject.clone(),
    };

    let destination = Destination { server: request.server.clone(), table, drill: request.drill };
    let mut restoration = Restoration::begin(&destination, &schema, request.month.window()).await?;
    let archived = load(&restoration, &feed, &month).await?;
    progress.step(&subject, Step::Decode, Some(month.rows()));
    let (rows_back, restored) = read_back(&mut restoration, &schema, &progress, &subject).await?;
    progress.finish(&subject);

    report.rows_back = rows_back;
    report.table = Some(restoration.table().to_owned());
    report.notes = restoration.notes().to_vec();
    report.columns = compared(&schema, &restoration, &archived, &restored);
    if report.is_equal() && !request.drill {
        restoration.commit().await?;
    } else {
        restoration.roll_back().await?;
    }
    Ok(report)
}

fn empty_report(request: &RestoreRequest, month: &ArchivedMonth<'_>, table: &str) -> RestoreReport {
    RestoreReport {
        dataset: Some(request.dataset.clone()),
        month: Some(request.month),
        into: Some(request.server.url().to_owned()),
        table: Some(table.to_owned()),
        rows: month.rows(),
        columns: Vec::new(),
        drill: request.drill,
        notes: Vec::new(),
        rows_back: month.rows(),
    }
}

/// Loads the month, and returns the digests of its columns in the archive.
async fn load(restoration: &Restoration, feed: &Feed, month: &ArchivedMonth<'_>) -> Result<Vec<Sha256>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let pieces = stream::unfold(receiver, |mut pieces| async { Some((pieces.recv().await?, pieces)) });
    let (digests, loaded) = join(feed.send(month, sender), restoration.load(pieces)).await;
    // If the server aborts, the feed fails too: the server's error is the cause.
    loaded.and(digests)
}

/// Reads the table back. Returns its row count and the digests of its columns.
async fn read_back(
    restoration: &mut Restoration,
    schema: &Schema,
    progress: &Arc<dyn Progress>,
    subject: &Subject,
) -> Result<(u64, Vec<Sha256>)> {
    let (sender, mut batches) = mpsc::channel::<EventBatch>(WAITING);
    let mut digests = ColumnDigests::new(schema);
    let (progress, subject) = (Arc::clone(progress), subject.clone());
    let digesting = tokio::task::spawn_blocking(move || {
        while let Some(batch) = batches.blocking_recv() {
            digests.add(batch.records()).map_err(undigested)?;
            progress.advance(&subject, batch.len() as u64);
        }
        Ok(digests.finish())
    });
    let rows = restoration.read_back(sender).await;
    let digests = digesting.await.map_err(stopped)?;
    Ok((rows?, digests?))
}

fn compared(
    schema: &Schema,
    restoration: &Restoration,
    archived: &[Sha256],
    restored: &[Sha256],
) -> Vec<RestoredColumn> {
    let digests = archived.iter().zip(restored);
    let columns = schema.columns().iter().zip(restoration.types()).zip(digests);
    let column = |((column, kind), (archived, restored)): ((&archive_formats::Column, &str), (&Sha256, &Sha256))| {
        let (name, kind) = (column.name.clone(), kind.to_owned());
        RestoredColumn { name, kind, sha256: *archived, equal: archived == restored }
    };
    columns.map(column).collect()
}

fn undigested(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "could not digest a column").with_source(error)
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "restoring the month stopped").with_source(error)
}

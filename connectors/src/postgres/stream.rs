//! One read of a window: its slices, read by several connections, as one stream of events in the order of the slices.

use super::{Inner, connection::Connection, copy::CopyFailed, failure, partition::Slice, snapshot::Snapshot};
use crate::{
    Error, ErrorKind, EventStream, Result, SourceItem, SourceReport,
    progress::{Meter, Step},
};
use archive_formats::{
    Dataset, EventBatch, Reject, Window,
    decode::{
        Decoded,
        copy::{CopyError, CopyRows},
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

/// What a reader yields of a slice.
enum Piece {
    /// Events.
    Batch(EventBatch),
    /// A row that is no event; its line counts from 1, the first row of the slice.
    Reject(Reject),
    /// The slice had this many rows. Another one may be read once this is taken.
    End(u64, OwnedSemaphorePermit),
}

type Sender = mpsc::Sender<Result<Piece>>;

/// What there is to read.
struct Jobs {
    /// The slices that no reader took yet, in their order, and where their pieces go.
    slices: Mutex<VecDeque<(Slice, Sender)>>,
    /// One permit for each slice that may be on its way. Without it, readers would fetch a whole month of slices that are
    /// shorter than what waits of each, while one is waited for.
    underway: Arc<Semaphore>,
}

impl Jobs {
    /// All of `slices`, of which `underway` may be read or wait at the same time.
    fn new(slices: VecDeque<(Slice, Sender)>, underway: usize) -> Self {
        Self { slices: Mutex::new(slices), underway: Arc::new(Semaphore::new(underway)) }
    }

    /// The next slice, once it is its turn. They are handed out in their order, so that the one that is waited for is
    /// always among those that are on their way.
    async fn next(&self) -> Option<(Slice, Sender, OwnedSemaphorePermit)> {
        if self.are_taken() {
            return None;
        }
        // The semaphore is never closed.
        let turn = Arc::clone(&self.underway).acquire_owned().await.ok()?;
        let (slice, sender) = self.slices.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some((slice, sender, turn))
    }

    fn are_taken(&self) -> bool {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Without a connection a slice would wait for ever if it were the last.
    async fn give_up(&self, error: Error) {
        if let Some((_, sender, _turn)) = self.next().await {
            drop(sender.send(Err(error)).await);
        }
    }
}

/// Reads slices until none is left, as one of the connections that may read at the same time. What fails is told to
/// whoever waits for the slice.
async fn read(inner: Arc<Inner>, snapshot: Arc<Snapshot>, jobs: Arc<Jobs>) {
    // The semaphore is never closed.
    let Ok(_permit) = inner.readers.acquire().await else { return };
    if jobs.are_taken() {
        return;
    }
    let mut connection = match snapshot.join(&inner.config).await {
        Ok(connection) => connection,
        Err(error) => return jobs.give_up(error).await,
    };
    while let Some((slice, sender, turn)) = jobs.next().await {
        if let Err(failed) = read_slice(&mut connection, &snapshot, &slice, &sender, turn).await {
            let error = told(failed, &inner, &snapshot);
            // Nobody listens when the read was dropped.
            drop(sender.send(Err(error.with_context("table", slice.table))).await);
            return;
        }
    }
    connection.close().await;
}

/// Why a slice is not read to its end.
enum Failed {
    Copy(CopyFailed),
    /// Nobody waits for the rows any more.
    Dropped,
}

impl<E: Into<CopyFailed>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Copy(error.into())
    }
}

type Tried<T> = std::result::Result<T, Failed>;

/// The error of a slice. That a column is nested shows only in its values: then the window is read again, with that
/// column as JSON.
fn told(failed: Failed, inner: &Inner, snapshot: &Snapshot) -> Error {
    match failed {
        Failed::Dropped => Error::new(ErrorKind::Interrupted, "nobody waits for the rows any more"),
        Failed::Copy(CopyFailed::Server(error)) => failure::lost("read the table", error),
        Failed::Copy(CopyFailed::Unreadable(CopyError::Nested { column })) => {
            inner.nested.add(&snapshot.table, &column);
            let error = Error::new(ErrorKind::SnapshotLost, "a column has arrays of several dimensions, and is JSON");
            error.with_context("column", column)
        }
        Failed::Copy(CopyFailed::Unreadable(error)) => {
            let kind = if error == CopyError::CutOff { ErrorKind::SnapshotLost } else { ErrorKind::Source };
            Error::new(kind, "the server's rows cannot be read").with_context("reason", error)
        }
    }
}

async fn read_slice(
    connection: &mut Connection,
    snapshot: &Snapshot,
    slice: &Slice,
    sender: &Sender,
    turn: OwnedSemaphorePermit,
) -> Tried<()> {
    let statement = snapshot.query.copy(&slice.table, slice.range);
    let mut copied = connection.copy_out(&statement).await?;
    let (mut rows, mut before) = (CopyRows::default(), 0);
    while copied.gather(&mut rows).await? {
        before += flush(&mut rows, before, snapshot, sender).await?;
    }
    before += flush(&mut rows, before, snapshot, sender).await?;
    send(Piece::End(before, turn), sender).await
}

/// Sends `rows` on their way, of a slice that had some `before`, and says how many there were.
async fn flush(rows: &mut CopyRows, before: u64, snapshot: &Snapshot, sender: &Sender) -> Tried<u64> {
    let Decoded { batch, rejects, rows: count, .. } = snapshot.layout.decode(rows)?;
    rows.clear();
    if let Some(batch) = batch {
        send(Piece::Batch(batch), sender).await?;
    }
    for reject in rejects {
        let line = before + reject.line + 1;
        send(Piece::Reject(Reject { line, ..reject }), sender).await?;
    }
    Ok(count)
}

async fn send(piece: Piece, sender: &Sender) -> Tried<()> {
    sender.send(Ok(piece)).await.map_err(|_| Failed::Dropped)
}

/// Batches of a slice that wait for their turn: all of a slice, as a rule.
const WAITING: usize = 8;

/// Slices that are read or wait at the same time, for each reader.
const UNDERWAY: usize = 2;

/// The state of a read between two items.
struct Reading {
    snapshot: Arc<Snapshot>,
    meter: Meter,
    /// The slices that were not read to their end, in their order.
    slices: VecDeque<mpsc::Receiver<Result<Piece>>>,
    /// Rows of the slices that were.
    ended: u64,
    reported: bool,
    /// They stop when the read does.
    _readers: JoinSet<()>,
}

/// The events of `window` as a stream.
pub(super) fn stream(inner: Arc<Inner>, dataset: Dataset, window: Window, meter: Meter) -> EventStream {
    let begun = async move {
        let snapshot = inner.snapshot(&dataset, window).await?;
        meter.step(Step::Decode, Some(snapshot.rows));
        let reading = Reading::start(&inner, snapshot, meter);
        // What broke one read would break the next.
        let forget = move |_: &Error| inner.forget(&dataset, window);
        // After an error this kind of stream yields nothing more.
        Ok(stream::try_unfold(reading, |reading| Box::pin(reading.next())).inspect_err(forget))
    };
    stream::once(begun).try_flatten().boxed()
}

impl Reading {
    fn start(inner: &Arc<Inner>, snapshot: Arc<Snapshot>, meter: Meter) -> Self {
        let (mut jobs, mut slices) = (VecDeque::new(), VecDeque::new());
        for slice in &snapshot.slices.slices {
            let (sender, receiver) = mpsc::channel(WAITING);
            jobs.push_back((slice.clone(), sender));
            slices.push_back(receiver);
        }
        let count = inner.config.connections.min(jobs.len());
        let jobs = Arc::new(Jobs::new(jobs, count * UNDERWAY));
        let mut readers = JoinSet::new();
        for _ in 0..count {
            readers.spawn(read(Arc::clone(inner), Arc::clone(&snapshot), Arc::clone(&jobs)));
        }
        Self { snapshot, meter, slices, ended: 0, reported: false, _readers: readers }
    }

    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        while let Some(slice) = self.slices.front_mut() {
            match slice.recv().await.transpose()? {
                Some(Piece::Batch(batch)) => {
                    self.meter.advance(batch.len() as u64);
                    return Ok(Some((SourceItem::Batch(batch), self)));
                }
                Some(Piece::Reject(reject)) => {
                    self.meter.advance(1);
                    let line = self.ended + reject.line;
                    return Ok(Some((SourceItem::Reject(Reject { line, ..reject }), self)));
                }
                Some(Piece::End(rows, _turn)) => {
                    self.ended += rows;
                    self.slices.pop_front();
                }
                None => return Err(Error::new(ErrorKind::Internal, "a reader stopped in the middle of a slice")),
            }
        }
        if std::mem::replace(&mut self.reported, true) {
            return Ok(None);
        }
        Ok(Some((SourceItem::Report(self.report()), self)))
    }

    fn report(&self) -> SourceReport {
        SourceReport {
            read: self.ended,
            source_count: Some(self.snapshot.rows),
            source_clock: Some(self.snapshot.source_clock),
            detail: self.snapshot.detail.clone(),
            ..SourceReport::default()
        }
    }
}

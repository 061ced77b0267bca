//! The events of a window as one stream: several connections copy its partitions, and their rows come out in the order of
//! the partitions.

use super::{
    catalogue::Nested, config::Config, connection::Connection, copy::CopyOutError, failure, partition::CopyPartition,
    pool::Pool, snapshot::Snapshot,
};
use crate::{
    Clock, Error, ErrorKind, EventStream, Progress, Result, SourceItem, SourceReport,
    progress::{Meter, Step},
};
use archive_formats::{
    Dataset, EventBatch, Reject, Window,
    decode::{
        Decoded, MAX_ROW_BYTES,
        copy::{CopyError, CopyRows},
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

/// Batches of a partition that may wait for their turn: usually the whole partition.
const WAITING_BATCHES: usize = 8;

/// Partitions that may be read or waiting at the same time, per connection.
const PARTITIONS_PER_CONNECTION: usize = 2;

/// What all windows of a source share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) progress: Arc<dyn Progress>,
    clock: Arc<dyn Clock>,
    /// One permit per connection that may read.
    connections: Semaphore,
    pub(super) pool: Pool,
    nested: Nested,
    /// Snapshots that a window may be read in again.
    snapshots: Mutex<HashMap<(Dataset, Window), Arc<Snapshot>>>,
}

impl Shared {
    pub(super) fn new(config: Config, clock: Arc<dyn Clock>, progress: Arc<dyn Progress>) -> Self {
        let connections = Semaphore::new(config.connections);
        let (pool, nested, snapshots) = (Pool::new(config), Nested::default(), Mutex::default());
        Self { progress, clock, connections, pool, nested, snapshots }
    }

    /// The snapshot to read `window` in: that of an earlier read, unless that read failed or was released.
    async fn snapshot(&self, dataset: &Dataset, window: Window) -> Result<Arc<Snapshot>> {
        let key = (dataset.clone(), window);
        let kept = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let taken = Snapshot::take(&self.pool, self.clock.as_ref(), &self.nested, dataset, window).await?;
        let taken = Arc::new(taken);
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&taken));
        Ok(taken)
    }

    /// Drops the snapshot of `window`, and with it the session that holds it, since something failed.
    fn forget(&self, dataset: &Dataset, window: Window) {
        drop(self.remove(dataset, window));
    }

    /// Ends the snapshot of `window`, if it was kept.
    pub(super) fn release(&self, dataset: &Dataset, window: Window) {
        if let Some(snapshot) = self.remove(dataset, window) {
            snapshot.release(&self.pool);
        }
    }

    fn remove(&self, dataset: &Dataset, window: Window) -> Option<Arc<Snapshot>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).remove(&(dataset.clone(), window))
    }
}

/// The events of `window`.
pub(super) fn stream(shared: Arc<Shared>, dataset: Dataset, window: Window, meter: Meter) -> EventStream {
    let started = async move {
        let snapshot = shared.snapshot(&dataset, window).await?;
        meter.step(Step::Decode, Some(snapshot.rows));
        let events = WindowStream::start(&shared, snapshot, meter);
        // A retry in the same snapshot would fail the same way.
        let forget = move |_: &Error| shared.forget(&dataset, window);
        // `try_unfold` yields nothing after an error.
        Ok(stream::try_unfold(events, |events| Box::pin(events.next())).inspect_err(forget))
    };
    stream::once(started).try_flatten().boxed()
}

/// The state of a read between two items.
struct WindowStream {
    snapshot: Arc<Snapshot>,
    meter: Meter,
    /// The partitions that are not read to their end, in their order.
    partitions: VecDeque<mpsc::Receiver<Result<PartitionItem>>>,
    /// Rows of the finished partitions.
    rows: u64,
    /// Whether to send [`SourceItem::UniqueIds`].
    vouches: bool,
    reported: bool,
    /// Aborted when the stream is dropped.
    _readers: JoinSet<()>,
}

impl WindowStream {
    fn start(shared: &Arc<Shared>, snapshot: Arc<Snapshot>, meter: Meter) -> Self {
        let (mut queued, mut partitions) = (VecDeque::new(), VecDeque::new());
        for partition in &snapshot.partitions.partitions {
            let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
            queued.push_back((partition.clone(), sender));
            partitions.push_back(receiver);
        }
        let count = shared.pool.config.connections.min(queued.len());
        let queue = Arc::new(PartitionQueue::new(queued, count * PARTITIONS_PER_CONNECTION));
        let mut readers = JoinSet::new();
        for _ in 0..count {
            readers.spawn(read_partitions(Arc::clone(shared), Arc::clone(&snapshot), Arc::clone(&queue)));
        }
        let vouches = snapshot.has_unique_ids;
        Self { snapshot, meter, partitions, rows: 0, vouches, reported: false, _readers: readers }
    }

    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        if std::mem::take(&mut self.vouches) {
            return Ok(Some((SourceItem::UniqueIds, self)));
        }
        while let Some(partition) = self.partitions.front_mut() {
            match partition.recv().await.transpose()? {
                Some(PartitionItem::Batch(batch)) => {
                    self.meter.advance(batch.len() as u64);
                    return Ok(Some((SourceItem::Batch(batch), self)));
                }
                Some(PartitionItem::Reject(reject)) => {
                    self.meter.advance(1);
                    let line = self.rows + reject.line;
                    return Ok(Some((SourceItem::Reject(Reject { line, ..reject }), self)));
                }
                Some(PartitionItem::End(rows, _turn)) => {
                    self.rows += rows;
                    self.partitions.pop_front();
                }
                None => return Err(Error::new(ErrorKind::Internal, "a reader stopped in the middle of a partition")),
            }
        }
        if std::mem::replace(&mut self.reported, true) {
            return Ok(None);
        }
        Ok(Some((SourceItem::Report(self.report()), self)))
    }

    fn report(&self) -> SourceReport {
        SourceReport {
            read: self.rows,
            source_count: Some(self.snapshot.rows),
            source_clock: Some(self.snapshot.source_clock),
            detail: self.snapshot.detail.clone(),
            ..SourceReport::default()
        }
    }
}

/// What a connection reads of a partition.
enum PartitionItem {
    Batch(EventBatch),
    /// A row that is not an event; its line counts from 1, the first row of the partition.
    Reject(Reject),
    /// The number of rows of the partition. Dropping the permit lets another partition start.
    End(u64, OwnedSemaphorePermit),
}

type Sender = mpsc::Sender<Result<PartitionItem>>;

/// The partitions of a window that no connection has taken yet.
struct PartitionQueue {
    /// In their order, each with the channel for its rows.
    partitions: Mutex<VecDeque<(CopyPartition, Sender)>>,
    /// One permit per partition that may be read or waiting. Without it, connections would buffer a whole month of
    /// partitions that are shorter than their channel, while the stream waits for one of them.
    turns: Arc<Semaphore>,
}

impl PartitionQueue {
    fn new(partitions: VecDeque<(CopyPartition, Sender)>, turns: usize) -> Self {
        Self { partitions: Mutex::new(partitions), turns: Arc::new(Semaphore::new(turns)) }
    }

    /// Waits for a turn and takes the next partition. Taking them in order keeps the one that the stream waits for among
    /// those that are being read.
    async fn next(&self) -> Option<(CopyPartition, Sender, OwnedSemaphorePermit)> {
        if self.is_empty() {
            return None;
        }
        // The semaphore is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let (partition, sender) = self.partitions.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some((partition, sender, turn))
    }

    fn is_empty(&self) -> bool {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Fails the next partition with `error`, since the stream would wait for it forever if no other connection is left.
    async fn fail(&self, error: Error) {
        if let Some((_, sender, _turn)) = self.next().await {
            drop(sender.send(Err(error)).await);
        }
    }
}

/// Reads partitions over one connection until none is left. Errors go to the stream by the channel of their partition.
async fn read_partitions(shared: Arc<Shared>, snapshot: Arc<Snapshot>, queue: Arc<PartitionQueue>) {
    // The semaphore is never closed.
    let Ok(_permit) = shared.connections.acquire().await else { return };
    if queue.is_empty() {
        return;
    }
    let mut connection = match snapshot.join(&shared.pool).await {
        Ok(connection) => connection,
        Err(error) => return queue.fail(error).await,
    };
    while let Some((partition, sender, turn)) = queue.next().await {
        if let Err(error) = read_partition(&mut connection, &snapshot, &partition, &sender, turn).await {
            let error = source_error(error, &shared.nested, &snapshot);
            // Fails if the stream was dropped.
            drop(sender.send(Err(error.with_context("table", partition.table))).await);
            return;
        }
    }
    shared.pool.give_back(connection);
}

/// Why a partition was not read to its end.
enum PartitionError {
    Copy(CopyOutError),
    /// The stream was dropped.
    Dropped,
}

impl<E: Into<CopyOutError>> From<E> for PartitionError {
    fn from(error: E) -> Self {
        Self::Copy(error.into())
    }
}

type CopyResult<T> = std::result::Result<T, PartitionError>;

/// The error of a partition. Only values show that a column holds nested arrays: the window is then read again, with that
/// column as JSON.
fn source_error(error: PartitionError, nested: &Nested, snapshot: &Snapshot) -> Error {
    match error {
        PartitionError::Dropped => Error::new(ErrorKind::Interrupted, "the read was dropped"),
        PartitionError::Copy(CopyOutError::Server(error)) => failure::lost("read the table", error),
        PartitionError::Copy(CopyOutError::Unreadable(CopyError::Nested { column })) => {
            nested.add(&snapshot.table, &column);
            let error = Error::new(ErrorKind::SnapshotLost, "a column has arrays of several dimensions, and is JSON");
            error.with_context("column", column)
        }
        PartitionError::Copy(CopyOutError::Unreadable(error)) => {
            let kind = if error == CopyError::CutOff { ErrorKind::SnapshotLost } else { ErrorKind::Source };
            let failed = Error::new(kind, "the server's rows cannot be read").with_context("reason", &error);
            match error {
                CopyError::RowTooLong(_) => {
                    failed.with_hint("a longer row cannot be archived; a view without the column of the long value can")
                }
                _ => failed,
            }
        }
    }
}

async fn read_partition(
    connection: &mut Connection,
    snapshot: &Snapshot,
    partition: &CopyPartition,
    sender: &Sender,
    turn: OwnedSemaphorePermit,
) -> CopyResult<()> {
    let statement = snapshot.query.copy(&partition.table, partition.rows);
    let mut copied = connection.copy_out(&statement).await?;
    let (mut rows, mut before) = (CopyRows::new(MAX_ROW_BYTES), 0);
    while copied.gather(&mut rows).await? {
        before += flush(&mut rows, before, snapshot, sender).await?;
    }
    before += flush(&mut rows, before, snapshot, sender).await?;
    send(PartitionItem::End(before, turn), sender).await
}

/// Decodes and sends `rows`, which follow `before` others of their partition. Returns their number.
async fn flush(rows: &mut CopyRows, before: u64, snapshot: &Snapshot, sender: &Sender) -> CopyResult<u64> {
    let Decoded { batch, rejects, rows: count, .. } = snapshot.layout.decode(rows)?;
    rows.clear();
    if let Some(batch) = batch {
        send(PartitionItem::Batch(batch), sender).await?;
    }
    for reject in rejects {
        let line = before + reject.line + 1;
        send(PartitionItem::Reject(Reject { line, ..reject }), sender).await?;
    }
    Ok(count)
}

async fn send(item: PartitionItem, sender: &Sender) -> CopyResult<()> {
    sender.send(Ok(item)).await.map_err(|_| PartitionError::Dropped)
}

//! A connection that reads slices: rows off the wire, into columns.

use super::{Inner, connection::Connection, copy_tap::Rows, failure, slices::Slice, snapshot::Snapshot};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    EventBatch, Reject,
    decode::{
        Decoded,
        copy::{CopyError, CopyRows, Pushed, signature},
    },
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Bytes of rows after which a batch ends: as many as lie in a near cache while they are decoded.
const BATCH_BYTES: usize = 1 << 20;

/// Rows after which a batch ends.
const BATCH_ROWS: usize = 8_192;

/// What a reader yields of a slice.
pub(super) enum Piece {
    /// Events.
    Batch(EventBatch),
    /// A row that is no event; its line counts from 1, the first row of the slice.
    Reject(Reject),
    /// The slice had this many rows.
    End(u64),
}

type Sender = mpsc::Sender<Result<Piece>>;

/// The slices that no reader took yet, and where their pieces go.
pub(super) type Jobs = Arc<Mutex<VecDeque<(Slice, Sender)>>>;

/// Reads slices until none is left, as one of the connections that may read at the same time. What fails is told to
/// whoever waits for the slice.
pub(super) async fn read(inner: Arc<Inner>, snapshot: Arc<Snapshot>, jobs: Jobs) {
    // The semaphore is never closed.
    let Ok(_permit) = inner.readers.acquire().await else { return };
    if jobs.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return;
    }
    let mut connection = match snapshot.join(&inner.config).await {
        Ok(connection) => connection,
        Err(error) => return give_up(&jobs, error).await,
    };
    loop {
        let Some((slice, sender)) = next(&jobs) else { break };
        if let Err(failed) = read_slice(&mut connection, &snapshot, &slice, &sender).await {
            let error = told(failed, &inner, &snapshot);
            // Nobody listens when the read was dropped.
            drop(sender.send(Err(error.with_context("table", slice.table))).await);
            break;
        }
    }
}

fn next(jobs: &Jobs) -> Option<(Slice, Sender)> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Without this connection a slice would wait for ever if it were the last.
async fn give_up(jobs: &Jobs, error: Error) {
    if let Some((_, sender)) = next(jobs) {
        drop(sender.send(Err(error)).await);
    }
}

/// Why a slice is not read to its end.
enum Failed {
    /// The server, or nobody listens.
    Stopped(Error),
    /// What it sent is not what was thought.
    Unreadable(CopyError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

impl From<CopyError> for Failed {
    fn from(error: CopyError) -> Self {
        Self::Unreadable(error)
    }
}

/// The error of a slice. That a column is nested shows only in its values: then the window is read again, with that
/// column as JSON.
fn told(failed: Failed, inner: &Inner, snapshot: &Snapshot) -> Error {
    match failed {
        Failed::Stopped(error) => error,
        Failed::Unreadable(CopyError::Nested { column }) => {
            inner.nested.add(&snapshot.table, &column);
            let error = Error::new(ErrorKind::SnapshotLost, "a column has arrays of several dimensions, and is JSON");
            error.with_context("column", column)
        }
        Failed::Unreadable(error) => {
            Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
        }
    }
}

type Tried = std::result::Result<(), Failed>;

async fn read_slice(connection: &mut Connection, snapshot: &Snapshot, slice: &Slice, sender: &Sender) -> Tried {
    let failed = |error| Failed::Stopped(failure::lost("read the table", error));
    let statement = snapshot.query.copy(&slice.table, slice.range);
    let mut copied = connection.copy_out(&statement).await.map_err(failed)?;
    let mut batches = Batches { gathered: CopyRows::default(), snapshot, sender, rows: 0, ended: false };
    let mut begun = false;
    while let Some(block) = copied.next().await.map_err(failed)? {
        for mut row in Rows::of(&block) {
            if !std::mem::replace(&mut begun, true) {
                row = row.get(signature(row)?..).unwrap_or_default();
            }
            if !row.is_empty() {
                batches.take(row).await?;
            }
        }
    }
    batches.end().await
}

/// The rows of a slice on their way out.
struct Batches<'a> {
    gathered: CopyRows,
    snapshot: &'a Snapshot,
    sender: &'a Sender,
    /// How many went before those.
    rows: u64,
    /// Whether the server said that it sent all of them.
    ended: bool,
}

impl Batches<'_> {
    async fn take(&mut self, row: &[u8]) -> Tried {
        self.ended = self.gathered.push(row)? == Pushed::End;
        if self.gathered.len() >= BATCH_ROWS || self.gathered.bytes() >= BATCH_BYTES {
            return self.flush().await;
        }
        Ok(())
    }

    async fn end(mut self) -> Tried {
        self.flush().await?;
        if !self.ended {
            let error = Error::new(ErrorKind::SnapshotLost, "the server's rows break off before their end");
            return Err(error.into());
        }
        Ok(self.send(Piece::End(self.rows)).await?)
    }

    async fn flush(&mut self) -> Tried {
        let Decoded { batch, rejects, rows, .. } = self.snapshot.layout.decode(&self.gathered)?;
        self.gathered.clear();
        if let Some(batch) = batch {
            self.send(Piece::Batch(batch)).await?;
        }
        for reject in rejects {
            let line = self.rows + reject.line + 1;
            self.send(Piece::Reject(Reject { line, ..reject })).await?;
        }
        self.rows += rows;
        Ok(())
    }

    async fn send(&self, piece: Piece) -> Result<()> {
        let dropped = |_| Error::new(ErrorKind::Interrupted, "nobody waits for the rows any more");
        self.sender.send(Ok(piece)).await.map_err(dropped)
    }
}

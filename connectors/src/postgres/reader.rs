//! A connection that reads slices: rows off the wire, into columns.

use super::{Inner, connection::Connection, copy_out::CopyFailed, failure, slices::Slice, snapshot::Snapshot};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    EventBatch, Reject,
    decode::{
        Decoded,
        copy::{CopyError, CopyRows},
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

async fn read_slice(connection: &mut Connection, snapshot: &Snapshot, slice: &Slice, sender: &Sender) -> Tried<()> {
    let statement = snapshot.query.copy(&slice.table, slice.range);
    let mut copied = connection.copy_out(&statement).await?;
    let (mut rows, mut before) = (CopyRows::default(), 0);
    let enough = |rows: &CopyRows| rows.len() >= BATCH_ROWS || rows.bytes() >= BATCH_BYTES;
    while copied.gather(&mut rows, enough).await? {
        before += flush(&mut rows, before, snapshot, sender).await?;
    }
    before += flush(&mut rows, before, snapshot, sender).await?;
    send(Piece::End(before), sender).await
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

//! A connection that reads slices: rows off the wire, into columns.

use super::{Inner, connection::Connection, copy_tap::Rows, failure, slices::Slice, snapshot::Snapshot};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    EventBatch, Reject,
    decode::{
        Decoded,
        copy::{CopyError, CopyRows, signature},
    },
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Bytes of rows after which a batch ends.
const BATCH_BYTES: usize = 4 << 20;

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
        if let Err(error) = read_slice(&mut connection, &snapshot, &slice, &sender).await {
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

async fn read_slice(connection: &mut Connection, snapshot: &Snapshot, slice: &Slice, sender: &Sender) -> Result<()> {
    let failed = |error| failure::lost("read the table", error);
    let statement = snapshot.query.copy(&slice.table, slice.range);
    let mut copied = connection.copy_out(&statement).await.map_err(failed)?;
    let mut batches = Batches { gathered: CopyRows::default(), snapshot, sender, rows: 0 };
    let mut begun = false;
    while let Some(block) = copied.next().await.map_err(failed)? {
        for mut row in Rows::of(&block) {
            if !std::mem::replace(&mut begun, true) {
                row = row.get(signature(row).map_err(|error| nonsense(&error))?..).unwrap_or_default();
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
}

impl Batches<'_> {
    async fn take(&mut self, row: &[u8]) -> Result<()> {
        self.gathered.push(row).map_err(|error| nonsense(&error))?;
        if self.gathered.len() >= BATCH_ROWS || self.gathered.bytes() >= BATCH_BYTES {
            return self.flush().await;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        self.flush().await?;
        self.send(Piece::End(self.rows)).await
    }

    async fn flush(&mut self) -> Result<()> {
        let Decoded { batch, rejects, rows, .. } =
            self.snapshot.layout.decode(&self.gathered).map_err(|error| nonsense(&error))?;
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

/// The server sent what no server sends.
fn nonsense(error: &CopyError) -> Error {
    Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
}

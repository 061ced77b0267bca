//! Rows of the table -> events as they would be archived.

use super::{Restoration, failed};
use crate::{
    Error, ErrorKind, Result,
    postgres::{copy_tap::Rows, slices::Range},
};
use archive_formats::{
    EventBatch,
    decode::copy::{CopyError, CopyLayout, CopyRows, Pushed, signature},
};
use tokio::sync::mpsc;

/// When a batch ends.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_ROWS: usize = 8_192;

impl Restoration {
    /// Sends what the table has in the window to `events`, with the columns of the archive, and returns how many rows
    /// there are: those that are no events any more are counted, but not sent.
    pub async fn read_back(&mut self, events: mpsc::Sender<EventBatch>) -> Result<u64> {
        let Self { connection, relation, query, layout, .. } = self;
        let statement = query.copy(&relation.name, Range::Whole);
        let mut copied = connection.copy_out(&statement).await.map_err(failed("read the table"))?;
        let (mut gathered, mut count, mut begun) = (CopyRows::default(), 0, false);
        while let Some(block) = copied.next().await.map_err(failed("read the table"))? {
            for mut row in Rows::of(&block) {
                if !std::mem::replace(&mut begun, true) {
                    row = row.get(signature(row).map_err(|error| nonsense(&error))?..).unwrap_or_default();
                }
                if !row.is_empty() {
                    count += u64::from(gathered.push(row).map_err(|error| nonsense(&error))? == Pushed::Row);
                }
                if gathered.len() >= BATCH_ROWS || gathered.bytes() >= BATCH_BYTES {
                    send(layout, &mut gathered, &events).await?;
                }
            }
        }
        send(layout, &mut gathered, &events).await?;
        Ok(count)
    }
}

async fn send(layout: &CopyLayout, rows: &mut CopyRows, events: &mpsc::Sender<EventBatch>) -> Result<()> {
    let decoded = layout.decode(rows).map_err(|error| nonsense(&error))?;
    rows.clear();
    let Some(batch) = decoded.batch else { return Ok(()) };
    let gone = |_| Error::new(ErrorKind::Interrupted, "nobody waits for the rows any more");
    events.send(batch).await.map_err(gone)
}

/// The server sent what no server sends.
fn nonsense(error: &CopyError) -> Error {
    Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
}

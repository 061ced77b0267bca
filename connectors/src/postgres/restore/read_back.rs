//! Rows of the table -> events as they would be archived.

use super::{Restoration, failed};
use crate::{
    Error, ErrorKind, Result,
    postgres::{copy_out::CopyFailed, slices::Range},
};
use archive_formats::{
    EventBatch,
    decode::copy::{CopyLayout, CopyRows},
};
use tokio::sync::mpsc;

impl Restoration {
    /// Sends what the table has in the window to `events`, with the columns of the archive, and returns how many rows
    /// there are: those that are no events any more are counted, but not sent.
    pub async fn read_back(&mut self, events: mpsc::Sender<EventBatch>) -> Result<u64> {
        let Self { connection, relation, query, layout, .. } = self;
        let statement = query.copy(&relation.name, Range::Whole);
        let mut copied = connection.copy_out(&statement).await.map_err(failed("read the table"))?;
        let (mut rows, mut count) = (CopyRows::default(), 0);
        while copied.gather(&mut rows).await.map_err(unread)? {
            count += flush(layout, &mut rows, &events).await?;
        }
        Ok(count + flush(layout, &mut rows, &events).await?)
    }
}

async fn flush(layout: &CopyLayout, rows: &mut CopyRows, events: &mpsc::Sender<EventBatch>) -> Result<u64> {
    let decoded = layout.decode(rows).map_err(|error| unread(error.into()))?;
    rows.clear();
    if let Some(batch) = decoded.batch {
        let gone = |_| Error::new(ErrorKind::Interrupted, "nobody waits for the rows any more");
        events.send(batch).await.map_err(gone)?;
    }
    Ok(decoded.rows)
}

fn unread(error: CopyFailed) -> Error {
    match error {
        CopyFailed::Server(error) => failed("read the table")(error),
        CopyFailed::Unreadable(error) => {
            Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
        }
    }
}

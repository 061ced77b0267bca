//! Rows of the archive -> rows of the table.

use super::{Restoration, arrays, failed, plan::STAGING};
use crate::Result;
use archive_formats::encode::copy::{HEADER, TRAILER};
use bytes::Bytes;
use futures::{SinkExt as _, Stream, StreamExt as _};
use std::pin::pin;

impl Restoration {
    /// Loads `rows`, pieces of any size of what [`write_rows`](archive_formats::encode::copy::write_rows) writes.
    pub async fn load(&self, rows: impl Stream<Item = Bytes>) -> Result<()> {
        let client = self.connection.client();
        client.batch_execute(&self.plan.stage).await.map_err(failed("create a temporary table"))?;
        let statement = format!("copy {STAGING} from stdin (format binary)");
        let mut server = pin!(client.copy_in(&statement).await.map_err(failed("send the rows to the server"))?);
        server.feed(Bytes::from_static(HEADER)).await.map_err(failed("send the rows to the server"))?;
        let mut rows = pin!(rows);
        while let Some(piece) = rows.next().await {
            server.feed(piece).await.map_err(failed("send the rows to the server"))?;
        }
        server.feed(Bytes::from_static(TRAILER)).await.map_err(failed("send the rows to the server"))?;
        server.finish().await.map_err(failed("send the rows to the server"))?;
        if self.plan.has_arrays_as_json {
            client.batch_execute(arrays::CREATE).await.map_err(failed("create a temporary function"))?;
        }
        client.batch_execute(&self.plan.insert).await.map_err(failed("insert the rows into the table"))?;
        // What would be checked or triggered at the commit shall be before the comparison.
        client.batch_execute("set constraints all immediate").await.map_err(failed("check the rows of the table"))
    }
}

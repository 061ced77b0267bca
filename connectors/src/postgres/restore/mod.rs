//! A month back into a table, and out of it again to be compared.
//!
//! All of it is one transaction, which nothing but [`Restoration::commit`] ends well: whatever goes wrong, and whatever
//! becomes of this process, the server is left as it was. Rows go through a temporary table that has the archive's types,
//! so that one statement casts them into whatever types the table has.

mod plan;
mod table;

use super::{
    catalogue::Relation,
    config::Server,
    connect::connect,
    connection::{Connection, Session},
    copy::CopyOutError,
    failure::failed,
    partition::{PartitionRows, Query},
};
use crate::{
    Error, ErrorKind, Result,
    retry::{Policy, retry},
};
use archive_formats::{
    EventBatch, Schema, Window,
    decode::copy::{CopyLayout, CopyRows},
    encode::copy::{HEADER, TRAILER},
};
use bytes::Bytes;
use futures::{SinkExt as _, Stream, StreamExt as _};
use plan::{Plan, STAGING};
use std::{pin::pin, time::Duration};
use tokio::sync::mpsc;

/// Where a month is restored to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The server.
    pub server: Server,
    /// `name` or `schema.name`, as SQL spells them. A table that does not exist is created.
    pub table: String,
    /// Whether the table is a temporary one, whatever there is of its name.
    pub drill: bool,
}

/// A month on its way into a table. Dropping it leaves the server as it was.
#[derive(Debug)]
pub struct Restoration {
    connection: Connection,
    relation: Relation,
    plan: Plan,
    query: Query,
    layout: CopyLayout,
    notes: Vec<String>,
}

/// Loading takes as long as it takes. Nobody is kept waiting for a lock.
const SESSION: Session =
    Session { read_only: false, statement_timeout: Duration::ZERO, lock_timeout: Duration::from_secs(10) };

/// A server that can (since version 14) looks whether we are still there while it works for us.
const WATCH: &str = "select pg_catalog.set_config(name, '1s', false) from pg_catalog.pg_settings \
                     where name = 'client_connection_check_interval'";

/// Two restores at the same time would both find the month empty: of serializable transactions one fails.
const BEGIN: &str = "begin isolation level serializable read write";

impl Restoration {
    /// Finds or creates the table, with the columns of `schema`. Rows of `window` must not be there yet.
    pub async fn begin(destination: &Destination, schema: &Schema, window: Window) -> Result<Self> {
        let connection = retry(Policy::per_call(), || connect(&destination.server, &SESSION)).await?;
        let client = connection.client();
        client.batch_execute(WATCH).await.map_err(failed("prepare the session"))?;
        let name = table::read_name(client, &destination.table).await?;
        // Before the transaction: what is no type would end it.
        let types = table::types(client, schema).await?;
        client.batch_execute(BEGIN).await.map_err(failed("begin a transaction"))?;
        let (relation, notes) = table::find_or_create(client, &name, destination.drill, schema, &types).await?;
        let nested = table::nested(&relation, schema);
        let columns = relation.columns(client, &table::wanted(schema), &nested).await?;
        let generated = table::generated_columns(client, &relation).await?;
        let (plan, columns) = Plan::new(&relation.name, schema, columns, &generated)?;
        let query = Query::new(&columns, window, None);
        refuse_rows(client, &relation, &query).await?;
        let layout = CopyLayout::new(plan.schema()).map_err(|error| {
            Error::new(ErrorKind::Incomplete, "the columns cannot be read back").with_context("reason", error)
        })?;
        Ok(Self { connection, relation, plan, query, layout, notes })
    }

    /// The table, with its schema, as SQL spells them.
    pub fn table(&self) -> &str {
        &self.relation.name
    }

    /// The type of each column in the table, in the order of the archive.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.plan.types()
    }

    /// What is not as it was at the source.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Makes the month a part of the table.
    pub async fn commit(self) -> Result<()> {
        self.connection.client().batch_execute("commit").await.map_err(failed("commit the restored month"))
    }

    /// Takes all of it back, and returns once the server has.
    pub async fn roll_back(self) -> Result<()> {
        self.connection.client().batch_execute("rollback").await.map_err(failed("take the restored month back"))
    }
}

async fn refuse_rows(client: &tokio_postgres::Client, relation: &Relation, query: &Query) -> Result<()> {
    let counted = client.query_one(&query.count(&relation.name), &[]).await;
    let rows: i64 = counted.map_err(failed("count the rows of the table"))?.get(0);
    if rows == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, "the table has rows of the month already")
        .with_context("table", &relation.name)
        .with_context("rows", rows)
        .with_hint("name another table with --table, or try the restore alone with --drill"))
}

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
            client.batch_execute(plan::CREATE_LITERAL).await.map_err(failed("create a temporary function"))?;
        }
        client.batch_execute(&self.plan.insert).await.map_err(failed("insert the rows into the table"))?;
        // What would be checked or triggered at the commit shall be before the comparison.
        client.batch_execute("set constraints all immediate").await.map_err(failed("check the rows of the table"))
    }
}

impl Restoration {
    /// Sends what the table has in the window to `events`, with the columns of the archive, and returns how many rows
    /// there are: those that are no events any more are counted, but not sent.
    pub async fn read_back(&mut self, events: mpsc::Sender<EventBatch>) -> Result<u64> {
        let Self { connection, relation, query, layout, .. } = self;
        let statement = query.copy(&relation.name, PartitionRows::Window);
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

fn unread(error: CopyOutError) -> Error {
    match error {
        CopyOutError::Server(error) => failed("read the table")(error),
        CopyOutError::Unreadable(error) => {
            Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
        }
    }
}

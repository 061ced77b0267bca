//! Restores a month into a table, and reads it back for comparison.
//!
//! A restore is one transaction, which only [`Restoration::commit`] commits: after any failure the server is unchanged. Rows
//! are loaded into a temporary table with the archive's types, from which one statement casts them to the table's types.

mod names;
mod plan;
mod table;

use super::{
    catalogue::Relation,
    config::Server,
    connect::connect,
    connection::{Connection, Session, with_role_search_path},
    copy::CopyOutError,
    failure::restore_failure,
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
use names::with_server_names;
use plan::{Plan, STAGING};
use std::{pin::pin, time::Duration};
use tokio::sync::mpsc;

/// The server and the table to restore to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The server.
    pub server: Server,
    /// `name` or `schema.name` in SQL syntax. A missing table is created.
    pub table: String,
    /// Whether to use a new temporary table, even if a table of this name exists.
    pub drill: bool,
}

/// An open restore of a month. Dropping it leaves the server unchanged.
#[derive(Debug)]
pub struct Restoration {
    connection: Connection,
    relation: Relation,
    plan: Plan,
    query: Query,
    layout: CopyLayout,
    notes: Vec<String>,
}

/// Loading has no time limit, but waiting for a lock does.
const SESSION: Session =
    Session { read_only: false, statement_timeout: Duration::ZERO, lock_timeout: Duration::from_secs(10) };

/// Lets servers since version 14 notice a lost connection during a statement.
const CHECK_CONNECTION: &str = "select pg_catalog.set_config(name, '1s', false) from pg_catalog.pg_settings \
                     where name = 'client_connection_check_interval'";

/// Two concurrent restores would both find the month empty; of serializable transactions one fails.
const BEGIN: &str = "begin isolation level serializable read write";

impl Restoration {
    /// Finds or creates the table, with the columns of `schema`. Fails if it has rows of `window`.
    pub async fn begin(destination: &Destination, schema: &Schema, window: Window) -> Result<Self> {
        let connection = retry(Policy::per_call(), || connect(&destination.server, &SESSION)).await?;
        let client = connection.client();
        client.batch_execute(CHECK_CONNECTION).await.map_err(restore_failure("prepare the session"))?;
        let name = table::parse_name(client, &destination.table).await?;
        let (schema, renamed) = with_server_names(schema)?;
        // Before the transaction, which an unknown type would end.
        let types = table::types(client, &schema).await?;
        client.batch_execute(BEGIN).await.map_err(restore_failure("begin a transaction"))?;
        let (relation, notes) = table::find_or_create(client, &name, destination.drill, &schema, &types).await?;
        let notes = renamed.into_iter().chain(notes).collect();
        let nested = table::nested(&relation, &schema);
        let columns = relation.columns(client, &table::wanted(&schema), &nested).await?;
        let generated = table::generated_columns(client, &relation).await?;
        let (plan, columns) = Plan::new(&relation.name, &schema, columns, &generated)?;
        let query = Query::new(&columns, window, None);
        refuse_rows(client, &relation, &query).await?;
        let layout = CopyLayout::new(plan.schema()).map_err(|error| {
            Error::new(ErrorKind::Incomplete, "the columns cannot be read back").with_context("reason", error)
        })?;
        Ok(Self { connection, relation, plan, query, layout, notes })
    }

    /// The table with its schema, in SQL syntax.
    pub fn table(&self) -> &str {
        &self.relation.name
    }

    /// The type of each column in the table, in the order of the archive.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.plan.types()
    }

    /// Differences from the source's table.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Commits the restored month.
    pub async fn commit(self) -> Result<()> {
        const UNKNOWN: &str = "the answer to the commit was lost: look whether the month is in the table; the same command \
            refuses it if it is";
        let committed = self.connection.client().batch_execute("commit").await;
        committed.map_err(|error| {
            // Without an answer of the server, the commit may have taken place.
            let is_unknown = error.as_db_error().is_none();
            let failed = restore_failure("commit the restored month")(error);
            if is_unknown { failed.with_hint(UNKNOWN) } else { failed }
        })
    }

    /// Rolls back, and waits for the server.
    pub async fn roll_back(self) -> Result<()> {
        self.connection
            .client()
            .batch_execute("rollback")
            .await
            .map_err(restore_failure("roll back the restored month"))
    }
}

async fn refuse_rows(client: &tokio_postgres::Client, relation: &Relation, query: &Query) -> Result<()> {
    let counted = client.query_one(&query.count(&relation.name), &[]).await;
    let rows: i64 = counted.map_err(restore_failure("count the rows of the table"))?.get(0);
    if rows == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, "the table has rows of the month already")
        .with_context("table", &relation.name)
        .with_context("rows", rows)
        .with_hint("name another table with --table, or try the restore alone with --drill"))
}

impl Restoration {
    /// Loads `rows`, the output of [`write_rows`](archive_formats::encode::copy::write_rows) in chunks of any size.
    pub async fn load(&self, rows: impl Stream<Item = Bytes>) -> Result<()> {
        let client = self.connection.client();
        client.batch_execute(&self.plan.stage).await.map_err(restore_failure("create a temporary table"))?;
        let statement = format!("copy {STAGING} from stdin (format binary)");
        let mut server =
            pin!(client.copy_in(&statement).await.map_err(restore_failure("send the rows to the server"))?);
        server.feed(Bytes::from_static(HEADER)).await.map_err(restore_failure("send the rows to the server"))?;
        let mut rows = pin!(rows);
        while let Some(chunk) = rows.next().await {
            server.feed(chunk).await.map_err(restore_failure("send the rows to the server"))?;
        }
        server.feed(Bytes::from_static(TRAILER)).await.map_err(restore_failure("send the rows to the server"))?;
        server.finish().await.map_err(restore_failure("send the rows to the server"))?;
        if self.plan.has_arrays_as_json {
            client.batch_execute(plan::CREATE_LITERAL).await.map_err(restore_failure("create a temporary function"))?;
        }
        // Types of columns and functions of triggers may be named without their schema.
        let inserted = with_role_search_path(client, client.batch_execute(&self.plan.insert)).await?;
        inserted.map_err(restore_failure("insert the rows into the table"))?;
        // Deferred checks and triggers must run before the comparison.
        let checked = with_role_search_path(client, client.batch_execute("set constraints all immediate")).await?;
        checked.map_err(restore_failure("check the rows of the table"))
    }
}

impl Restoration {
    /// Sends the table's rows of the window to `events`, with the columns of the archive, and returns their number. Rows that
    /// are not valid events are counted, but not sent.
    pub async fn read_back(&mut self, events: mpsc::Sender<EventBatch>) -> Result<u64> {
        let Self { connection, relation, query, layout, .. } = self;
        let statement = query.copy(&relation.name, PartitionRows::Window);
        let mut copied = connection.copy_out(&statement).await.map_err(restore_failure("read the table"))?;
        let (mut rows, mut count) = (CopyRows::new(usize::MAX), 0);
        while copied.gather(&mut rows).await.map_err(read_failure)? {
            count += flush(layout, &mut rows, &events).await?;
        }
        Ok(count + flush(layout, &mut rows, &events).await?)
    }
}

async fn flush(layout: &CopyLayout, rows: &mut CopyRows, events: &mpsc::Sender<EventBatch>) -> Result<u64> {
    let decoded = layout.decode(rows).map_err(|error| read_failure(error.into()))?;
    rows.clear();
    if let Some(batch) = decoded.batch {
        let gone = |_| Error::new(ErrorKind::Interrupted, "the comparison was dropped");
        events.send(batch).await.map_err(gone)?;
    }
    Ok(decoded.rows)
}

fn read_failure(error: CopyOutError) -> Error {
    match error {
        CopyOutError::Server(error) => restore_failure("read the table")(error),
        CopyOutError::Unreadable(error) => {
            Error::new(ErrorKind::Source, "the server's rows cannot be read").with_context("reason", error)
        }
    }
}

//! A month back into a table, and out of it again to be compared.
//!
//! All of it is one transaction, which nothing but [`Restoration::commit`] ends well: whatever goes wrong, and whatever
//! becomes of this process, the server is left as it was. Rows go through a temporary table that has the archive's types,
//! so that one statement casts them into whatever types the table has.

mod arrays;
mod failed;
mod load;
mod plan;
mod read_back;
mod table;

use super::{
    Server,
    catalogue::{Nested, Relation},
    connect::connect,
    connection::Connection,
    query::Query,
    session::Session,
};
use crate::{
    Error, ErrorKind, Result,
    retry::{Policy, retry},
};
use archive_formats::{ColumnType, Schema, Window, decode::copy::CopyLayout};
use failed::failed;
use plan::Plan;
use std::time::Duration;

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
        let nested = Nested::default();
        for column in schema.columns().iter().filter(|column| column.kind == ColumnType::Json) {
            nested.add(&relation.name, &column.name);
        }
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

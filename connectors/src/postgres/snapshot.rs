//! An exported snapshot, in which any number of connections read a window.

use super::{
    catalogue::{Columns, Nested, Relation},
    config::{Config, Table},
    connection::Connection,
    failure::{self, configuration},
    open_transactions,
    partition::{PartitionPlan, PartitionRows, Query},
    pool::Pool,
    table_lock::TableLock,
};
use crate::{Clock, Error, ErrorKind, Result, clock::check_skew};
use archive_formats::{ColumnType, Dataset, Timestamp, Window, decode::copy::CopyLayout};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use tokio_postgres::error::SqlState;

/// An exported snapshot. It lasts as long as the transaction of the connection that it holds, which also keeps the
/// table from changing its columns.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Its name for `set transaction snapshot`: digits and hyphens.
    name: String,
    /// The table, quoted.
    pub(super) table: String,
    lock: TableLock,
    pub(super) query: Query,
    pub(super) layout: Arc<CopyLayout>,
    pub(super) partitions: PartitionPlan,
    /// Rows to read by the server's count: those of the window, and those of no window.
    pub(super) rows: u64,
    /// Whether the server keeps the ids unique.
    pub(super) has_unique_ids: bool,
    pub(super) source_clock: Timestamp,
    /// For the manifest.
    pub(super) detail: Value,
    /// Its open transaction keeps the snapshot. `None` once the snapshot was released.
    holder: Mutex<Option<Connection>>,
}

/// State of the server and of the snapshot.
struct SnapshotFacts {
    name: String,
    xmin: String,
    now: SystemTime,
    standby: bool,
}

/// Takes texts as they are from a database without an encoding. The server would end the COPY at the first that is not UTF-8;
/// the decoder rejects its row alone.
const UNCHECKED_TEXT: &str = "select pg_catalog.set_config('client_encoding', 'SQL_ASCII', true) \
    where pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

impl Snapshot {
    /// Takes a snapshot for `window` of the table of `dataset`. Fails while an open transaction could still add rows to the
    /// window.
    pub(super) async fn take(
        pool: &Pool,
        clock: &dyn Clock,
        nested: &Nested,
        dataset: &Dataset,
        window: Window,
    ) -> Result<Self> {
        let config = &pool.config;
        let table = config.tables.get(dataset).cloned().unwrap_or_default();
        let holder = pool.take().await?;
        let client = holder.client();
        holder.check_version()?;
        let relation = Relation::find(client, dataset, &table).await?;
        open_transactions::refuse(client, window).await?;
        let lock = TableLock::begin(&holder, config, &relation).await?;
        let facts = facts(&holder).await?;
        let source_clock = timestamp(facts.now)?;
        check_skew(Some(source_clock), clock.now())?;
        let mut columns = relation.columns(client, &table, nested).await?;
        let org = organisation(&holder, config, &columns, &relation).await?;
        let mut query = Query::new(&columns, window, org.as_deref());
        if nested.has_any_of(&relation.name) {
            find_nested(&holder, &relation, &columns, &query, nested).await?;
            columns = relation.columns(client, &table, nested).await?;
            query = Query::new(&columns, window, org.as_deref());
        }
        let (within, strays) = count(&holder, &query, &relation).await?;
        let indexed = Columns { org: columns.org.clone().filter(|_| org.is_some()), ..columns.clone() };
        let mut partitions = PartitionPlan::plan(&holder, &relation, &indexed, window, within).await?;
        let unique_ids = relation.unique_index(holder.client(), columns.id_number).await?;
        let detail = json!({
            "table": relation.name, "server_version": holder.version().1, "standby": facts.standby,
            "snapshot": {"name": facts.name, "transactions": facts.xmin},
            "slices": partitions.detail, "org_id": config.org, "rows_without_time": strays,
            "unique_ids": unique_ids,
        });
        if strays > 0 {
            partitions.partitions.push(relation.partition(PartitionRows::WithoutTime));
        }
        let layout = CopyLayout::new(columns.schema).map_err(|error| configuration(error.to_string()))?;
        let (name, table, rows) = (facts.name, relation.name, within + strays);
        Ok(Self {
            name,
            table,
            lock,
            query,
            layout: Arc::new(layout),
            partitions,
            rows,
            has_unique_ids: unique_ids.is_some(),
            source_clock,
            detail,
            holder: Mutex::new(Some(holder)),
        })
    }

    /// Opens a session that sees what this snapshot sees.
    pub(super) async fn join(&self, pool: &Pool) -> Result<Connection> {
        let connection = pool.take().await?;
        let lock = self.lock.without_waiting(&pool.config);
        let statement = format!(
            "begin isolation level repeatable read read only; set transaction snapshot '{}'{lock}; {UNCHECKED_TEXT}",
            self.name
        );
        let begun = connection.client().batch_execute(&statement).await;
        begun.map_err(gone)?;
        Ok(connection)
    }

    /// Ends the snapshot, and keeps its session for another.
    pub(super) fn release(&self, pool: &Pool) {
        let holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(holder) = holder {
            pool.give_back(holder);
        }
    }
}

/// Looks for all columns with arrays of several dimensions once one was found: each would otherwise cost one of the few tries
/// of the window.
async fn find_nested(
    holder: &Connection,
    relation: &Relation,
    columns: &Columns,
    query: &Query,
    nested: &Nested,
) -> Result<()> {
    let lists = columns.schema.columns().iter().zip(&columns.expressions);
    let lists = lists.filter(|(column, _)| matches!(column.kind, ColumnType::List(_))).collect::<Vec<_>>();
    if lists.is_empty() {
        return Ok(());
    }
    let statement = query.nested(&relation.name, lists.iter().map(|(_, expression)| expression.as_str()));
    let row = holder.client().query_one(&statement, &[]).await;
    let found = row.map_err(|error| failure::lost("inspect the arrays", error))?.get::<_, Vec<Option<bool>>>(0);
    for ((column, _), _) in lists.iter().zip(found).filter(|(_, is_nested)| *is_nested == Some(true)) {
        nested.add(&relation.name, &column.name);
    }
    Ok(())
}

/// Server versions report a missing snapshot by different codes, as an invalid or an undefined object.
pub(super) fn gone(error: tokio_postgres::Error) -> Error {
    match error.code().map(SqlState::code) {
        Some("22023" | "42704") => Error::new(ErrorKind::SnapshotLost, "the snapshot is gone before it was joined"),
        _ => failure::lost("join the snapshot", error),
    }
}

/// The columns that a run would read. Fails where a run would not be allowed to.
pub(super) async fn may_read(
    connection: &Connection,
    config: &Config,
    relation: &Relation,
    table: &Table,
) -> Result<Columns> {
    let looked = async {
        TableLock::begin(connection, config, relation).await?;
        let columns = relation.columns(connection.client(), table, &Nested::default()).await?;
        organisation(connection, config, &columns, relation).await?;
        Ok(columns)
    };
    let looked = looked.await;
    let ended = connection.client().batch_execute("rollback").await;
    ended.map_err(|error| failure::lost("end the transaction", error)).and(looked)
}

async fn facts(holder: &Connection) -> Result<SnapshotFacts> {
    let query = "select pg_catalog.pg_export_snapshot(), pg_catalog.txid_current_snapshot()::text, \
                 pg_catalog.clock_timestamp(), pg_catalog.pg_is_in_recovery()";
    let row = holder.client().query_one(query, &[]).await;
    let row = row.map_err(|error| failure::lost("export a snapshot", error))?;
    Ok(SnapshotFacts { name: row.get(0), xmin: row.get(1), now: row.get(2), standby: row.get(3) })
}

/// The organisation as a literal, quoted by the server.
async fn organisation(
    holder: &Connection,
    config: &Config,
    columns: &Columns,
    relation: &Relation,
) -> Result<Option<String>> {
    let Some(org) = &config.org else { return Ok(None) };
    let Some((column, _)) = &columns.org else {
        let error = configuration("the table has no column org_id to compare").with_context("table", &relation.name);
        return Err(error.with_hint("leave --where-org out, or read a view that has the column"));
    };
    if !columns.org_has_own_equality {
        let error = configuration("org_id is of an extension's type, whose comparison is not known");
        return Err(error
            .with_context("table", &relation.name)
            .with_hint("leave --where-org out, or read a view that casts the column to text"));
    }
    let row = holder.client().query_one("select pg_catalog.quote_literal($1::text)", &[org]).await;
    let literal = row.map_err(|error| failure::lost("quote the organisation", error))?.get::<_, String>(0);
    let comparison = format!("select {column} = {literal} from {} limit 0", relation.name);
    let compared = holder.client().batch_execute(&comparison).await;
    match compared.map_err(|error| failure::lost("compare the organisation", error)) {
        Ok(()) => Ok(Some(literal)),
        // The comparison itself is not at fault.
        Err(error) if error.kind() != ErrorKind::Source => Err(error),
        Err(error) => Err(configuration("org_id cannot be compared with the value of --where-org")
            .with_context("table", &relation.name)
            .with_source(error)
            .with_hint("give the organisation as a value of the column's type")),
    }
}

/// The numbers of rows in the window, and in no window.
async fn count(holder: &Connection, query: &Query, relation: &Relation) -> Result<(u64, u64)> {
    let row = holder.client().query_one(&query.count(&relation.name), &[]).await;
    let row = row.map_err(|error| failure::lost("count the rows", error).with_context("table", &relation.name))?;
    let count = |column| row.get::<_, i64>(column).unsigned_abs();
    Ok((count(0), count(1)))
}

pub(super) fn timestamp(time: SystemTime) -> Result<Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let micros = since.and_then(|since| i64::try_from(since.as_micros()).ok());
    micros
        .map(Timestamp::from_micros)
        .ok_or_else(|| Error::new(ErrorKind::TryLater, "the server's clock is before 1970"))
}

//! How a window is cut into pieces that several connections read at the same time.
//!
//! By time where an index finds a range of it; else by the physical pages of the table, of which PostgreSQL 14 and
//! later read a range without looking at the others. The pieces are small, so that few rows wait for their turn: what
//! is read comes out in the order of the slices, whoever reads them.

use super::{
    catalogue::{Columns, Kind, Relation},
    connection::Connection,
    failure,
};
use crate::Result;
use archive_formats::{Timestamp, Window};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// A piece of what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyPartition {
    /// The table, or one of its partitions; quoted.
    pub(super) table: String,
    pub(super) rows: PartitionRows,
}

/// Which rows of its table a slice has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartitionRows {
    /// All of the window.
    Window,
    /// Those of a part of the window.
    TimePartition(Window),
    /// Those of the window that lie in these pages, the last not included. The first and the last slice are open: the
    /// table may have grown since its size was asked for.
    CtidPartition { from: Option<u64>, to: Option<u64> },
    /// Those that lie in no window.
    WithoutTime,
}

/// The slices of a window, and how they were made.
#[derive(Clone, Debug)]
pub(super) struct PartitionPlan {
    pub(super) partitions: Vec<CopyPartition>,
    /// For the manifest.
    pub(super) by: Value,
}

/// Bytes of a table that a slice reads: no more than may wait for its turn, or its reader would wait as well.
const PARTITION_BYTES: u64 = 6 << 20;

/// Bytes of a table that a slice by pages looks through. Most of them may belong to other months.
const CTID_PARTITION_BYTES: u64 = 64 << 20;

/// Most slices of a table; larger ones are read as they are.
const MAX_PARTITIONS: u64 = 4_096;

/// The first version that reads a range of pages without looking at the others.
const CTID_RANGE_SINCE: u32 = 140_000;

impl PartitionPlan {
    /// Cuts `window`, of which the server counted `rows`.
    pub(super) async fn plan(
        holder: &Connection,
        relation: &Relation,
        columns: &Columns,
        window: Window,
        rows: u64,
    ) -> Result<Self> {
        let (client, (version, _)) = (holder.client(), holder.version());
        let org = columns.org.as_ref().map(|(_, number)| *number);
        if let Some(index) = index(client, relation, columns.time_number, org).await? {
            let bytes = row_bytes(client, relation).await?.saturating_mul(rows);
            let count = bytes.div_ceil(PARTITION_BYTES).clamp(1, MAX_PARTITIONS);
            let partitions = times(window, count)
                .map(|window| relation.partition(PartitionRows::TimePartition(window)))
                .collect::<Vec<_>>();
            return Ok(Self { by: json!({"by": "time", "index": index, "count": partitions.len()}), partitions });
        }
        let partitions = match relation.kind {
            Kind::Table | Kind::Materialized if version >= CTID_RANGE_SINCE => {
                ctid_partitions(client, relation.oid, &relation.name).await?
            }
            Kind::Partitioned if version >= CTID_RANGE_SINCE => leaf_partitions(client, relation).await?,
            _ => Vec::new(),
        };
        if partitions.is_empty() {
            return Ok(Self {
                by: json!({"by": "whole", "count": 1}),
                partitions: vec![relation.partition(PartitionRows::Window)],
            });
        }
        Ok(Self { by: json!({"by": "ctid", "count": partitions.len()}), partitions })
    }
}

impl Relation {
    pub(super) fn partition(&self, rows: PartitionRows) -> CopyPartition {
        CopyPartition { table: self.name.clone(), rows }
    }
}

/// `count` parts of `window`, which may be of no length where a window has fewer microseconds.
fn times(window: Window, count: u64) -> impl Iterator<Item = Window> {
    let (from, to) = (window.from().as_micros(), window.to().as_micros());
    let edge = move |number: u64| {
        let part = i128::from(to - from) * i128::from(number) / i128::from(count.max(1));
        Timestamp::from_micros(from + i64::try_from(part).unwrap_or_default())
    };
    (0..count).filter_map(move |number| Window::new(edge(number), edge(number + 1)).ok())
}

/// The name of an index that finds a range of times: whole, valid, sorted, and with the time first, or second behind an
/// organisation that is given.
async fn index(client: &Client, relation: &Relation, time: i16, org: Option<i16>) -> Result<Option<String>> {
    let query = "select c.relname::text from pg_catalog.pg_index i \
                 join pg_catalog.pg_class c on c.oid = i.indexrelid \
                 join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree' \
                 where i.indrelid = $1 and i.indisvalid and i.indpred is null \
                   and (i.indkey[0] = $2 or i.indkey[0] = $3 and i.indkey[1] = $2) \
                 order by i.indkey[0] = $2, c.relname";
    let rows = client.query(query, &[&relation.oid, &time, &org]).await;
    let rows = rows.map_err(|error| failure::lost("look for an index", error))?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// How many bytes a row takes on disk, as far as the catalogue knows: an estimate that decides nothing but the size of
/// slices.
async fn row_bytes(client: &Client, relation: &Relation) -> Result<u64> {
    const GUESS: u64 = 512;
    let query = "select sum(pg_catalog.pg_table_size(c.oid))::int8, sum(greatest(c.reltuples, 0))::float8 \
                 from pg_catalog.pg_class c where c.oid = $1 or c.oid in (select relid from pg_catalog.pg_partition_tree($1::oid))";
    let row = client.query_one(query, &[&relation.oid]).await;
    let row = row.map_err(|error| failure::lost("ask for the size of the table", error))?;
    let (bytes, rows) = (row.get::<_, Option<i64>>(0).unwrap_or(0), row.get::<_, Option<f64>>(1).unwrap_or(0.0));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    let each = if rows >= 1.0 { (bytes as f64 / rows) as u64 } else { GUESS };
    Ok(each.clamp(64, PARTITION_BYTES))
}

/// PartitionPlan of the pages of one table.
async fn ctid_partitions(client: &Client, oid: u32, name: &str) -> Result<Vec<CopyPartition>> {
    let query = "select pg_catalog.pg_relation_size($1::oid)::int8, pg_catalog.current_setting('block_size')::int8";
    let row = client.query_one(query, &[&oid]).await;
    let row = row.map_err(|error| failure::lost("ask for the size of the table", error))?;
    let (bytes, page) = (row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs().max(1));
    let count = bytes.div_ceil(CTID_PARTITION_BYTES).clamp(1, MAX_PARTITIONS);
    let step = (bytes / page).div_ceil(count).max(1);
    let partition = |number| {
        let from = (number > 0).then(|| number * step);
        let to = (number + 1 < count).then(|| (number + 1) * step);
        CopyPartition { table: name.to_owned(), rows: PartitionRows::CtidPartition { from, to } }
    };
    Ok((0..count).map(partition).collect())
}

/// PartitionPlan of every partition, one partition after the other. A partition that has no pages, since its rows are on
/// another server, is read as a whole. None where the role may read the table, but not a partition by itself.
async fn leaf_partitions(client: &Client, relation: &Relation) -> Result<Vec<CopyPartition>> {
    let query = "select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text, \
                   pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_schema_privilege(n.oid, 'usage') \
                   and not pg_catalog.row_security_active(c.oid) \
                 from pg_catalog.pg_partition_tree($1::oid) p join pg_catalog.pg_class c on c.oid = p.relid \
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                 where p.isleaf and c.relkind <> 'p' order by 2";
    let rows = client.query(query, &[&relation.oid]).await;
    let rows = rows.map_err(|error| failure::lost("list the partitions", error))?;
    let mut partitions = Vec::new();
    if !rows.iter().all(|row| row.get(3)) {
        return Ok(partitions);
    }
    for row in rows {
        let (oid, name): (u32, String) = (row.get(0), row.get(1));
        match row.get(2) {
            "r" => partitions.extend(ctid_partitions(client, oid, &name).await?),
            _ => partitions.push(CopyPartition { table: name, rows: PartitionRows::Window }),
        }
    }
    Ok(partitions)
}

/// What is asked of a table for one window.
#[derive(Clone, Debug)]
pub(super) struct Query {
    expressions: String,
    time: String,
    has_zone: bool,
    window: Window,
    /// `org_id = '…'`, if only one organisation is wanted.
    org: Option<String>,
}

impl Query {
    /// What `columns` asks for in `window`; `org` is the quoted name of the organisation.
    pub(super) fn new(columns: &Columns, window: Window, org: Option<&str>) -> Self {
        let org = columns.org.as_ref().zip(org).map(|((column, _), value)| format!("{column} = {value}"));
        Self {
            expressions: columns.expressions.join(", "),
            time: columns.time.clone(),
            has_zone: columns.time_has_zone,
            window,
            org,
        }
    }

    /// The server's own counts: rows of the window, and rows that no window can return.
    pub(super) fn count(&self, table: &str) -> String {
        let count = |predicate: String| format!("(select count(*) from {table} where {predicate})");
        format!("select {}, {}", count(self.within(self.window)), count(self.without_time()))
    }

    /// Of each of the `arrays`, whether the window has one of several dimensions.
    pub(super) fn nested<'a>(&self, table: &str, arrays: impl Iterator<Item = &'a str>) -> String {
        let looks = arrays.map(|array| format!("bool_or(pg_catalog.array_ndims({array}) > 1)")).collect::<Vec<_>>();
        format!("select array[{}]::bool[] from {table} where {}", looks.join(", "), self.within(self.window))
    }

    /// The rows of `range`, out of the table or the partition that it names.
    pub(super) fn copy(&self, table: &str, rows: PartitionRows) -> String {
        let predicate = match rows {
            PartitionRows::Window => self.within(self.window),
            PartitionRows::TimePartition(window) => self.within(window),
            PartitionRows::CtidPartition { from, to } => {
                let from = from.map(|page| format!(" and ctid >= '({page},0)'"));
                let to = to.map(|page| format!(" and ctid < '({page},0)'"));
                [self.within(self.window), from.unwrap_or_default(), to.unwrap_or_default()].concat()
            }
            PartitionRows::WithoutTime => self.without_time(),
        };
        format!("copy (select {} from {table} where {predicate}) to stdout (format binary)", self.expressions)
    }

    fn within(&self, window: Window) -> String {
        let Self { time, .. } = self;
        let predicate = format!("{time} >= {} and {time} < {}", self.instant(window.from()), self.instant(window.to()));
        self.of_org(predicate)
    }

    /// Rows whose time is missing or infinite.
    fn without_time(&self) -> String {
        let Self { time, .. } = self;
        self.of_org(format!("({time} is null or {time} = 'infinity' or {time} = '-infinity')"))
    }

    fn of_org(&self, predicate: String) -> String {
        match &self.org {
            None => predicate,
            Some(org) => format!("{predicate} and {org}"),
        }
    }

    fn instant(&self, time: Timestamp) -> String {
        let text = time.to_string();
        if self.has_zone {
            format!("timestamptz '{text}'")
        } else {
            format!("timestamp '{}'", text.trim_end_matches('Z'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::Month;

    #[test]
    fn parts_of_a_window_follow_each_other_and_cover_it() {
        let window = "2025-02".parse::<Month>().unwrap().window();
        for count in [1, 2, 7, 4_096] {
            let parts = times(window, count).collect::<Vec<_>>();
            assert_eq!(parts.len() as u64, count);
            assert_eq!((parts[0].from(), parts[parts.len() - 1].to()), (window.from(), window.to()));
            assert!(parts.windows(2).all(|pair| pair[0].to() == pair[1].from()));
        }
    }
}

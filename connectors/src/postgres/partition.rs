//! Partitions of a window's rows, which several connections copy in parallel, and the statements that copy them.
//!
//! Rows are partitioned by time where an index serves a range of times, and otherwise by `ctid`: PostgreSQL 14 and later scan
//! a range of pages alone. Partitions are small, since their rows are buffered until their turn comes.
//!
//! COPY takes no parameters: identifiers and values in its statements were quoted by the server, and times are digits.

use super::{
    catalogue::{Columns, Relation, RelationKind},
    connection::Connection,
    failure,
};
use crate::Result;
use archive_formats::{Timestamp, Window};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// The rows of one COPY statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyPartition {
    /// The table, or one of its leaf tables, quoted.
    pub(super) table: String,
    pub(super) rows: PartitionRows,
}

/// The rows of a table that a partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartitionRows {
    /// All rows of the window.
    Window,
    /// The rows of a part of the window.
    TimePartition(Window),
    /// The rows of the window in a half-open range of pages. The first and the last range have no bound, since the table may
    /// have grown after its size was read.
    CtidPartition { from: Option<u64>, to: Option<u64> },
    /// Rows whose time is missing or infinite, which belong to no window.
    WithoutTime,
}

/// How a window is partitioned.
#[derive(Clone, Debug)]
pub(super) struct PartitionPlan {
    pub(super) partitions: Vec<CopyPartition>,
    /// For the manifest.
    pub(super) detail: Value,
}

/// Bytes that a partition reads: no more than may be buffered, or its connection would wait for its turn.
const PARTITION_BYTES: u64 = 6 << 20;

/// Bytes that a partition by `ctid` scans. Most of them may belong to other months.
const CTID_PARTITION_BYTES: u64 = 64 << 20;

/// Partitions per table; larger tables have larger partitions.
const MAX_PARTITIONS: u64 = 4_096;

/// The first version with TID range scans.
const CTID_RANGE_SINCE: u32 = 140_000;

impl PartitionPlan {
    /// Partitions `window`, of which the server counted `rows`.
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
            return Ok(Self { detail: json!({"by": "time", "index": index, "count": partitions.len()}), partitions });
        }
        let partitions = match relation.kind {
            RelationKind::Table | RelationKind::Materialized
                if version >= CTID_RANGE_SINCE && may_read_whole(client, relation).await? =>
            {
                ctid_partitions(client, relation.oid, &relation.name).await?
            }
            RelationKind::Partitioned if version >= CTID_RANGE_SINCE => leaf_partitions(client, relation).await?,
            _ => Vec::new(),
        };
        if partitions.is_empty() {
            return Ok(Self {
                detail: json!({"by": "whole", "count": 1}),
                partitions: vec![relation.partition(PartitionRows::Window)],
            });
        }
        Ok(Self { detail: json!({"by": "ctid", "count": partitions.len()}), partitions })
    }
}

impl Relation {
    pub(super) fn partition(&self, rows: PartitionRows) -> CopyPartition {
        CopyPartition { table: self.name.clone(), rows }
    }
}

/// Divides `window` into `count` parts, some of them empty if it has fewer microseconds.
fn times(window: Window, count: u64) -> impl Iterator<Item = Window> {
    let (from, to) = (window.from().as_micros(), window.to().as_micros());
    let edge = move |number: u64| {
        let part = i128::from(to - from) * i128::from(number) / i128::from(count.max(1));
        #[expect(clippy::expect_used, reason = "a part of the window is no longer than the window, an `i64`")]
        let part = i64::try_from(part).expect("a part is no longer than its window");
        Timestamp::from_micros(from + part)
    };
    (0..count).filter_map(move |number| Window::new(edge(number), edge(number + 1)).ok())
}

/// The name of a valid B-tree index over all rows that serves a range of times: the time is its first column, or the second
/// after the organisation, if one is given.
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

/// Estimates the bytes of a row on disk from the catalogue, to size partitions.
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

/// Partitions one table by `ctid`.
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

/// Whether the role may read every column, without which it may not read `ctid`.
async fn may_read_whole(client: &Client, relation: &Relation) -> Result<bool> {
    let query = "select pg_catalog.has_table_privilege($1::oid, 'select')";
    let row = client.query_one(query, &[&relation.oid]).await;
    Ok(row.map_err(|error| failure::lost("ask for the rights on the table", error))?.get(0))
}

/// Partitions every leaf table of a partitioned table, one after the other; foreign tables have no pages and are read whole.
/// Empty if the role may read the table, but not each leaf table by itself.
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

/// The statements of one window.
#[derive(Clone, Debug)]
pub(super) struct Query {
    expressions: String,
    time: String,
    has_zone: bool,
    window: Window,
    /// `org_id = '…'`, if rows are limited to one organisation.
    org: Option<String>,
}

impl Query {
    /// Statements for `columns` in `window`; `org` is the organisation as a quoted literal.
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

    /// Counts the rows of the window, and the rows that belong to no window.
    pub(super) fn count(&self, table: &str) -> String {
        let count = |predicate: String| format!("(select count(*) from {table} where {predicate})");
        format!("select {}, {}", count(self.within(self.window)), count(self.without_time()))
    }

    /// Selects for each of the `arrays` whether the window has a value of several dimensions.
    pub(super) fn nested<'a>(&self, table: &str, arrays: impl Iterator<Item = &'a str>) -> String {
        let checks = arrays.map(|array| format!("bool_or(pg_catalog.array_ndims({array}) > 1)")).collect::<Vec<_>>();
        format!("select array[{}]::bool[] from {table} where {}", checks.join(", "), self.within(self.window))
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
        self.and_org(predicate)
    }

    /// Rows whose time is missing or infinite.
    fn without_time(&self) -> String {
        let Self { time, .. } = self;
        self.and_org(format!("({time} is null or {time} = 'infinity' or {time} = '-infinity')"))
    }

    fn and_org(&self, predicate: String) -> String {
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
    fn time_partitions_are_adjacent_and_cover_the_window() {
        let window = "2025-02".parse::<Month>().unwrap().window();
        for count in [1, 2, 7, 4_096] {
            let parts = times(window, count).collect::<Vec<_>>();
            assert_eq!(parts.len() as u64, count);
            assert_eq!((parts[0].from(), parts[parts.len() - 1].to()), (window.from(), window.to()));
            assert!(parts.windows(2).all(|pair| pair[0].to() == pair[1].from()));
        }
    }
}

//! Where the events are: the table, its columns, and what tells its rows apart in time.

use super::{
    config::Table,
    failure,
    types::{ColumnMapping, Form, ServerType},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{Column, ColumnType, Dataset, Schema, catalogue};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use tokio_postgres::{Client, Row, error::SqlState};

/// A table, before it is locked.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) oid: u32,
    /// `schema.table`, each quoted where SQL needs it.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What `pg_class.relkind` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Partitioned,
    View,
    Materialized,
    Foreign,
}

/// The columns of a table that are archived.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) schema: Schema,
    /// What is selected, in the order of the schema.
    pub(super) expressions: Vec<String>,
    /// What that makes of their values.
    pub(super) forms: Vec<Form>,
    /// The time column, quoted.
    pub(super) time: String,
    /// Its number in the table.
    pub(super) time_number: i16,
    /// Whether it is a timestamp with time zone.
    pub(super) time_has_zone: bool,
    /// The column of organisations, quoted, and its number.
    pub(super) org: Option<(String, i16)>,
}

/// The columns that were found to have arrays of several dimensions, each with its table.
#[derive(Debug, Default)]
pub(super) struct Nested(Mutex<HashSet<(String, String)>>);

impl Nested {
    pub(super) fn add(&self, table: &str, column: &str) {
        let mut columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.insert((table.to_owned(), column.to_owned()));
    }

    /// Whether any column of `table` was found to.
    pub(super) fn has_any_of(&self, table: &str) -> bool {
        let columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.iter().any(|(known, _)| known == table)
    }

    fn has(&self, table: &str, column: &str) -> bool {
        let columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.contains(&(table.to_owned(), column.to_owned()))
    }
}

/// The column that `--where-org` compares.
const ORG: &str = "org_id";

/// Most names that a hint lists.
const NAMED: usize = 10;

impl Relation {
    /// Finds the table of `dataset`. Names are read by the server, so that they mean what they mean in SQL.
    pub(super) async fn find(client: &Client, dataset: &Dataset, table: &Table) -> Result<Self> {
        let name = table.name.clone().unwrap_or_else(|| preset(dataset));
        let query = "select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text \
                     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                     where c.oid = pg_catalog.to_regclass($1)";
        let rows = match client.query(query, &[&name]).await {
            Ok(rows) => rows,
            Err(error) if is_no_name(&error) => return Err(no_table(client, &name).await),
            Err(error) => return Err(failure::lost("find the table", error)),
        };
        let found = rows.first().and_then(|row| {
            let (oid, name, kind) = (row.get(0), row.get(1), Kind::of(row.get(2))?);
            Some(Self { oid, name, kind })
        });
        match found {
            Some(relation) => Ok(relation),
            None => Err(no_table(client, &name).await),
        }
    }

    /// The columns that `table` asks for, of which those that are `nested` were found to have arrays of several
    /// dimensions: the server declares them like any array. The relation must be locked, or it may change meanwhile.
    pub(super) async fn columns(&self, client: &Client, table: &Table, nested: &Nested) -> Result<Columns> {
        let rows = client.query(COLUMNS, &[&self.oid]).await;
        let rows = rows.map_err(|error| failure::lost("read the catalogue", error))?;
        let mut all = rows.iter().map(CatalogueColumn::read).collect::<Vec<_>>();
        for found in all.iter_mut().filter(|found| nested.has(&self.name, &found.name)) {
            if matches!(found.mapping.kind, ColumnType::List(_)) {
                found.mapping = ColumnMapping::NESTED;
            }
        }
        let names = all.iter().map(|found| found.name.as_str()).collect::<Vec<_>>();
        let (id, time) = catalogue::find_keys(&names, &table.keys).map_err(|error| {
            let hint = format!("name it with --id-column or --time-column; candidates: {}", candidates(&all));
            configuration(error.to_string()).with_context("table", &self.name).with_hint(hint)
        })?;
        let wanted = WantedColumns { id, time, names: table.columns.as_deref() };
        wanted.check(self, &all)?;
        let kept = all.iter().filter(|found| wanted.keeps(&found.name)).collect::<Vec<_>>();
        let columns = kept.iter().map(|found| found.column(&wanted)).collect();
        let schema = Schema::new(columns, id, time).map_err(|error| configuration(error.to_string()))?;
        let expressions = kept.iter().map(|found| found.mapping.form.expression(&found.quoted)).collect();
        let key = all.iter().find(|found| found.name == time);
        let key = key.ok_or_else(|| Error::new(ErrorKind::Internal, "the time column vanished"))?;
        Ok(Columns {
            schema,
            expressions,
            forms: kept.iter().map(|found| found.mapping.form).collect(),
            time: key.quoted.clone(),
            time_number: key.number,
            time_has_zone: key.mapping.kind == ColumnType::TimestampUtc,
            org: all.iter().find(|found| found.name == ORG).map(|found| (found.quoted.clone(), found.number)),
        })
    }
}

impl Kind {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "r" => Self::Table,
            "p" => Self::Partitioned,
            "v" => Self::View,
            "m" => Self::Materialized,
            "f" => Self::Foreign,
            _ => return None,
        })
    }
}

/// The table of a dataset that has none of its own in the settings: the platform calls the audit log `audit_log`.
fn preset(dataset: &Dataset) -> String {
    format!("\"{}\"", dataset.as_str().replace('-', "_"))
}

/// Every column, with the domains around its type and around the type of its elements taken off.
const COLUMNS: &str = "\
with recursive types(number, oid, modifier, dimensions) as (
  select a.attnum, a.atttypid, a.atttypmod, a.attndims::int4
    from pg_catalog.pg_attribute a where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
  union all
  select d.number, t.typbasetype, case when t.typtypmod = -1 then d.modifier else t.typtypmod end,
         greatest(d.dimensions, t.typndims)
    from types d join pg_catalog.pg_type t on t.oid = d.oid where t.typtype = 'd'
), elements(number, oid, modifier) as (
  select b.number, t.typelem, b.modifier
    from types b join pg_catalog.pg_type t on t.oid = b.oid
   where t.typcategory = 'A' and t.typtype <> 'd' and t.typelem <> 0 and t.typlen = -1
  union all
  select e.number, t.typbasetype, case when t.typtypmod = -1 then e.modifier else t.typtypmod end
    from elements e join pg_catalog.pg_type t on t.oid = e.oid where t.typtype = 'd'
)
select a.attname::text, pg_catalog.quote_ident(a.attname), a.attnum, a.attnotnull,
       pg_catalog.format_type(a.atttypid, a.atttypmod), b.oid, coalesce(e.modifier, b.modifier), b.dimensions, e.oid
  from pg_catalog.pg_attribute a
  join types b on b.number = a.attnum
  join pg_catalog.pg_type bt on bt.oid = b.oid and bt.typtype <> 'd'
  left join (elements e join pg_catalog.pg_type et on et.oid = e.oid and et.typtype <> 'd') on e.number = a.attnum
 where a.attrelid = $1
 order by a.attnum";

/// A column of the catalogue.
struct CatalogueColumn {
    name: String,
    quoted: String,
    number: i16,
    not_null: bool,
    source_type: String,
    mapping: ColumnMapping,
}

impl CatalogueColumn {
    fn read(row: &Row) -> Self {
        let server = ServerType { oid: row.get(5), modifier: row.get(6), dimensions: row.get(7), element: row.get(8) };
        Self {
            name: row.get(0),
            quoted: row.get(1),
            number: row.get(2),
            not_null: row.get(3),
            source_type: row.get(4),
            mapping: server.mapping(),
        }
    }

    fn column(&self, wanted: &WantedColumns<'_>) -> Column {
        Column {
            name: self.name.clone(),
            kind: self.mapping.kind.clone(),
            source_type: Some(self.source_type.clone()),
            nullable: !self.not_null && self.name != wanted.id && self.name != wanted.time,
        }
    }

    fn can_be_an_id(&self) -> bool {
        use ColumnType::{Int16, Int32, Int64, Text, Uuid};
        self.mapping.form == Form::Own && matches!(self.mapping.kind, Int16 | Int32 | Int64 | Text | Uuid)
    }

    fn can_be_a_time(&self) -> bool {
        matches!(self.mapping.kind, ColumnType::Timestamp | ColumnType::TimestampUtc)
    }
}

struct WantedColumns<'a> {
    id: &'a str,
    time: &'a str,
    names: Option<&'a [String]>,
}

impl WantedColumns<'_> {
    fn keeps(&self, name: &str) -> bool {
        name == self.id || name == self.time || self.names.is_none_or(|names| names.iter().any(|kept| kept == name))
    }

    fn check(&self, relation: &Relation, all: &[CatalogueColumn]) -> Result<()> {
        let refused = |message: String| configuration(message).with_context("table", &relation.name);
        let missing = self.names.into_iter().flatten().find(|name| !all.iter().any(|found| &found.name == *name));
        if let Some(missing) = missing {
            let found = named(all.iter().map(|found| found.name.as_str()));
            return Err(refused(format!("the table has no column {missing:?}")).with_hint(format!("it has {found}")));
        }
        let find = |name: &str| all.iter().find(|found| found.name == name);
        if let Some(id) = find(self.id).filter(|found| !found.can_be_an_id()) {
            let message = format!("column {:?} is of type {}, which no id is", id.name, id.source_type);
            let hint = format!("name a uuid, text or integer column with --id-column; candidates: {}", candidates(all));
            return Err(refused(message).with_hint(hint));
        }
        if let Some(time) = find(self.time).filter(|found| !found.can_be_a_time()) {
            let message = format!("column {:?} is of type {}, which is no instant", time.name, time.source_type);
            let hint = format!("name a timestamp column with --time-column; candidates: {}", candidates(all));
            return Err(refused(message).with_hint(hint));
        }
        Ok(())
    }
}

fn candidates(all: &[CatalogueColumn]) -> String {
    let of = |fits: fn(&CatalogueColumn) -> bool| {
        named(all.iter().filter(|found| fits(found)).map(|found| found.name.as_str()))
    };
    format!("{} (id); {} (time)", of(CatalogueColumn::can_be_an_id), of(CatalogueColumn::can_be_a_time))
}

/// Whether the server could not read the name of a table: it is none, has too many parts, or is in another database.
fn is_no_name(error: &tokio_postgres::Error) -> bool {
    let codes = [SqlState::INVALID_NAME, SqlState::SYNTAX_ERROR, SqlState::FEATURE_NOT_SUPPORTED];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Says which tables there are that could be meant.
async fn no_table(client: &Client, name: &str) -> Error {
    let query = "select pg_catalog.format('%I.%I', n.nspname, c.relname) \
                 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' \
                   and n.nspname !~ '^pg_' and not c.relispartition \
                 order by (select count(*) from pg_catalog.pg_attribute a where a.attrelid = c.oid \
                   and a.atttypid in (1114, 1184) and not a.attisdropped) = 0, 1 limit 50";
    let error = configuration("there is no such table, or it is in a schema that is not searched");
    let error = error.with_context("table", name.trim_matches('"'));
    let tables = match client.query(query, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(),
        Err(error) => return failure::lost("list the tables", error),
    };
    error.with_hint(if tables.is_empty() {
        "the database has no tables that this role can see: is it the right one?".to_owned()
    } else {
        format!("name it with --table schema.name; there are {}", named(tables.iter().map(String::as_str)))
    })
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = names.collect::<Vec<_>>();
    match names.len() {
        0 => "none".to_owned(),
        count if count > NAMED => format!("{} and {} more", names[..NAMED].join(", "), count - NAMED),
        _ => names.join(", "),
    }
}

pub(super) fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

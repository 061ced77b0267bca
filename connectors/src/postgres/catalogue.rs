//! Tables and their columns, from the system catalogue.

use super::{
    config::Table,
    connection::with_role_search_path,
    failure::{self, configuration},
    types::{ColumnMapping, Form, ServerType},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{Column, ColumnType, Dataset, Schema, catalogue};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};
use tokio_postgres::{Client, Row, error::SqlState, types::ToSql};

/// A table, before it is locked.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) oid: u32,
    /// `schema.table`, each quoted where SQL needs it.
    pub(super) name: String,
    pub(super) kind: RelationKind,
}

/// `pg_class.relkind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelationKind {
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
    /// The expressions to select, in the order of the schema.
    pub(super) expressions: Vec<String>,
    /// The forms in which they select values.
    pub(super) forms: Vec<Form>,
    /// The number of the id column in the table.
    pub(super) id_number: i16,
    /// The time column, quoted.
    pub(super) time: String,
    /// Its number in the table.
    pub(super) time_number: i16,
    /// Whether it is a timestamp with time zone.
    pub(super) time_has_zone: bool,
    /// The column of organisations, quoted, and its number.
    pub(super) org: Option<(String, i16)>,
    /// Whether the server itself compares organisations.
    pub(super) org_has_own_equality: bool,
}

/// Tables and columns in which arrays of several dimensions were found.
#[derive(Debug, Default)]
pub(super) struct Nested(Mutex<HashSet<(String, String)>>);

impl Nested {
    pub(super) fn add(&self, table: &str, column: &str) {
        let mut columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.insert((table.to_owned(), column.to_owned()));
    }

    /// Whether `table` has such a column.
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

/// Names that a hint lists at most.
const LISTED_NAMES: usize = 10;

impl Relation {
    /// Finds the table of `dataset`. The server parses its name, so that it follows the rules of SQL.
    pub(super) async fn find(client: &Client, dataset: &Dataset, table: &Table) -> Result<Self> {
        let name = table.name.clone().unwrap_or_else(|| default_table(dataset));
        let parameters: [&(dyn ToSql + Sync); 1] = [&name];
        let named = client.query_one("select pg_catalog.to_regclass($1)::pg_catalog.oid", &parameters);
        let oid = match with_role_search_path(client, named).await? {
            Ok(row) => row.get::<_, Option<u32>>(0),
            Err(error) if is_invalid_name(&error) => return Err(missing_table(client, &name).await),
            Err(error) => return Err(failure::lost("find the table", error)),
        };
        let query = "select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text \
                     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                     where c.oid = $1";
        let rows = client.query(query, &[&oid]).await.map_err(|error| failure::lost("find the table", error))?;
        let found = rows.first().and_then(|row| {
            let (oid, name, kind) = (row.get(0), row.get(1), RelationKind::parse(row.get(2))?);
            Some(Self { oid, name, kind })
        });
        match found {
            Some(relation) => Ok(relation),
            None => Err(missing_table(client, &name).await),
        }
    }

    /// The name of an index by which no two rows of a snapshot share a value of the column with this number. The client must
    /// be in the snapshot.
    pub(super) async fn unique_index(&self, client: &Client, column: i16) -> Result<Option<String>> {
        let row = client.query_opt(UNIQUE, &[&self.oid, &column]).await;
        let row = row.map_err(|error| failure::lost("look for a unique index", error))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// The columns of `table`. Those in `nested` have arrays of several dimensions, which their declaration does not show. The
    /// relation must be locked, or it may change meanwhile.
    pub(super) async fn columns(&self, client: &Client, table: &Table, nested: &Nested) -> Result<Columns> {
        let lost = |error| failure::lost("read the catalogue", error);
        let rows = client.query(COLUMNS, &[&self.oid]).await.map_err(lost)?;
        let parameters: [&(dyn ToSql + Sync); 1] = [&self.oid];
        let types = with_role_search_path(client, client.query(TYPES, &parameters)).await?.map_err(lost)?;
        let types = types.iter().map(|row| (row.get(0), row.get(1))).collect::<HashMap<i16, String>>();
        let mut all = rows.iter().map(|row| CatalogueColumn::read(row, &types)).collect::<Vec<_>>();
        for found in all.iter_mut().filter(|found| nested.has(&self.name, &found.name)) {
            if matches!(found.mapping.kind, ColumnType::List(_)) {
                found.mapping = found.server.nested();
            }
        }
        let names = all.iter().map(|found| found.name.as_str()).collect::<Vec<_>>();
        let (id, time) = catalogue::find_keys(&names, &table.keys).map_err(|error| {
            let hint = format!("name it with --id-column or --time-column; candidates: {}", candidates(&all));
            configuration(error.to_string()).with_context("table", &self.name).with_hint(hint)
        })?;
        let wanted = WantedColumns { id, time, names: table.columns.as_deref() };
        wanted.check(self, &all)?;
        let has = |name: &String| all.iter().any(|found| found.name == *name);
        let archived = table.archived.as_deref().filter(|archived| archived.iter().all(has));
        let is_archived = |name: &str| WantedColumns { names: archived, ..wanted }.keeps(name);
        let kept = all.iter().filter(|found| wanted.keeps(&found.name) && is_archived(&found.name)).collect::<Vec<_>>();
        let columns = kept.iter().map(|found| found.column(&wanted)).collect();
        let schema = Schema::new(columns, id, time).map_err(|error| configuration(error.to_string()))?;
        let expressions = kept.iter().map(|found| found.mapping.form.expression(&found.quoted)).collect();
        let find = |name: &str| all.iter().find(|found| found.name == name);
        let (Some(id), Some(time)) = (find(id), find(time)) else {
            return Err(Error::new(ErrorKind::Internal, "a key column is missing"));
        };
        Ok(Columns {
            schema,
            expressions,
            forms: kept.iter().map(|found| found.mapping.form).collect(),
            id_number: id.number,
            time: time.quoted.clone(),
            time_number: time.number,
            time_has_zone: time.mapping.kind == ColumnType::TimestampUtc,
            org: all.iter().find(|found| found.name == ORG).map(|found| (found.quoted.clone(), found.number)),
            org_has_own_equality: all.iter().any(|found| found.name == ORG && found.has_own_equality),
        })
    }
}

/// The name of an index that keeps the values of column `$2` unique in table `$1`, whose rows are all of the table's own or
/// of its partitions. An index in the order of a collation does not count: it misses values that are equal once a library
/// has changed the collation; 950 is `C`, which none changes. Nor does one that a snapshot may see violated.
const UNIQUE: &str = "\
select c.relname::text from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
 where i.indrelid = $1 and i.indnkeyatts = 1 and i.indkey[0] = $2
   and i.indisunique and i.indimmediate and i.indisvalid and i.indisready and i.indislive
   and i.indpred is null and i.indexprs is null
   and i.indclass[0] < 16384 and i.indcollation[0] in (0, 950)
   and (c.relkind = 'I' or not exists (select from pg_catalog.pg_inherits h where h.inhparent = i.indrelid))
 order by c.relname limit 1";

impl RelationKind {
    fn parse(kind: &str) -> Option<Self> {
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

/// The default table of a dataset, named as in the platform: `audit_log` for `audit-log`.
fn default_table(dataset: &Dataset) -> String {
    format!("\"{}\"", dataset.as_str().replace('-', "_"))
}

/// All columns of a table, with domains resolved in their types and in the types of their elements.
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
   where t.typcategory = 'A' and t.typtype <> 'd' and t.typelem <> 0 and t.typarray = 0
  union all
  select e.number, t.typbasetype, case when t.typtypmod = -1 then e.modifier else t.typtypmod end
    from elements e join pg_catalog.pg_type t on t.oid = e.oid where t.typtype = 'd'
)
select a.attname::text, pg_catalog.quote_ident(a.attname), a.attnum, a.attnotnull,
       b.oid, coalesce(e.modifier, b.modifier), b.dimensions, e.oid, coalesce(et.typdelim = ',', true),
       b.oid < 16384 or bt.typtype = 'e'
  from pg_catalog.pg_attribute a
  join types b on b.number = a.attnum
  join pg_catalog.pg_type bt on bt.oid = b.oid and bt.typtype <> 'd'
  left join (elements e join pg_catalog.pg_type et on et.oid = e.oid and et.typtype <> 'd') on e.number = a.attnum
 where a.attrelid = $1
 order by a.attnum";

/// The names of the columns' types. Queried with the role's search path, where the operator could be any.
const TYPES: &str = "select a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a \
    where a.attrelid operator(pg_catalog.=) $1";

/// A column as the catalogue describes it.
struct CatalogueColumn {
    name: String,
    quoted: String,
    number: i16,
    not_null: bool,
    source_type: String,
    server: ServerType,
    mapping: ColumnMapping,
    /// Whether the server itself compares its values: those of extensions have operators of theirs.
    has_own_equality: bool,
}

impl CatalogueColumn {
    fn read(row: &Row, types: &HashMap<i16, String>) -> Self {
        let server = ServerType {
            oid: row.get(4),
            modifier: row.get(5),
            dimensions: row.get(6),
            element: row.get(7),
            has_commas: row.get(8),
        };
        let number = row.get(2);
        Self {
            name: row.get(0),
            quoted: row.get(1),
            number,
            not_null: row.get(3),
            source_type: types.get(&number).cloned().unwrap_or_default(),
            mapping: server.mapping(),
            server,
            has_own_equality: row.get(9),
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

#[derive(Clone, Copy)]
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
        let error = |message: String| configuration(message).with_context("table", &relation.name);
        let missing = self.names.into_iter().flatten().find(|name| !all.iter().any(|found| &found.name == *name));
        if let Some(missing) = missing {
            let found = listed(all.iter().map(|found| found.name.as_str()));
            return Err(error(format!("the table has no column {missing:?}")).with_hint(format!("it has {found}")));
        }
        let find = |name: &str| all.iter().find(|found| found.name == name);
        if let Some(id) = find(self.id).filter(|found| !found.can_be_an_id()) {
            let message = format!("column {:?} is of type {}, which cannot be an id", id.name, id.source_type);
            let hint = format!("name a uuid, text or integer column with --id-column; candidates: {}", candidates(all));
            return Err(error(message).with_hint(hint));
        }
        if let Some(time) = find(self.time).filter(|found| !found.can_be_a_time()) {
            let message = format!("column {:?} is of type {}, which is not a timestamp", time.name, time.source_type);
            let hint = format!("name a timestamp column with --time-column; candidates: {}", candidates(all));
            return Err(error(message).with_hint(hint));
        }
        Ok(())
    }
}

fn candidates(all: &[CatalogueColumn]) -> String {
    let list = |fits: fn(&CatalogueColumn) -> bool| {
        listed(all.iter().filter(|found| fits(found)).map(|found| found.name.as_str()))
    };
    format!("{} (id); {} (time)", list(CatalogueColumn::can_be_an_id), list(CatalogueColumn::can_be_a_time))
}

/// Whether a table's name is malformed: bad syntax, too many parts, or another database.
fn is_invalid_name(error: &tokio_postgres::Error) -> bool {
    let codes = [SqlState::INVALID_NAME, SqlState::SYNTAX_ERROR, SqlState::FEATURE_NOT_SUPPORTED];
    error.code().is_some_and(|code| codes.contains(code))
}

/// The error for a missing table, with a hint that lists others.
async fn missing_table(client: &Client, name: &str) -> Error {
    let query = "select pg_catalog.format('%I.%I', n.nspname, c.relname) \
                 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' \
                   and n.nspname !~ '^pg_' and not c.relispartition \
                 order by (select count(*) from pg_catalog.pg_attribute a where a.attrelid = c.oid \
                   and a.atttypid in (1114, 1184) and not a.attisdropped) = 0, 1 limit 50";
    let error = configuration("there is no such table, or its schema is not in the search path");
    let error = error.with_context("table", name.trim_matches('"'));
    let tables = match client.query(query, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(),
        Err(error) => return failure::lost("list the tables", error),
    };
    error.with_hint(if tables.is_empty() {
        "the database has no tables that this role can see: check the database".to_owned()
    } else {
        format!("name it with --table schema.name; there are {}", listed(tables.iter().map(String::as_str)))
    })
}

/// The first names, and how many more there are.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = names.collect::<Vec<_>>();
    match names.len() {
        0 => "none".to_owned(),
        count if count > LISTED_NAMES => {
            format!("{} and {} more", names[..LISTED_NAMES].join(", "), count - LISTED_NAMES)
        }
        _ => names.join(", "),
    }
}

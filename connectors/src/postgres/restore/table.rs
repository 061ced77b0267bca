//! The table that a month is restored to: found, or made of the columns of the archive.

use crate::{
    Error, ErrorKind, Result,
    postgres::{
        catalogue::{Kind, Nested, Relation},
        config::Table,
        failure::failed,
    },
};
use archive_formats::{Column, ColumnType, Dataset, Schema, catalogue::KeyColumns, encode::copy::server_type};
use tokio_postgres::Client;

/// A name as the server reads it: perhaps a schema, and the table.
pub(super) struct Name(Vec<String>);

impl Name {
    /// For the place where it is; a temporary table is in a schema of its session.
    fn quoted(&self, is_temporary: bool) -> String {
        let table = self.0.last().map(String::as_str).unwrap_or_default();
        match self.0.as_slice() {
            _ if is_temporary => format!("pg_temp.{}", quote(table)),
            parts => parts.iter().map(|part| quote(part)).collect::<Vec<_>>().join("."),
        }
    }
}

/// `name` in SQL, whatever letters it has.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Takes a name apart as SQL does.
pub(super) async fn read_name(client: &Client, text: &str) -> Result<Name> {
    let hint = "--table is a name or schema.name, as SQL spells them: quoted where it has capitals or spaces";
    let no_name = || {
        Error::new(ErrorKind::Configuration, "the table's name cannot be read")
            .with_context("table", text)
            .with_hint(hint)
    };
    let parts = client.query_one("select pg_catalog.parse_ident($1)", &[&text]).await;
    let parts = parts.map_err(|error| if error.code().is_some() { no_name() } else { failed("read a name")(error) })?;
    let parts = parts.get::<_, Vec<String>>(0);
    if (1..=2).contains(&parts.len()) { Ok(Name(parts)) } else { Err(no_name()) }
}

/// The type that each column has in a new table, and what is to be said about it.
pub(super) type Types = Vec<(String, Option<String>)>;

/// The source's own types where the server has them, and else those that hold what the archive has.
pub(super) async fn types(client: &Client, schema: &Schema) -> Result<Types> {
    let mut types = Vec::with_capacity(schema.columns().len());
    for column in schema.columns() {
        let plain = server_type(&column.kind).ok_or_else(|| unsupported(column))?;
        types.push(match &column.source_type {
            None => (plain, None),
            Some(own) if is_type(client, own).await? => (own.clone(), None),
            Some(own) => {
                let note = format!("column {:?} is {plain}, and was {own}", column.name);
                (plain, Some(note))
            }
        });
    }
    Ok(types)
}

pub(super) fn unsupported(column: &Column) -> Error {
    Error::new(ErrorKind::Incomplete, format!("PostgreSQL has no type for {}", column.kind))
        .with_context("column", &column.name)
}

/// Whether `text` is the name of a type here, and nothing but that. The server's own parser says so: what a manifest
/// holds may be anything.
async fn is_type(client: &Client, text: &str) -> Result<bool> {
    if text.contains("--") || text.contains("/*") {
        return Ok(false);
    }
    match client.query_one("select pg_catalog.to_regtype($1) is not null", &[&text]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) if error.code().is_some_and(|code| code.code().starts_with("42")) => Ok(false),
        Err(error) => Err(failed("look for a type")(error)),
    }
}

/// The table, and what is not as it was at the source.
pub(super) async fn find_or_create(
    client: &Client,
    name: &Name,
    is_temporary: bool,
    schema: &Schema,
    types: &Types,
) -> Result<(Relation, Vec<String>)> {
    let quoted = name.quoted(is_temporary);
    let mut notes = Vec::new();
    if is_temporary || !is_there(client, &quoted).await? {
        let sql = create(&quoted, is_temporary, schema, types);
        client.batch_execute(&sql).await.map_err(failed("create the table"))?;
        notes = types.iter().filter_map(|(_, note)| note.clone()).collect();
    }
    let named = Table { name: Some(quoted), ..Table::default() };
    let relation = Relation::find(client, &Dataset::default(), &named).await?;
    match relation.kind {
        Kind::Table | Kind::Partitioned => Ok((relation, notes)),
        Kind::View | Kind::Materialized | Kind::Foreign => {
            Err(Error::new(ErrorKind::Configuration, "what has the name is no table")
                .with_context("table", relation.name)
                .with_hint("name another one with --table"))
        }
    }
}

async fn is_there(client: &Client, quoted: &str) -> Result<bool> {
    let found = client.query_one("select pg_catalog.to_regclass($1) is not null", &[&quoted]).await;
    Ok(found.map_err(failed("look for the table"))?.get(0))
}

fn create(quoted: &str, is_temporary: bool, schema: &Schema, types: &Types) -> String {
    let columns = schema.columns().iter().zip(types).map(|(column, (own, _))| {
        let not_null = if column.nullable { "" } else { " not null" };
        format!("{} {own}{not_null}", quote(&column.name))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    if is_temporary {
        format!("create temporary table {quoted} ({columns}) on commit drop")
    } else {
        format!("create table {quoted} ({columns})")
    }
}

/// The columns of `schema`, by their names.
pub(super) fn wanted(schema: &Schema) -> Table {
    Table {
        name: None,
        keys: KeyColumns { id: Some(schema.id().to_owned()), time: Some(schema.time().to_owned()) },
        columns: Some(schema.columns().iter().map(|column| column.name.clone()).collect()),
    }
}

/// The columns of `table` that have arrays of several dimensions, if they have arrays: the archive has them as JSON.
pub(super) fn nested(table: &Relation, schema: &Schema) -> Nested {
    let nested = Nested::default();
    for column in schema.columns().iter().filter(|column| column.kind == ColumnType::Json) {
        nested.add(&table.name, &column.name);
    }
    nested
}

/// Columns that the table computes by itself, and that nobody may write.
pub(super) async fn generated_columns(client: &Client, relation: &Relation) -> Result<Vec<String>> {
    let query = "select attname::text from pg_catalog.pg_attribute where attrelid = $1 and attgenerated <> ''";
    let rows = client.query(query, &[&relation.oid]).await.map_err(failed("read the catalogue"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

//! Finds or creates the table that a month is restored to.

use crate::{
    Error, ErrorKind, Result,
    postgres::{
        catalogue::{Nested, Relation, RelationKind},
        config::Table,
        connection::with_role_search_path,
        failure::restore_failure,
        quote::identifier,
    },
};
use archive_formats::{Column, ColumnType, Dataset, Schema, catalogue::KeyColumns, encode::copy::server_type};
use tokio_postgres::{Client, error::SqlState, types::ToSql};

/// The parts of a table's name: an optional schema, and the table.
pub(super) struct TableName(Vec<String>);

impl TableName {
    /// Quoted, with the schema; a temporary table is in `pg_temp`.
    fn quoted(&self, is_temporary: bool) -> String {
        let table = self.0.last().map(String::as_str).unwrap_or_default();
        match self.0.as_slice() {
            _ if is_temporary => format!("pg_temp.{}", identifier(table)),
            parts => parts.iter().map(|part| identifier(part)).collect::<Vec<_>>().join("."),
        }
    }
}

/// Parses a table's name by the rules of SQL.
pub(super) async fn parse_name(client: &Client, text: &str) -> Result<TableName> {
    let hint = "--table is name or schema.name in SQL syntax: quoted where it has capitals or spaces";
    let malformed = || {
        Error::new(ErrorKind::Configuration, "the table's name is malformed")
            .with_context("table", text)
            .with_hint(hint)
    };
    let parts = client.query_one("select pg_catalog.parse_ident($1)", &[&text]).await;
    let parts = parts.map_err(|error| match error.code() {
        Some(&SqlState::INVALID_PARAMETER_VALUE | &SqlState::INVALID_NAME) => malformed(),
        _ => restore_failure("parse a name")(error),
    })?;
    let parts = parts.get::<_, Vec<String>>(0);
    if (1..=2).contains(&parts.len()) { Ok(TableName(parts)) } else { Err(malformed()) }
}

/// The type of each column in a new table, with a note if it is not the source's type.
pub(super) type Types = Vec<(String, Option<String>)>;

/// The source's types where the server has them, and otherwise types that hold the archive's values.
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

/// Whether `text` is the name of a type. The server's parser decides, since a manifest may hold any text.
async fn is_type(client: &Client, text: &str) -> Result<bool> {
    if text.contains("--") || text.contains("/*") {
        return Ok(false);
    }
    let parameters: [&(dyn ToSql + Sync); 1] = [&text];
    let named = client.query_one("select pg_catalog.to_regtype($1) is not null", &parameters);
    match with_role_search_path(client, named).await? {
        Ok(row) => Ok(row.get(0)),
        Err(error) if error.code().is_some_and(|code| code.code().starts_with("42")) => Ok(false),
        Err(error) => Err(restore_failure("look for a type")(error)),
    }
}

/// The table, and its differences from the source's.
pub(super) async fn find_or_create(
    client: &Client,
    name: &TableName,
    is_temporary: bool,
    schema: &Schema,
    types: &Types,
) -> Result<(Relation, Vec<String>)> {
    let quoted = name.quoted(is_temporary);
    let mut notes = Vec::new();
    if is_temporary || !exists(client, &quoted).await? {
        let sql = create(&quoted, is_temporary, schema, types);
        let created = with_role_search_path(client, client.batch_execute(&sql)).await?;
        created.map_err(restore_failure("create the table"))?;
        notes = types.iter().filter_map(|(_, note)| note.clone()).collect();
    }
    let named = Table { name: Some(quoted), ..Table::default() };
    let relation = Relation::find(client, &Dataset::default(), &named).await?;
    match relation.kind {
        RelationKind::Table | RelationKind::Partitioned => Ok((relation, notes)),
        RelationKind::View | RelationKind::Materialized | RelationKind::Foreign => {
            Err(Error::new(ErrorKind::Configuration, "the name is that of a view or a foreign table, not a table")
                .with_context("table", relation.name)
                .with_hint("name another one with --table"))
        }
    }
}

async fn exists(client: &Client, quoted: &str) -> Result<bool> {
    let parameters: [&(dyn ToSql + Sync); 1] = [&quoted];
    let named = client.query_one("select pg_catalog.to_regclass($1) is not null", &parameters);
    let found = with_role_search_path(client, named).await?;
    Ok(found.map_err(restore_failure("look for the table"))?.get(0))
}

fn create(quoted: &str, is_temporary: bool, schema: &Schema, types: &Types) -> String {
    let columns = schema.columns().iter().zip(types).map(|(column, (own, _))| {
        let not_null = if column.nullable { "" } else { " not null" };
        format!("{} {own}{not_null}", identifier(&column.name))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    if is_temporary {
        format!("create temporary table {quoted} ({columns}) on commit drop")
    } else {
        format!("create table {quoted} ({columns})")
    }
}

/// A selection of the columns of `schema`.
pub(super) fn wanted(schema: &Schema) -> Table {
    Table {
        keys: KeyColumns { id: Some(schema.id().to_owned()), time: Some(schema.time().to_owned()) },
        columns: Some(schema.columns().iter().map(|column| column.name.clone()).collect()),
        ..Table::default()
    }
}

/// The columns that the archive has as JSON: if they are arrays in `table`, they have several dimensions.
pub(super) fn nested(table: &Relation, schema: &Schema) -> Nested {
    let nested = Nested::default();
    for column in schema.columns().iter().filter(|column| column.kind == ColumnType::Json) {
        nested.add(&table.name, &column.name);
    }
    nested
}

/// Generated columns, which cannot be written.
pub(super) async fn generated_columns(client: &Client, relation: &Relation) -> Result<Vec<String>> {
    let query = "select attname::text from pg_catalog.pg_attribute where attrelid = $1 and attgenerated <> ''";
    let rows = client.query(query, &[&relation.oid]).await.map_err(restore_failure("read the catalogue"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

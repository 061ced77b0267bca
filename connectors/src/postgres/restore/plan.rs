//! The statements that take the archive's columns into a table, and out of it again as the archive has them.

use super::table::{quote, unsupported};
use crate::{Error, ErrorKind, Result, postgres::catalogue::Columns};
use archive_formats::{Column, Schema, encode::copy::server_type};
use std::collections::HashMap;

/// How the columns of a month go into a table.
#[derive(Debug)]
pub(super) struct Plan {
    schema: Schema,
    types: Vec<String>,
    /// Makes the table that takes the rows as they come.
    pub(super) stage: String,
    /// Moves them on.
    pub(super) insert: String,
}

/// Takes the rows as they come.
pub(super) const STAGING: &str = "pg_temp.kt_archive_staging";

impl Plan {
    /// How the columns of `schema` go into the ones that `found` are in `table`, none of the `generated` ones being
    /// written; and the columns as they are to be asked for, in the order of the archive and in its types.
    pub(super) fn new(table: &str, schema: &Schema, found: Columns, generated: &[String]) -> Result<(Self, Columns)> {
        let targets = found.schema.columns.iter().zip(&found.expressions);
        let targets = targets.map(|target| (target.0.name.as_str(), target)).collect::<HashMap<_, _>>();
        let (mut staged, mut written, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        let (mut types, mut expressions) = (Vec::new(), Vec::new());
        for (number, column) in schema.columns.iter().enumerate() {
            let plain = server_type(&column.kind).ok_or_else(|| unsupported(column))?;
            let (target, expression) = targets.get(column.name.as_str()).copied().ok_or_else(|| vanished(column))?;
            let own = target.source_type.clone().unwrap_or_else(|| plain.clone());
            let is_same = target.kind == column.kind;
            expressions.push(if is_same { expression.clone() } else { format!("{}::{plain}", quote(&column.name)) });
            if !generated.contains(&column.name) {
                written.push(quote(&column.name));
                taken.push(if own == plain { format!("c{number}") } else { format!("c{number}::{own}") });
            }
            staged.push(format!("c{number} {plain}"));
            types.push(own);
        }
        let stage = format!("create temporary table {STAGING} ({}) on commit drop", staged.join(", "));
        let insert = format!(
            "insert into {table} ({}) overriding system value select {} from {STAGING}",
            written.join(", "),
            taken.join(", ")
        );
        let plan = Self { schema: schema.clone(), types, stage, insert };
        Ok((plan, Columns { schema: schema.clone(), expressions, ..found }))
    }

    /// The columns that the table gives back. What must not be missing may be, until it was compared.
    pub(super) fn schema(&self) -> Schema {
        let mut schema = self.schema.clone();
        let Schema { id, time, columns, .. } = &mut schema;
        for column in columns {
            column.nullable = column.name != *id && column.name != *time;
        }
        schema
    }

    /// The type of each column in the table.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(String::as_str)
    }
}

fn vanished(column: &Column) -> Error {
    Error::new(ErrorKind::Internal, "a column of the table vanished").with_context("column", &column.name)
}

//! Columns and schemas.

use crate::{ColumnType, Sha256};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name, as in the source.
    pub name: String,
    /// The type in the archive.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// The type in the source, if it has types.
    pub source_type: Option<String>,
    /// Whether values may be NULL.
    pub nullable: bool,
}

/// The columns of a month, and which two of them identify an event and place it in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Digest of the compact JSON of `columns`.
    pub sha256: Sha256,
    /// Name of the column that identifies an event.
    pub id: String,
    /// Name of the column that says when it happened.
    pub time: String,
    /// In the order of the source.
    pub columns: Vec<Column>,
}

/// Columns that cannot be a month's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemaError {
    /// Two columns have the same name.
    #[error("column {0:?} appears twice")]
    Duplicate(String),
    /// Readers of an archive add a column of this name.
    #[error("a column named {0:?} would collide with the archive's month=… folders")]
    Month(String),
    /// The id or time column is not among the columns.
    #[error("there is no column {0:?}")]
    Missing(String),
}

impl Schema {
    /// The schema of `columns`, in which `id` and `time` name two of them.
    pub fn new(columns: Vec<Column>, id: &str, time: &str) -> Result<Self, SchemaError> {
        let mut names = std::collections::HashSet::new();
        for column in &columns {
            if !names.insert(column.name.as_str()) {
                return Err(SchemaError::Duplicate(column.name.clone()));
            }
        }
        if let Some(missing) = [id, time].into_iter().find(|name| !names.contains(name)) {
            return Err(SchemaError::Missing(missing.to_owned()));
        }
        Ok(Self { sha256: digest(&columns), id: id.to_owned(), time: time.to_owned(), columns })
    }

    /// Checks for a column `month`, which readers add for the folders of an archive. For the columns that are archived: a
    /// transform may rename a column of the source.
    pub fn check_folders(&self) -> Result<(), SchemaError> {
        let collides = |column: &&Column| column.name.eq_ignore_ascii_case("month");
        let column = self.columns.iter().find(collides);
        column.map_or(Ok(()), |column| Err(SchemaError::Month(column.name.clone())))
    }

    /// Whether the digest is the one of the columns: a manifest may have been changed.
    pub fn is_consistent(&self) -> bool {
        digest(&self.columns) == self.sha256
    }

    /// The wanted columns, the id and the time, in the order of this schema.
    #[must_use]
    pub fn narrowed(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let kept = |column: &&Column| wanted(&column.name) || column.name == self.id || column.name == self.time;
        let columns = self.columns.iter().filter(kept).cloned().collect::<Vec<_>>();
        Self { sha256: digest(&columns), id: self.id.clone(), time: self.time.clone(), columns }
    }

    /// The columns in Arrow.
    pub fn to_arrow(&self) -> arrow_schema::SchemaRef {
        arrow_columns(&self.columns)
    }

    /// The position of the id column.
    pub fn id_index(&self) -> usize {
        self.position(&self.id)
    }

    /// The position of the time column.
    pub fn time_index(&self) -> usize {
        self.position(&self.time)
    }

    /// The first column whose type differs between the schemas: its name, type here and type in `other`.
    pub fn contradiction<'a>(&'a self, other: &'a Self) -> Option<(&'a str, &'a ColumnType, &'a ColumnType)> {
        self.columns.iter().find_map(|ours| {
            let theirs = other.columns.iter().find(|theirs| theirs.name == ours.name)?;
            (theirs.kind != ours.kind).then_some((ours.name.as_str(), &ours.kind, &theirs.kind))
        })
    }

    fn position(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column.name == name).unwrap_or_default()
    }
}

/// The Arrow schema of `columns`.
pub fn arrow_columns(columns: &[Column]) -> arrow_schema::SchemaRef {
    let fields = columns.iter().map(|column| column.kind.field(&column.name, column.nullable));
    Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()))
}

fn digest(columns: &[Column]) -> Sha256 {
    let json = serde_json::to_vec(columns).unwrap_or_else(|_| unreachable!("columns hold only strings and booleans"));
    Sha256::of(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnType) -> Column {
        Column { name: name.to_owned(), kind, source_type: None, nullable: true }
    }

    #[test]
    fn refuses_duplicate_missing_and_colliding_columns() {
        let columns = |names: &[&str]| names.iter().map(|name| column(name, ColumnType::Text)).collect::<Vec<_>>();
        let twice = Schema::new(columns(&["id", "timestamp", "id"]), "id", "timestamp");
        assert_eq!(twice, Err(SchemaError::Duplicate("id".to_owned())));
        let month = Schema::new(columns(&["id", "t", "Month"]), "id", "t").unwrap();
        assert_eq!(month.check_folders(), Err(SchemaError::Month("Month".to_owned())));
        assert_eq!(Schema::new(columns(&["id"]), "id", "t"), Err(SchemaError::Missing("t".to_owned())));
    }

    #[test]
    fn changed_types_contradict_and_new_columns_do_not() {
        let keys = |id| vec![column("id", id), column("t", ColumnType::TimestampUtc)];
        let first = Schema::new(keys(ColumnType::Text), "id", "t").unwrap();
        let wider = [keys(ColumnType::Text), vec![column("new", ColumnType::Int64)]].concat();
        let wider = Schema::new(wider, "id", "t").unwrap();
        assert_eq!(first.contradiction(&wider), None);
        let changed = Schema::new(keys(ColumnType::Uuid), "id", "t").unwrap();
        assert_eq!(first.contradiction(&changed), Some(("id", &ColumnType::Text, &ColumnType::Uuid)));
    }
}

//! Columns and schemas.

use crate::{ColumnType, Sha256};
use arrow_schema::SchemaRef;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, collections::HashSet, sync::Arc};

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

/// The columns of a month, two of which are the id and the time of events. The two exist and no name appears twice, also
/// in a schema that was deserialized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    sha256: Sha256,
    columns: Vec<Column>,
    /// The position of the id column.
    id: usize,
    /// The position of the time column.
    time: usize,
    /// The columns in Arrow, with which every batch is compared.
    arrow: SchemaRef,
}

/// A schema in a manifest.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    sha256: Sha256,
    id: Cow<'a, str>,
    time: Cow<'a, str>,
    columns: Cow<'a, [Column]>,
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
        Self::with_digest(digest(&columns), columns, id, time)
    }

    fn with_digest(sha256: Sha256, columns: Vec<Column>, id: &str, time: &str) -> Result<Self, SchemaError> {
        let mut names = HashSet::new();
        if let Some(column) = columns.iter().find(|column| !names.insert(column.name.as_str())) {
            return Err(SchemaError::Duplicate(column.name.clone()));
        }
        let position = |name: &str| {
            let found = columns.iter().position(|column| column.name == name);
            found.ok_or_else(|| SchemaError::Missing(name.to_owned()))
        };
        let (id, time) = (position(id)?, position(time)?);
        Ok(Self { sha256, arrow: arrow_columns(&columns), columns, id, time })
    }

    /// The digest of the compact JSON of the columns. It may differ in a schema that was deserialized.
    pub const fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The columns, in the order of the source.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The name of the column that identifies an event.
    pub fn id(&self) -> &str {
        &self.columns[self.id].name
    }

    /// The name of the column with the time of an event.
    pub fn time(&self) -> &str {
        &self.columns[self.time].name
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
    #[expect(clippy::expect_used, reason = "the id and the time are kept")]
    pub(crate) fn narrowed(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let kept = |column: &&Column| wanted(&column.name) || column.name == self.id() || column.name == self.time();
        let columns = self.columns.iter().filter(kept).cloned().collect();
        Self::new(columns, self.id(), self.time()).expect("columns of a schema")
    }

    /// The same columns, all of which may be NULL except the id and the time.
    #[must_use]
    pub fn with_nullable_values(&self) -> Self {
        let mut columns = self.columns.clone();
        for (index, column) in columns.iter_mut().enumerate() {
            column.nullable = index != self.id && index != self.time;
        }
        Self { sha256: digest(&columns), arrow: arrow_columns(&columns), columns, ..*self }
    }

    /// The columns in Arrow.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::clone(&self.arrow)
    }

    /// The position of the id column.
    pub const fn id_index(&self) -> usize {
        self.id
    }

    /// The position of the time column.
    pub const fn time_index(&self) -> usize {
        self.time
    }

    /// The first column whose type differs between the schemas: its name, type here and type in `other`.
    pub fn contradiction<'a>(&'a self, other: &'a Self) -> Option<(&'a str, &'a ColumnType, &'a ColumnType)> {
        self.columns.iter().find_map(|ours| {
            let theirs = other.columns.iter().find(|theirs| theirs.name == ours.name)?;
            (theirs.kind != ours.kind).then_some((ours.name.as_str(), &ours.kind, &theirs.kind))
        })
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (id, time) = (self.id().into(), self.time().into());
        Record { sha256: self.sha256, id, time, columns: Cow::Borrowed(&self.columns) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Record { sha256, id, time, columns } = Record::deserialize(deserializer)?;
        Self::with_digest(sha256, columns.into_owned(), &id, &time).map_err(D::Error::custom)
    }
}

/// The Arrow schema of `columns`.
pub fn arrow_columns(columns: &[Column]) -> SchemaRef {
    let fields = columns.iter().map(|column| column.kind.field(&column.name, column.nullable));
    Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()))
}

fn digest(columns: &[Column]) -> Sha256 {
    let json = serde_json::to_vec(columns).unwrap_or_else(|_| unreachable!("columns hold only strings and booleans"));
    Sha256::digest(&json)
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
    fn a_schema_without_its_keys_is_not_deserialized() {
        let schema =
            Schema::new(vec![column("id", ColumnType::Text), column("t", ColumnType::Date)], "id", "t").unwrap();
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
        for (changed, error) in [
            (json.replace("\"time\":\"t\"", "\"time\":\"u\""), "there is no column \"u\""),
            (json.replace("\"name\":\"t\"", "\"name\":\"id\""), "column \"id\" appears twice"),
        ] {
            assert!(serde_json::from_str::<Schema>(&changed).unwrap_err().to_string().starts_with(error), "{changed}");
        }
        let changed = json.replace("\"type\":\"date\"", "\"type\":\"text\"");
        assert!(!serde_json::from_str::<Schema>(&changed).unwrap().is_consistent());
    }

    #[test]
    fn the_keys_are_kept_wherever_they_are() {
        let columns = ["a", "b", "id", "c", "t"].map(|name| column(name, ColumnType::Text));
        let schema = Schema::new(columns.into(), "id", "t").unwrap();
        assert_eq!((schema.id_index(), schema.time_index()), (2, 4));
        let narrowed = schema.narrowed(|name| name == "b");
        let names = narrowed.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names, narrowed.id(), narrowed.time()), (vec!["b", "id", "t"], "id", "t"));
        assert!(narrowed.is_consistent() && narrowed.sha256() != schema.sha256());
    }

    #[test]
    fn values_may_be_missing_and_keys_may_not() {
        let columns = ["a", "id", "t"].map(|name| Column { nullable: name == "t", ..column(name, ColumnType::Text) });
        let schema = Schema::new(columns.into(), "id", "t").unwrap().with_nullable_values();
        let nullable = schema.columns().iter().map(|column| column.nullable).collect::<Vec<_>>();
        assert_eq!((nullable, schema.is_consistent()), (vec![true, false, false], true));
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

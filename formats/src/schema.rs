//! Columns, their types, and how a type looks in Arrow (and so in Parquet).

use crate::Sha256;
use arrow_schema::{
    DataType, Field, TimeUnit,
    extension::{Json, Uuid},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, sync::Arc};

/// The type of a column, as manifests spell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `text`: UTF-8.
    Text,
    /// `json`: a JSON document as text, its bytes as the source printed them.
    Json,
    /// `bool`.
    Bool,
    /// `int16`.
    Int16,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// `decimal(p,s)`: exact, with `0 <= scale <= precision <= 38`.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `timestamp(us,UTC)`: an instant.
    TimestampUtc,
    /// `timestamp(us)`: a local date and time without a zone.
    Timestamp,
    /// `date`.
    Date,
    /// `time(us)`: a time of day.
    Time,
    /// `uuid`: sixteen bytes.
    Uuid,
    /// `binary`.
    Binary,
    /// `list<…>`.
    List(Box<ColumnType>),
}

/// A type name that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown column type {0:?}")]
pub struct UnknownType(String);

/// The time zone of every instant.
const UTC: &str = "UTC";
const MAX_PRECISION: u8 = 38;

impl ColumnType {
    fn data_type(&self) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, scale.cast_signed()),
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::Binary => DataType::Binary,
            Self::List(element) => DataType::List(Arc::new(element.field("element", true))),
        }
    }

    /// The Arrow field. JSON and UUID carry Arrow's extension types, which the Parquet writer turns into Parquet's
    /// logical types of the same names.
    fn field(&self, name: &str, nullable: bool) -> Field {
        let field = Field::new(name, self.data_type(), nullable);
        match self {
            Self::Json => field.with_extension_type(Json::default()),
            Self::Uuid => field.with_extension_type(Uuid),
            _ => field,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Bool => "bool",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Decimal { precision, scale } => return write!(formatter, "decimal({precision},{scale})"),
            Self::TimestampUtc => "timestamp(us,UTC)",
            Self::Timestamp => "timestamp(us)",
            Self::Date => "date",
            Self::Time => "time(us)",
            Self::Uuid => "uuid",
            Self::Binary => "binary",
            Self::List(element) => return write!(formatter, "list<{element}>"),
        };
        formatter.write_str(name)
    }
}

impl FromStr for ColumnType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownType(text.to_owned());
        if let Some(element) = text.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
            return Ok(Self::List(Box::new(element.parse()?)));
        }
        if let Some(digits) = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            let (precision, scale) = digits.split_once(',').ok_or_else(unknown)?;
            let precision = precision.parse().map_err(|_| unknown())?;
            let scale = scale.parse().map_err(|_| unknown())?;
            let valid = (1..=MAX_PRECISION).contains(&precision) && scale <= precision;
            return if valid { Ok(Self::Decimal { precision, scale }) } else { Err(unknown()) };
        }
        Ok(match text {
            "text" => Self::Text,
            "json" => Self::Json,
            "bool" => Self::Bool,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "timestamp(us,UTC)" => Self::TimestampUtc,
            "timestamp(us)" => Self::Timestamp,
            "date" => Self::Date,
            "time(us)" => Self::Time,
            "uuid" => Self::Uuid,
            "binary" => Self::Binary,
            _ => return Err(unknown()),
        })
    }
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The source's own name.
    pub name: String,
    /// What its values are in the archive.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What the source calls the type, where it has types.
    pub source_type: Option<String>,
    /// Whether a value may be missing.
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
    /// Two columns with one name: which value a reader would see is chance.
    #[error("column {0:?} appears twice")]
    Duplicate(String),
    /// The folders of an archive add a column of this name.
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

    /// Whether files with these columns may lie in the folders of an archive, which add a column of their own. Asked of
    /// what is archived, not of what a source has: a transform may have renamed the column.
    pub fn check_folders(&self) -> Result<(), SchemaError> {
        let collides = |column: &&Column| column.name.eq_ignore_ascii_case("month");
        let column = self.columns.iter().find(collides);
        column.map_or(Ok(()), |column| Err(SchemaError::Month(column.name.clone())))
    }

    /// Whether `sha256` is the digest of `columns`; what was read from a manifest may not be what was written.
    pub fn is_consistent(&self) -> bool {
        digest(&self.columns) == self.sha256
    }

    /// The columns of these names, and those that an event cannot be without, in the order of this schema.
    #[must_use]
    pub fn narrowed(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let kept = |column: &&Column| wanted(&column.name) || column.name == self.id || column.name == self.time;
        let columns = self.columns.iter().filter(kept).cloned().collect::<Vec<_>>();
        Self { sha256: digest(&columns), id: self.id.clone(), time: self.time.clone(), columns }
    }

    /// The same columns in Arrow.
    pub fn to_arrow(&self) -> arrow_schema::SchemaRef {
        arrow_columns(&self.columns)
    }

    /// Position of the id column.
    pub fn id_index(&self) -> usize {
        self.position(&self.id)
    }

    /// Position of the time column.
    pub fn time_index(&self) -> usize {
        self.position(&self.time)
    }

    /// The first column that both schemas have with different types, as (name, type here, type there).
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

/// Columns in Arrow.
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
    fn every_type_reads_back_from_its_name() {
        let names = "text json bool int16 int32 int64 float32 float64 decimal(38,18) decimal(12,0) timestamp(us,UTC) \
                     timestamp(us) date time(us) uuid binary list<text> list<timestamp(us,UTC)>";
        for name in names.split_whitespace() {
            assert_eq!(name.parse::<ColumnType>().unwrap().to_string(), name);
        }
        for name in ["", "decimal(39,0)", "decimal(4,5)", "decimal(0,0)", "list<", "varchar"] {
            assert!(name.parse::<ColumnType>().is_err(), "{name}");
        }
    }

    #[test]
    fn refuses_columns_that_would_hide_each_other() {
        let columns = |names: &[&str]| names.iter().map(|name| column(name, ColumnType::Text)).collect::<Vec<_>>();
        let twice = Schema::new(columns(&["id", "timestamp", "id"]), "id", "timestamp");
        assert_eq!(twice, Err(SchemaError::Duplicate("id".to_owned())));
        let month = Schema::new(columns(&["id", "t", "Month"]), "id", "t").unwrap();
        assert_eq!(month.check_folders(), Err(SchemaError::Month("Month".to_owned())));
        assert_eq!(Schema::new(columns(&["id"]), "id", "t"), Err(SchemaError::Missing("t".to_owned())));
    }

    #[test]
    fn a_changed_type_contradicts_and_a_new_column_does_not() {
        let keys = |id| vec![column("id", id), column("t", ColumnType::TimestampUtc)];
        let first = Schema::new(keys(ColumnType::Text), "id", "t").unwrap();
        let wider = [keys(ColumnType::Text), vec![column("new", ColumnType::Int64)]].concat();
        let wider = Schema::new(wider, "id", "t").unwrap();
        assert_eq!(first.contradiction(&wider), None);
        let changed = Schema::new(keys(ColumnType::Uuid), "id", "t").unwrap();
        assert_eq!(first.contradiction(&changed), Some(("id", &ColumnType::Text, &ColumnType::Uuid)));
    }
}

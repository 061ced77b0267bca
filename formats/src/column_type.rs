//! The table of column types: what each is called in manifests, in Arrow (and so in Parquet) and in PostgreSQL, and
//! which Arrow array holds its values.

use crate::{Column, catalogue::is_cost_of_artifact};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_schema::{
    DataType, Field, TimeUnit,
    extension::{Json, Uuid},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

/// The type of a column. Its text form is the one in manifests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `text`: UTF-8.
    Text,
    /// `json`: a JSON document as text, byte for byte as the source printed it.
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
    /// `decimal(p,s)`: exact, with `1 <= precision <= 38` and `scale <= precision`.
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

impl UnknownType {
    /// The error for `name`, which may come from a hostile document.
    fn new(name: &str) -> Self {
        const CHARACTERS: usize = 40;
        let mut excerpt = name.chars().take(CHARACTERS).collect::<String>();
        if excerpt.len() < name.len() {
            excerpt.push('…');
        }
        Self(excerpt)
    }
}

/// The names of a scalar type.
struct Scalar {
    /// In manifests.
    name: Cow<'static, str>,
    arrow: DataType,
    /// In PostgreSQL, for the type with the binary form that COPY sends.
    postgres: Cow<'static, str>,
    /// The row of that type in `pg_type`.
    oid: u32,
}

/// A row of the table.
enum Row<'a> {
    Scalar(Scalar),
    /// A list of this type.
    List(&'a ColumnType),
}

impl ColumnType {
    /// The scalar types without parameters.
    const PLAIN: [Self; 14] = [
        Self::Text,
        Self::Json,
        Self::Bool,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::TimestampUtc,
        Self::Timestamp,
        Self::Date,
        Self::Time,
        Self::Uuid,
        Self::Binary,
    ];

    const MAX_PRECISION: u8 = 38;

    /// Lists inside each other. A name in a document can be of any length, and code for nested types recurses.
    const MAX_LISTS: usize = 8;

    fn row(&self) -> Row<'_> {
        let plain = |name: &'static str, arrow, postgres: &'static str, oid| {
            Row::Scalar(Scalar { name: name.into(), arrow, postgres: postgres.into(), oid })
        };
        let micros = TimeUnit::Microsecond;
        match self {
            Self::Text => plain("text", DataType::Utf8, "text", 25),
            Self::Json => plain("json", DataType::Utf8, "json", 114),
            Self::Bool => plain("bool", DataType::Boolean, "boolean", 16),
            Self::Int16 => plain("int16", DataType::Int16, "smallint", 21),
            Self::Int32 => plain("int32", DataType::Int32, "integer", 23),
            Self::Int64 => plain("int64", DataType::Int64, "bigint", 20),
            Self::Float32 => plain("float32", DataType::Float32, "real", 700),
            Self::Float64 => plain("float64", DataType::Float64, "double precision", 701),
            Self::Decimal { precision, scale } => Row::Scalar(Scalar {
                name: format!("decimal({precision},{scale})").into(),
                arrow: DataType::Decimal128(*precision, scale.cast_signed()),
                postgres: format!("numeric({precision},{scale})").into(),
                oid: 1700,
            }),
            Self::TimestampUtc => {
                let arrow = DataType::Timestamp(micros, Some("UTC".into()));
                plain("timestamp(us,UTC)", arrow, "timestamp with time zone", 1184)
            }
            Self::Timestamp => {
                plain("timestamp(us)", DataType::Timestamp(micros, None), "timestamp without time zone", 1114)
            }
            Self::Date => plain("date", DataType::Date32, "date", 1082),
            Self::Time => plain("time(us)", DataType::Time64(micros), "time without time zone", 1083),
            Self::Uuid => plain("uuid", DataType::FixedSizeBinary(16), "uuid", 2950),
            Self::Binary => plain("binary", DataType::Binary, "bytea", 17),
            Self::List(element) => Row::List(element),
        }
    }

    /// The type called `name`; `None` for lists.
    fn scalar(name: &str) -> Option<Self> {
        if let Some(digits) = name.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            let (precision, scale) = digits.split_once(',')?;
            let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
            let is_valid = (1..=Self::MAX_PRECISION).contains(&precision) && scale <= precision;
            return is_valid.then_some(Self::Decimal { precision, scale });
        }
        let has_name = |kind: &Self| matches!(kind.row(), Row::Scalar(scalar) if scalar.name == name);
        Self::PLAIN.into_iter().find(has_name)
    }

    /// The Arrow field. JSON and UUID carry Arrow's extension types, which the Parquet writer turns into Parquet's
    /// logical types of the same names.
    pub(crate) fn field(&self, name: &str, nullable: bool) -> Field {
        let data_type = match self.row() {
            Row::Scalar(scalar) => scalar.arrow,
            Row::List(element) => DataType::List(Arc::new(element.field("element", true))),
        };
        let field = Field::new(name, data_type, nullable);
        match self {
            Self::Json => field.with_extension_type(Json::default()),
            Self::Uuid => field.with_extension_type(Uuid),
            _ => field,
        }
    }

    /// The type in PostgreSQL; `None` for lists of lists, which PostgreSQL does not have.
    pub(crate) fn postgres(&self) -> Option<String> {
        match self.row() {
            Row::Scalar(scalar) => Some(scalar.postgres.into_owned()),
            Row::List(element) => match element.row() {
                Row::Scalar(scalar) => Some(format!("{}[]", scalar.postgres)),
                Row::List(_) => None,
            },
        }
    }

    /// The row of a scalar type in PostgreSQL's `pg_type`.
    pub(crate) fn postgres_oid(&self) -> Option<u32> {
        match self.row() {
            Row::Scalar(scalar) => Some(scalar.oid),
            Row::List(_) => None,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Row::Scalar(scalar) => formatter.write_str(&scalar.name),
            Row::List(element) => write!(formatter, "list<{element}>"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownType::new(text);
        let (mut scalar, mut lists) = (text, 0);
        while let Some(element) = scalar.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
            (scalar, lists) = (element, lists + 1);
        }
        if lists > Self::MAX_LISTS {
            return Err(unknown());
        }
        let scalar = Self::scalar(scalar).ok_or_else(unknown)?;
        Ok((0..lists).fold(scalar, |element, _| Self::List(Box::new(element))))
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

/// Makes the containers of a column's values, one kind for each kind of Arrow array: arrays to read from, or builders
/// to append to.
pub(crate) trait Containers {
    type Text;
    type Bool;
    type Primitive<T: ArrowPrimitiveType>;
    type Uuid;
    type Binary;
    type List;

    fn text(&self) -> Self::Text;
    fn bool(&self) -> Self::Bool;
    fn primitive<T: ArrowPrimitiveType>(&self) -> Self::Primitive<T>;
    fn uuid(&self) -> Self::Uuid;
    fn binary(&self) -> Self::Binary;
    fn list(&self, element: &ColumnType) -> Self::List;
}

/// The values of a column in the container of its type. Matching on it once per value costs no dynamic dispatch.
pub(crate) enum Typed<C: Containers> {
    Text(C::Text),
    Json(C::Text),
    Bool(C::Bool),
    Int16(C::Primitive<Int16Type>),
    Int32(C::Primitive<Int32Type>),
    Int64(C::Primitive<Int64Type>),
    Float32(C::Primitive<Float32Type>),
    Float64(C::Primitive<Float64Type>),
    Decimal {
        values: C::Primitive<Decimal128Type>,
        precision: u8,
        scale: u8,
        /// Whether the text ends before its trailing zeros.
        trim_zeros: bool,
    },
    TimestampUtc(C::Primitive<TimestampMicrosecondType>),
    Timestamp(C::Primitive<TimestampMicrosecondType>),
    Date(C::Primitive<Date32Type>),
    Time(C::Primitive<Time64MicrosecondType>),
    Uuid(C::Uuid),
    Binary(C::Binary),
    List(C::List),
}

impl<C: Containers> Typed<C> {
    /// A cost from an artifact prints without the zeros that its type added; a decimal of a database keeps the digits
    /// that it had there.
    pub(crate) fn of_column(column: &Column, containers: &C) -> Self {
        let mut typed = Self::new(&column.kind, containers);
        if let Self::Decimal { trim_zeros, .. } = &mut typed {
            *trim_zeros = is_cost_of_artifact(column);
        }
        typed
    }

    pub(crate) fn new(kind: &ColumnType, containers: &C) -> Self {
        match kind {
            ColumnType::Text => Self::Text(containers.text()),
            ColumnType::Json => Self::Json(containers.text()),
            ColumnType::Bool => Self::Bool(containers.bool()),
            ColumnType::Int16 => Self::Int16(containers.primitive()),
            ColumnType::Int32 => Self::Int32(containers.primitive()),
            ColumnType::Int64 => Self::Int64(containers.primitive()),
            ColumnType::Float32 => Self::Float32(containers.primitive()),
            ColumnType::Float64 => Self::Float64(containers.primitive()),
            ColumnType::Decimal { precision, scale } => {
                let values = containers.primitive();
                Self::Decimal { values, precision: *precision, scale: *scale, trim_zeros: false }
            }
            ColumnType::TimestampUtc => Self::TimestampUtc(containers.primitive()),
            ColumnType::Timestamp => Self::Timestamp(containers.primitive()),
            ColumnType::Date => Self::Date(containers.primitive()),
            ColumnType::Time => Self::Time(containers.primitive()),
            ColumnType::Uuid => Self::Uuid(containers.uuid()),
            ColumnType::Binary => Self::Binary(containers.binary()),
            ColumnType::List(element) => Self::List(containers.list(element)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_parses_from_its_name() {
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
    fn types_have_names_and_rows_in_postgresql() {
        for (name, postgres, oid) in [
            ("text", Some("text"), Some(25)),
            ("timestamp(us,UTC)", Some("timestamp with time zone"), Some(1184)),
            ("decimal(12,6)", Some("numeric(12,6)"), Some(1700)),
            ("list<int32>", Some("integer[]"), None),
            ("list<list<int32>>", None, None),
        ] {
            let kind = name.parse::<ColumnType>().unwrap();
            assert_eq!((kind.postgres().as_deref(), kind.postgres_oid()), (postgres, oid), "{name}");
        }
    }

    #[test]
    fn documents_and_uuids_are_marked_in_arrow() {
        let marks = [ColumnType::Json, ColumnType::Uuid, ColumnType::Text].map(|kind| {
            let field = kind.field("a", true);
            field.extension_type_name().map(str::to_owned)
        });
        assert_eq!(marks, [Some("arrow.json".to_owned()), Some("arrow.uuid".to_owned()), None]);
    }

    #[test]
    fn deeply_nested_lists_are_unknown_and_named_briefly() {
        let nested = |lists| format!("{}text{}", "list<".repeat(lists), ">".repeat(lists));
        assert_eq!(nested(8).parse::<ColumnType>().unwrap().to_string(), nested(8));
        for lists in [9, 3_000, 1_000_000] {
            let error = nested(lists).parse::<ColumnType>().unwrap_err().to_string();
            assert_eq!(error, format!("unknown column type \"{}…\"", "list<".repeat(8)));
        }
    }
}

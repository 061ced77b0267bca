//! Columns of files of an archive, whose values have one spelling each.

use super::{fixed::FixedColumn, list::ListColumn, text::TextColumn, validity::Validity};
use crate::{
    Column, ColumnType,
    catalogue::is_cost_of_artifact,
    decode::{
        columns::Builder,
        fault::Fault,
        value::{boolean, date, date_time, decimal, element, float, hex, integer, time, uuid},
    },
};
use arrow_array::{
    ArrayRef,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use arrow_schema::DataType;

/// A column of a file of an archive, by its type.
#[derive(Debug)]
pub(in crate::decode) enum ArchivedColumn {
    Text(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Int16(FixedColumn<i16>),
    Int32(FixedColumn<i32>),
    Int64(FixedColumn<i64>),
    Float32(FixedColumn<f32>),
    Float64(FixedColumn<f64>),
    Decimal { column: FixedColumn<i128>, precision: u8, scale: u8, trimmed: bool },
    TimestampUtc(FixedColumn<i64>),
    Timestamp(FixedColumn<i64>),
    Date(FixedColumn<i32>),
    Time(FixedColumn<i64>),
    Uuid(FixedColumn<[u8; 16]>),
    Binary(TextColumn),
    List(ListColumn),
}

/// The same for the column of every type.
macro_rules! each {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::Json($column) | Self::Binary($column) => $body,
            Self::Bool($column) => $body,
            Self::Int16($column) => $body,
            Self::Int32($column) | Self::Date($column) => $body,
            Self::Int64($column) | Self::TimestampUtc($column) | Self::Timestamp($column) | Self::Time($column) => {
                $body
            }
            Self::Float32($column) => $body,
            Self::Float64($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
            Self::Uuid($column) => $body,
            Self::List($column) => $body,
        }
    };
}

impl ArchivedColumn {
    /// An empty column. Its rows without a value have the `fault`, if any.
    pub(in crate::decode) fn new(column: &Column, fault: Option<Fault>) -> Self {
        Self::of(&column.kind, is_cost_of_artifact(column), Validity::new(fault))
    }

    /// Elements of a list, any of which may be NULL.
    pub(super) fn of_elements(kind: &ColumnType) -> Self {
        Self::of(kind, false, Validity::new(None))
    }

    /// A column whose decimals, if it has any, are `trimmed`.
    fn of(kind: &ColumnType, trimmed: bool, validity: Validity) -> Self {
        match kind {
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::Int16 => Self::Int16(FixedColumn::new(validity)),
            ColumnType::Int32 => Self::Int32(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Int64(FixedColumn::new(validity)),
            ColumnType::Float32 => Self::Float32(FixedColumn::new(validity)),
            ColumnType::Float64 => Self::Float64(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity), precision: *precision, scale: *scale, trimmed }
            }
            ColumnType::TimestampUtc => Self::TimestampUtc(FixedColumn::new(validity)),
            ColumnType::Timestamp => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Date => Self::Date(FixedColumn::new(validity)),
            ColumnType::Time => Self::Time(FixedColumn::new(validity)),
            ColumnType::Uuid => Self::Uuid(FixedColumn::new(validity)),
            ColumnType::Binary => Self::Binary(TextColumn::new(validity)),
            ColumnType::List(element) => Self::List(ListColumn::new(element, validity)),
        }
    }

    /// Appends the value that `text` spells. After a failure the column must be truncated before it is used again.
    pub(in crate::decode) fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(boolean::parse(text)),
            Self::Int16(column) => column.push(integer::parse_narrow(text)),
            Self::Int32(column) => column.push(integer::parse_narrow(text)),
            Self::Int64(column) => column.push(integer::parse(text)),
            Self::Float32(column) => column.push(float::parse(text)),
            Self::Float64(column) => column.push(float::parse(text)),
            Self::Decimal { column, precision, scale, trimmed } => {
                column.push(decimal::parse_exact(text, *precision, *scale, *trimmed))
            }
            Self::TimestampUtc(column) => column.push(date_time::parse_utc(text)),
            Self::Timestamp(column) => column.push(date_time::parse(text)),
            Self::Date(column) => column.push(date::parse(text)),
            Self::Time(column) => column.push(time::parse(text)),
            Self::Uuid(column) => column.push(uuid::parse(text)),
            Self::Binary(column) => column.push_with(|bytes| hex::append(text, bytes)),
            Self::List(column) => column.push(text),
        }
    }

    /// Appends a row without a value.
    pub(in crate::decode) fn push_null(&mut self) -> Result<(), Fault> {
        each!(self, column => column.push_null())
    }

    /// Appends the element of a JSON array that `text` begins with, and returns what comes after it.
    pub(super) fn push_element<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], Fault> {
        match (&mut *self, text) {
            (Self::List(lists), [b'[', ..]) => lists.read(text),
            (Self::Json(column), _) => {
                let (json, rest) = element::json(text)?;
                // JSON's own null and a missing element look the same here.
                let pushed = if json == b"null" { column.push_null() } else { column.push(json) };
                pushed.map(|()| rest)
            }
            (Self::Text(column), [b'"', ..]) => {
                let (inside, rest) = element::string(text)?;
                column.push_with(|bytes| element::unescape(inside, bytes)).map(|()| rest)
            }
            (_, [b'"', ..]) => {
                let (inside, rest) = element::string(text)?;
                self.push_in_json(inside, true).map(|()| rest)
            }
            _ => {
                let (word, rest) = element::word(text);
                let pushed = if word == b"null" { self.push_null() } else { self.push_in_json(word, false) };
                pushed.map(|()| rest)
            }
        }
    }

    /// Appends an element that is a string, or none.
    fn push_in_json(&mut self, text: &[u8], is_string: bool) -> Result<(), Fault> {
        let is_string_in_json = match self {
            Self::Float32(_) | Self::Float64(_) => float::is_beyond_json(text),
            Self::TimestampUtc(_)
            | Self::Timestamp(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Uuid(_)
            | Self::Binary(_)
            | Self::Text(_) => true,
            Self::Bool(_) | Self::Int16(_) | Self::Int32(_) | Self::Int64(_) | Self::Decimal { .. } => false,
            Self::Json(_) | Self::List(_) => return Err(element::FAULT),
        };
        if is_string == is_string_in_json { self.push(text) } else { Err(element::FAULT) }
    }
}

impl Builder for ArchivedColumn {
    fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let data_type = data_type.clone();
        Some(match self {
            Self::Text(column) | Self::Json(column) => return column.finish(),
            Self::Bool(column) => column.finish_bool(),
            Self::Int16(column) => column.finish::<Int16Type>(data_type),
            Self::Int32(column) => column.finish::<Int32Type>(data_type),
            Self::Int64(column) => column.finish::<Int64Type>(data_type),
            Self::Float32(column) => column.finish::<Float32Type>(data_type),
            Self::Float64(column) => column.finish::<Float64Type>(data_type),
            Self::Decimal { column, .. } => column.finish::<Decimal128Type>(data_type),
            Self::TimestampUtc(column) | Self::Timestamp(column) => {
                column.finish::<TimestampMicrosecondType>(data_type)
            }
            Self::Date(column) => column.finish::<Date32Type>(data_type),
            Self::Time(column) => column.finish::<Time64MicrosecondType>(data_type),
            Self::Uuid(column) => column.finish_bytes(),
            Self::Binary(column) => column.finish_binary(),
            Self::List(column) => return column.finish(&data_type),
        })
    }
}

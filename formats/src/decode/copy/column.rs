//! Columns that grow by the fields of some rows, and can take the last rows back.

use super::{
    Failure,
    fields::Field,
    list::ListColumn,
    value::{boolean, date, json, number, numeric, time, timestamp, uuid},
};
use crate::{
    ColumnType,
    decode::{
        column::{FixedColumn, TextColumn, Validity},
        fault::Fault,
        utf8::Utf8,
    },
};
use arrow_array::{
    ArrayRef,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType};

/// A column of a COPY, by how its values are sent.
#[derive(Debug)]
pub(super) enum CopyColumn {
    Text(TextColumn),
    /// Texts that identify an event, and so are not empty.
    TextId(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Int16(FixedColumn<i16>),
    Int32(FixedColumn<i32>),
    Int64(FixedColumn<i64>),
    Float32(FixedColumn<f32>),
    Float64(FixedColumn<f64>),
    Decimal {
        column: FixedColumn<i128>,
        precision: u8,
        scale: u8,
    },
    Timestamp(FixedColumn<i64>),
    Date(FixedColumn<i32>),
    Time(FixedColumn<i64>),
    Uuid(FixedColumn<[u8; 16]>),
    Binary(TextColumn),
    List(ListColumn),
}

/// The same for the column of every family.
macro_rules! each {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::TextId($column) | Self::Json($column) | Self::Binary($column) => $body,
            Self::Bool($column) => $body,
            Self::Int16($column) => $body,
            Self::Int32($column) | Self::Date($column) => $body,
            Self::Int64($column) | Self::Timestamp($column) | Self::Time($column) => $body,
            Self::Float32($column) => $body,
            Self::Float64($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
            Self::Uuid($column) => $body,
            Self::List($column) => $body,
        }
    };
}

impl CopyColumn {
    /// An empty column, or `None` where no values are read into the type. Rows without a value have the `fault`, if any.
    pub(super) fn new(kind: &ColumnType, fault: Option<Fault>) -> Option<Self> {
        let validity = Validity::new(fault);
        Some(match kind {
            ColumnType::Text if fault == Some(Fault::NoId) => Self::TextId(TextColumn::new(validity)),
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::Int16 => Self::Int16(FixedColumn::new(validity)),
            ColumnType::Int32 => Self::Int32(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Int64(FixedColumn::new(validity)),
            ColumnType::Float32 => Self::Float32(FixedColumn::new(validity)),
            ColumnType::Float64 => Self::Float64(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale }
                if scale <= precision && *precision <= DECIMAL128_MAX_PRECISION =>
            {
                Self::Decimal { column: FixedColumn::new(validity), precision: *precision, scale: *scale }
            }
            ColumnType::Decimal { .. } => return None,
            ColumnType::TimestampUtc | ColumnType::Timestamp => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Date => Self::Date(FixedColumn::new(validity)),
            ColumnType::Time => Self::Time(FixedColumn::new(validity)),
            ColumnType::Uuid => Self::Uuid(FixedColumn::new(validity)),
            ColumnType::Binary => Self::Binary(TextColumn::new(validity)),
            ColumnType::List(element) => Self::List(ListColumn::new(element, validity)?),
        })
    }

    /// Appends a row for each of `fields`. After a failure the column must be truncated before it is used again.
    pub(super) fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8) -> Result<(), Failure> {
        match self {
            Self::Text(column) => extend_text(column, fields, utf8),
            Self::TextId(column) => {
                let is_missing = fields.contains(&Some(&[]));
                if is_missing { Err(Fault::NoId.into()) } else { extend_text(column, fields, utf8) }
            }
            Self::Json(column) => extend_text(column, &json::texts(fields)?, utf8),
            Self::Binary(column) => Ok(column.extend(fields)?),
            Self::Bool(column) => column.extend(fields, boolean::read),
            Self::Int16(column) => column.extend(fields, |field| number::read(field, i16::from_be_bytes)),
            Self::Int32(column) => column.extend(fields, |field| number::read(field, i32::from_be_bytes)),
            Self::Int64(column) => column.extend(fields, |field| number::read(field, i64::from_be_bytes)),
            Self::Float32(column) => column.extend(fields, |field| number::read(field, f32::from_be_bytes)),
            Self::Float64(column) => column.extend(fields, |field| number::read(field, f64::from_be_bytes)),
            Self::Decimal { column, precision, scale } => {
                column.extend(fields, |field| numeric::read(field, *precision, *scale))
            }
            Self::Timestamp(column) => column.extend(fields, timestamp::read),
            Self::Date(column) => column.extend(fields, date::read),
            Self::Time(column) => column.extend(fields, time::read),
            Self::Uuid(column) => column.extend(fields, uuid::read),
            Self::List(column) => column.extend(fields, utf8),
        }
    }

    /// Removes all rows but the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    /// Makes room for `factor` times what the column holds.
    pub(super) fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    /// The column as Arrow sees it, or `None` when it has text that is not UTF-8.
    pub(super) fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let data_type = data_type.clone();
        Some(match self {
            Self::Text(column) | Self::TextId(column) | Self::Json(column) => return column.finish(),
            Self::Binary(column) => column.finish_binary(),
            Self::Bool(column) => column.finish_bool(),
            Self::Int16(column) => column.finish::<Int16Type>(data_type),
            Self::Int32(column) => column.finish::<Int32Type>(data_type),
            Self::Int64(column) => column.finish::<Int64Type>(data_type),
            Self::Float32(column) => column.finish::<Float32Type>(data_type),
            Self::Float64(column) => column.finish::<Float64Type>(data_type),
            Self::Decimal { column, .. } => column.finish::<Decimal128Type>(data_type),
            Self::Timestamp(column) => column.finish::<TimestampMicrosecondType>(data_type),
            Self::Date(column) => column.finish::<Date32Type>(data_type),
            Self::Time(column) => column.finish::<Time64MicrosecondType>(data_type),
            Self::Uuid(column) => column.finish_bytes(),
            Self::List(column) => return column.finish(&data_type),
        })
    }
}

fn extend_text(column: &mut TextColumn, texts: &[Field<'_>], utf8: Utf8) -> Result<(), Failure> {
    if utf8 == Utf8::ByRow && texts.iter().flatten().any(|text| std::str::from_utf8(text).is_err()) {
        return Err(Fault::Utf8.into());
    }
    Ok(column.extend(texts)?)
}

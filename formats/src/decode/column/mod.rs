//! Columns that grow by one value per row and can take the last row back.

mod archived;
mod fixed;
mod list;
mod text;
mod validity;

pub(super) use self::{archived::ArchivedColumn, fixed::FixedColumn, text::TextColumn, validity::Validity};

use super::{
    columns::Builder,
    fault::Fault,
    value::{boolean, decimal, integer, timestamp},
};
use crate::ColumnType;
use arrow_array::{
    ArrayRef,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::DataType;

/// How many rows are decoded before the size of the columns is estimated.
pub(super) const SAMPLE: usize = 64;

/// A column of an artifact, by the family of its type.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Text(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Timestamp(FixedColumn<i64>),
    Integer(FixedColumn<i64>),
    Decimal { column: FixedColumn<i128>, precision: u8, scale: u8 },
}

/// The same for the column of every family.
macro_rules! each {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::Json($column) => $body,
            Self::Bool($column) => $body,
            Self::Timestamp($column) | Self::Integer($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
        }
    };
}

impl ColumnBuilder {
    /// An empty column of a type that an artifact has. Its rows without a value have the `fault`, if any.
    pub(super) fn new(kind: &ColumnType, fault: Option<Fault>) -> Self {
        let validity = Validity::new(fault);
        match *kind {
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::TimestampUtc => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Integer(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity), precision, scale }
            }
            _ => unreachable!("the catalogue gives no {kind} to artifacts"),
        }
    }

    /// Appends the value that `text` spells. After a failure the column must be truncated before it is used again.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(boolean::parse(text)),
            Self::Timestamp(column) => column.push(timestamp::parse(text)),
            Self::Integer(column) => column.push(integer::parse(text)),
            Self::Decimal { column, precision, scale } => column.push(decimal::parse(text, *precision, *scale)),
        }
    }

    /// Appends a row without a value.
    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        each!(self, column => column.push_null())
    }
}

impl Builder for ColumnBuilder {
    fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        match self {
            Self::Text(column) | Self::Json(column) => column.finish(),
            Self::Bool(column) => Some(column.finish_bool()),
            Self::Timestamp(column) => Some(column.finish::<TimestampMicrosecondType>(data_type.clone())),
            Self::Integer(column) => Some(column.finish::<Int64Type>(data_type.clone())),
            Self::Decimal { column, .. } => Some(column.finish::<Decimal128Type>(data_type.clone())),
        }
    }
}

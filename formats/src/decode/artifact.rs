//! Columns of artifacts, filled from text.

use super::{
    builder::{Bool, BytesColumn, FixedColumn, Validity},
    columns::ColumnBuilder,
    parse::{calendar, calendar::FinerTimes, number, scalar},
    row_error::RowErrorKind,
};
use crate::ColumnType;
use arrow_array::{
    ArrayRef,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::DataType;

/// Rows decoded before the capacity of the columns is estimated.
pub(super) const SAMPLE: usize = 64;

/// A column of an artifact. The catalogue gives artifacts six types.
#[derive(Debug)]
pub(super) enum ArtifactColumn {
    Text(BytesColumn),
    Json(BytesColumn),
    Bool(FixedColumn<Bool>),
    Timestamp { column: FixedColumn<TimestampMicrosecondType>, finer: FinerTimes },
    Integer(FixedColumn<Int64Type>),
    Decimal { column: FixedColumn<Decimal128Type>, precision: u8, scale: u8 },
}

/// Evaluates an expression for the column inside any variant of [`ArtifactColumn`].
macro_rules! each {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::Json($column) => $body,
            Self::Bool($column) => $body,
            Self::Timestamp { column: $column, .. } => $body,
            Self::Integer($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
        }
    };
}

impl ArtifactColumn {
    /// An empty column. Rows without a value fail with `missing`, if given.
    pub(super) fn new(kind: &ColumnType, missing: Option<RowErrorKind>, finer: FinerTimes) -> Self {
        let validity = Validity::new(missing);
        match *kind {
            ColumnType::Text => Self::Text(BytesColumn::new(validity)),
            ColumnType::Json => Self::Json(BytesColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::TimestampUtc => Self::Timestamp { column: FixedColumn::new(validity), finer },
            ColumnType::Int64 => Self::Integer(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity), precision, scale }
            }
            _ => unreachable!("artifacts have no columns of type {kind}"),
        }
    }

    /// Parses `text` and appends the value. After an error the column must be truncated before it is used again.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(scalar::parse_bool(text)),
            Self::Timestamp { column, finer } => column.push(calendar::parse_timestamp(text, *finer)),
            Self::Integer(column) => column.push(number::parse_whole_number(text)),
            Self::Decimal { column, precision, scale } => column.push(number::parse_decimal(text, *precision, *scale)),
        }
    }
}

impl ColumnBuilder for ArtifactColumn {
    #[inline]
    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        each!(self, column => column.push_null())
    }

    fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        each!(self, column => column.finish(data_type))
    }
}

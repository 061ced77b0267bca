//! Columns that grow by one value per row and can take the last row back.

use super::{decimal, fault::Fault, integer, text::TextColumn, timestamp, validity::Validity};
use crate::ColumnType;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, PrimitiveArray,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of values of one width.
#[derive(Debug)]
pub(super) struct FixedColumn<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    validity: Validity,
    data_type: DataType,
}

impl<T: ArrowPrimitiveType> FixedColumn<T> {
    const fn new(validity: Validity, data_type: DataType) -> Self {
        Self { values: Vec::new(), validity, data_type }
    }

    #[inline]
    fn push(&mut self, field: &[u8], parse: impl FnOnce(&[u8]) -> Result<T::Native, Fault>) -> Result<(), Fault> {
        // Doubled quotes inside need no care: no value of these types has one.
        let text = if let [b'"', text @ .., b'"'] = field { text } else { field };
        if text.is_empty() {
            self.validity.push_null()?;
            self.values.push(T::Native::default());
        } else {
            self.values.push(parse(text)?);
            self.validity.push_value();
        }
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.values.reserve(self.values.len() * factor);
    }

    fn finish(self) -> ArrayRef {
        let values = ScalarBuffer::from(self.values);
        Arc::new(PrimitiveArray::<T>::new(values, self.validity.finish()).with_data_type(self.data_type))
    }
}

/// A column of an artifact, by the family of its type.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Text(TextColumn),
    Timestamp(FixedColumn<TimestampMicrosecondType>),
    Integer(FixedColumn<Int64Type>),
    Decimal { column: FixedColumn<Decimal128Type>, precision: u8, scale: u8 },
}

impl ColumnBuilder {
    /// An empty column of a type that texts are read into. Its rows without a value have the `fault`, if any.
    pub(super) fn new(kind: &ColumnType, data_type: DataType, fault: Option<Fault>) -> Option<Self> {
        let validity = Validity::new(fault);
        Some(match *kind {
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::TimestampUtc => Self::Timestamp(FixedColumn::new(validity, data_type)),
            ColumnType::Int64 => Self::Integer(FixedColumn::new(validity, data_type)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity, data_type), precision, scale }
            }
            _ => return None,
        })
    }

    /// Whether texts are read into this type.
    pub(super) fn reads(kind: &ColumnType) -> bool {
        Self::new(kind, DataType::Null, None).is_some()
    }

    /// Appends the value of `field`. After a failure the column must be truncated before it is used again.
    #[inline]
    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Text(column) => column.push(field),
            Self::Timestamp(column) => column.push(field, timestamp::parse),
            Self::Integer(column) => column.push(field, integer::parse),
            Self::Decimal { column, precision, scale } => {
                column.push(field, |text| decimal::parse(text, *precision, *scale))
            }
        }
    }

    /// Removes all rows but the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Text(column) => column.truncate(rows),
            Self::Timestamp(column) => column.truncate(rows),
            Self::Integer(column) => column.truncate(rows),
            Self::Decimal { column, .. } => column.truncate(rows),
        }
    }

    /// Makes room for `factor` times what the column holds.
    pub(super) fn reserve(&mut self, factor: usize) {
        match self {
            Self::Text(column) => column.reserve(factor),
            Self::Timestamp(column) => column.reserve(factor),
            Self::Integer(column) => column.reserve(factor),
            Self::Decimal { column, .. } => column.reserve(factor),
        }
    }

    /// The column as Arrow sees it, or `None` when it has text that is not UTF-8.
    pub(super) fn finish(self) -> Option<ArrayRef> {
        match self {
            Self::Text(column) => column.finish(),
            Self::Timestamp(column) => Some(column.finish()),
            Self::Integer(column) => Some(column.finish()),
            Self::Decimal { column, .. } => Some(column.finish()),
        }
    }
}

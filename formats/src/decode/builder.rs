//! Builders of Arrow arrays from which the last rows can be removed.

use super::{columns::ColumnBuilder, row_error::RowErrorKind};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// Validity bitmap of a column.
#[derive(Debug)]
pub(super) struct Validity {
    nulls: NullBufferBuilder,
    /// Error of a row without a value; `None` if the column is nullable.
    missing: Option<RowErrorKind>,
}

impl Validity {
    pub(super) fn new(missing: Option<RowErrorKind>) -> Self {
        Self { nulls: NullBufferBuilder::new(0), missing }
    }

    #[inline]
    pub(super) fn push_value(&mut self) {
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), RowErrorKind> {
        if let Some(kind) = self.missing {
            return Err(kind);
        }
        self.nulls.append_null();
        Ok(())
    }

    /// Appends a row for each of `fields`.
    #[inline]
    pub(super) fn extend<T>(&mut self, fields: &[Option<T>]) -> Result<(), RowErrorKind> {
        if fields.iter().all(Option::is_some) {
            self.nulls.append_n_non_nulls(fields.len());
            return Ok(());
        }
        if let Some(kind) = self.missing {
            return Err(kind);
        }
        let values = BooleanBuffer::collect_bool(fields.len(), |row| fields[row].is_some());
        self.nulls.append_buffer(&NullBuffer::new(values));
        Ok(())
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
    }

    pub(super) fn finish(mut self) -> Option<NullBuffer> {
        self.nulls.finish()
    }
}

/// Values of one width, and the Arrow array that holds them.
pub(super) trait FixedWidth {
    type Value: Default;

    fn array(values: Vec<Self::Value>, nulls: Option<NullBuffer>, data_type: &DataType) -> ArrayRef;
}

impl<T: ArrowPrimitiveType> FixedWidth for T {
    type Value = T::Native;

    fn array(values: Vec<T::Native>, nulls: Option<NullBuffer>, data_type: &DataType) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
    }
}

/// Booleans.
#[derive(Debug)]
pub(super) struct Bool;

impl FixedWidth for Bool {
    type Value = bool;

    fn array(values: Vec<bool>, nulls: Option<NullBuffer>, _: &DataType) -> ArrayRef {
        Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
    }
}

/// UUIDs.
#[derive(Debug)]
pub(super) struct Uuid;

impl FixedWidth for Uuid {
    type Value = [u8; 16];

    fn array(values: Vec<[u8; 16]>, nulls: Option<NullBuffer>, _: &DataType) -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::new(16, values.into_flattened().into(), nulls))
    }
}

/// A growing column of values of one width.
#[derive(Debug)]
pub(super) struct FixedColumn<T: FixedWidth> {
    values: Vec<T::Value>,
    validity: Validity,
}

impl<T: FixedWidth> FixedColumn<T> {
    pub(super) const fn new(validity: Validity) -> Self {
        Self { values: Vec::new(), validity }
    }

    #[inline]
    pub(super) fn push(&mut self, value: Result<T::Value, RowErrorKind>) -> Result<(), RowErrorKind> {
        self.values.push(value?);
        self.validity.push_value();
        Ok(())
    }

    /// Appends a row for each of `fields`: the value that `read` returns, or NULL. After an error the column must be
    /// truncated before it is used again.
    #[inline]
    pub(super) fn extend<E: From<RowErrorKind>>(
        &mut self,
        fields: &[Option<&[u8]>],
        read: impl Fn(&[u8]) -> Result<T::Value, E>,
    ) -> Result<(), E> {
        let mut failure = Ok(());
        let mut value = |field: &[u8]| {
            read(field).unwrap_or_else(|error| {
                failure = Err(error);
                T::Value::default()
            })
        };
        // A loop that stopped at the first failure would check the capacity for each value.
        self.values.extend(fields.iter().map(|field| field.map_or_else(T::Value::default, &mut value)));
        failure?;
        Ok(self.validity.extend(fields)?)
    }
}

impl<T: FixedWidth> ColumnBuilder for FixedColumn<T> {
    #[inline]
    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.values.push(T::Value::default());
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.values.reserve(reserved(self.values.len(), factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        Some(T::array(self.values, self.validity.finish(), data_type))
    }
}

/// A growing column of text or bytes. Text is checked for UTF-8 once, when it is finished.
#[derive(Debug)]
pub(super) struct BytesColumn {
    bytes: Vec<u8>,
    /// Start of each value, and of the next one.
    offsets: Vec<i32>,
    validity: Validity,
}

impl BytesColumn {
    pub(super) fn new(validity: Validity) -> Self {
        Self { bytes: Vec::new(), offsets: vec![0], validity }
    }

    /// Appends `text`.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        self.bytes.extend_from_slice(text);
        self.end_value()
    }

    /// Appends the bytes that `write` pushes. An error may leave bytes behind, which [`Self::truncate`] removes.
    #[inline]
    pub(super) fn push_with(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), RowErrorKind>,
    ) -> Result<(), RowErrorKind> {
        write(&mut self.bytes)?;
        self.end_value()
    }

    #[inline]
    fn end_value(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_value();
        self.end()
    }

    #[inline]
    fn end(&mut self) -> Result<(), RowErrorKind> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| RowErrorKind::ChunkTooLarge)?);
        Ok(())
    }

    /// Appends a row for each of `fields`. After an error the column must be truncated before it is used again.
    #[inline]
    pub(super) fn extend(&mut self, fields: &[Option<&[u8]>]) -> Result<(), RowErrorKind> {
        for field in fields {
            self.bytes.extend_from_slice(field.unwrap_or_default());
            self.end()?;
        }
        self.validity.extend(fields)
    }
}

impl ColumnBuilder for BytesColumn {
    #[inline]
    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.end()
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(last_offset(&self.offsets));
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(reserved(self.offsets.len(), factor));
        self.bytes.reserve(reserved(self.bytes.len(), factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let (bytes, nulls) = (self.bytes.into(), self.validity.finish());
        Some(match data_type {
            DataType::Binary => Arc::new(BinaryArray::new(offsets, bytes, nulls)),
            _ => Arc::new(StringArray::try_new(offsets, bytes, nulls).ok()?),
        })
    }
}

/// The capacity for `factor` times `content`, and a quarter more: the rest of a chunk is not quite like its first rows, and
/// a column that grows again is copied as a whole.
pub(super) const fn reserved(content: usize, factor: usize) -> usize {
    let expected = content.saturating_mul(factor);
    expected.saturating_add(expected / 4)
}

/// The end of the last value.
pub(super) fn last_offset(offsets: &[i32]) -> usize {
    #[expect(clippy::expect_used, reason = "offsets are made from lengths")]
    offsets.last().map_or(0, |end| usize::try_from(*end).expect("an offset is not negative"))
}

//! Builders of Arrow arrays from which the last rows can be removed.

use super::row_error::RowErrorKind;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
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

/// A growing column of values of one width.
#[derive(Debug)]
pub(super) struct FixedColumn<V> {
    values: Vec<V>,
    validity: Validity,
}

impl<V: Default> FixedColumn<V> {
    pub(super) const fn new(validity: Validity) -> Self {
        Self { values: Vec::new(), validity }
    }

    #[inline]
    pub(super) fn push(&mut self, value: Result<V, RowErrorKind>) -> Result<(), RowErrorKind> {
        self.values.push(value?);
        self.validity.push_value();
        Ok(())
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.values.push(V::default());
        Ok(())
    }

    /// Appends a row for each of `fields`: the value that `read` returns, or NULL. After an error the column must be
    /// truncated before it is used again.
    #[inline]
    pub(super) fn extend<E: From<RowErrorKind>>(
        &mut self,
        fields: &[Option<&[u8]>],
        read: impl Fn(&[u8]) -> Result<V, E>,
    ) -> Result<(), E> {
        let mut failure = Ok(());
        let mut value = |field: &[u8]| {
            read(field).unwrap_or_else(|error| {
                failure = Err(error);
                V::default()
            })
        };
        // A loop that stopped at the first failure would check the capacity for each value.
        self.values.extend(fields.iter().map(|field| field.map_or_else(V::default, &mut value)));
        failure?;
        Ok(self.validity.extend(fields)?)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    pub(super) fn reserve(&mut self, factor: usize) {
        self.values.reserve(self.values.len() * factor);
    }
}

impl<V: ArrowNativeType> FixedColumn<V> {
    pub(super) fn finish<T: ArrowPrimitiveType<Native = V>>(self, data_type: DataType) -> ArrayRef {
        let values = ScalarBuffer::from(self.values);
        Arc::new(PrimitiveArray::<T>::new(values, self.validity.finish()).with_data_type(data_type))
    }
}

impl FixedColumn<bool> {
    pub(super) fn finish_bool(self) -> ArrayRef {
        Arc::new(BooleanArray::new(BooleanBuffer::from(self.values), self.validity.finish()))
    }
}

impl<const N: usize> FixedColumn<[u8; N]> {
    pub(super) fn finish_bytes(self) -> ArrayRef {
        #[expect(clippy::expect_used, reason = "the only fixed-size type is the UUID, of 16 bytes")]
        let width = i32::try_from(N).expect("the width fits into 31 bits");
        Arc::new(FixedSizeBinaryArray::new(width, self.values.into_flattened().into(), self.validity.finish()))
    }
}

/// A growing column of text or bytes. Text is checked for UTF-8 once, by [`Self::finish`].
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    /// Start of each value, and of the next one.
    offsets: Vec<i32>,
    validity: Validity,
}

impl TextColumn {
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
    pub(super) fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.end()
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

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        #[expect(clippy::expect_used, reason = "offsets are made from lengths")]
        let end = self.offsets.last().map_or(0, |end| usize::try_from(*end).expect("an offset is not negative"));
        self.bytes.truncate(end);
        self.validity.truncate(rows);
    }

    /// Reserves capacity for `factor` times the present content.
    pub(super) fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.bytes.reserve(self.bytes.len() * factor);
    }

    /// The finished array; `None` if a value is not UTF-8.
    pub(super) fn finish(self) -> Option<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let array = StringArray::try_new(offsets, self.bytes.into(), self.validity.finish()).ok()?;
        Some(Arc::new(array))
    }

    /// The finished array of bytes, which need not be text.
    pub(super) fn finish_binary(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(BinaryArray::new(offsets, self.bytes.into(), self.validity.finish()))
    }
}

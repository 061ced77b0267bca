//! Arrow arrays that grow by one row at a time, and from which the last rows can be removed.

use super::fault::Fault;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// Which rows have a value.
#[derive(Debug)]
pub(super) struct Validity {
    nulls: NullBufferBuilder,
    /// What a row without a value does wrong; `None` when it may have none.
    fault: Option<Fault>,
}

impl Validity {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { nulls: NullBufferBuilder::new(0), fault }
    }

    #[inline]
    pub(super) fn push_value(&mut self) {
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.nulls.append_null();
        Ok(())
    }

    /// Appends a row for each of `fields`.
    #[inline]
    pub(super) fn extend<T>(&mut self, fields: &[Option<T>]) -> Result<(), Fault> {
        if fields.iter().all(Option::is_some) {
            self.nulls.append_n_non_nulls(fields.len());
            return Ok(());
        }
        if let Some(fault) = self.fault {
            return Err(fault);
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

/// A column of values of one width.
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
    pub(super) fn push(&mut self, value: Result<V, Fault>) -> Result<(), Fault> {
        self.values.push(value?);
        self.validity.push_value();
        Ok(())
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        self.validity.push_null()?;
        self.values.push(V::default());
        Ok(())
    }

    /// Appends a row for each of `fields`: what `read` makes of it, or NULL. After a failure the column must be truncated
    /// before it is used again.
    #[inline]
    pub(super) fn extend<E: From<Fault>>(
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
        // A loop that stopped at the first failure would have to look at the capacity with every value.
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
        let width = i32::try_from(N).unwrap_or(i32::MAX);
        Arc::new(FixedSizeBinaryArray::new(width, self.values.into_flattened().into(), self.validity.finish()))
    }
}

/// A column of text or bytes that grows. Text is checked to be UTF-8 all at once when it is finished.
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    /// Where each value begins; the last one is where the next value will.
    offsets: Vec<i32>,
    validity: Validity,
}

impl TextColumn {
    pub(super) fn new(validity: Validity) -> Self {
        Self { bytes: Vec::new(), offsets: vec![0], validity }
    }

    /// Appends `text`.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(text);
        self.end_value()
    }

    /// Appends what `write` puts behind the bytes it is given. A failure may leave bytes behind, which
    /// [`Self::truncate`] removes.
    #[inline]
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>) -> Result<(), Fault> {
        write(&mut self.bytes)?;
        self.end_value()
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        self.validity.push_null()?;
        self.end()
    }

    #[inline]
    fn end_value(&mut self) -> Result<(), Fault> {
        self.validity.push_value();
        self.end()
    }

    #[inline]
    fn end(&mut self) -> Result<(), Fault> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| Fault::ChunkTooLarge)?);
        Ok(())
    }

    /// Appends a row for each of `fields`. After a failure the column must be truncated before it is used again.
    #[inline]
    pub(super) fn extend(&mut self, fields: &[Option<&[u8]>]) -> Result<(), Fault> {
        for field in fields {
            self.bytes.extend_from_slice(field.unwrap_or_default());
            self.end()?;
        }
        self.validity.extend(fields)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.offsets.last().map_or(0, |end| usize::try_from(*end).unwrap_or_default());
        self.bytes.truncate(end);
        self.validity.truncate(rows);
    }

    /// Makes room for `factor` times what the column holds, and a little more.
    pub(super) fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.bytes.reserve(self.bytes.len() * factor);
    }

    /// The column, or `None` when a value is not UTF-8.
    pub(super) fn finish(self) -> Option<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let array = StringArray::try_new(offsets, self.bytes.into(), self.validity.finish()).ok()?;
        Some(Arc::new(array))
    }

    /// The column of bytes that need not be text.
    pub(super) fn finish_binary(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(BinaryArray::new(offsets, self.bytes.into(), self.validity.finish()))
    }
}

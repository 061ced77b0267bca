//! Columns of values of one width.

use super::validity::Validity;
use crate::decode::fault::Fault;
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of values of one width.
#[derive(Debug)]
pub(in crate::decode) struct FixedColumn<V> {
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

impl FixedColumn<[u8; 16]> {
    pub(super) fn finish_uuid(self) -> ArrayRef {
        let bytes = Buffer::from(self.values.into_flattened());
        Arc::new(FixedSizeBinaryArray::new(16, bytes, self.validity.finish()))
    }
}

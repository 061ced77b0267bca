//! Columns of values of one width.

use super::validity::Validity;
use crate::decode::fault::Fault;
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of values of one width.
#[derive(Debug)]
pub(in crate::decode) struct FixedColumn<V> {
    values: Vec<V>,
    validity: Validity,
}

impl<V: Default> FixedColumn<V> {
    pub(in crate::decode) const fn new(validity: Validity) -> Self {
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
    pub(in crate::decode) fn extend<E: From<Fault>>(
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

    pub(in crate::decode) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    pub(in crate::decode) fn reserve(&mut self, factor: usize) {
        self.values.reserve(self.values.len() * factor);
    }
}

impl<V: ArrowNativeType> FixedColumn<V> {
    pub(in crate::decode) fn finish<T: ArrowPrimitiveType<Native = V>>(self, data_type: DataType) -> ArrayRef {
        let values = ScalarBuffer::from(self.values);
        Arc::new(PrimitiveArray::<T>::new(values, self.validity.finish()).with_data_type(data_type))
    }
}

impl FixedColumn<bool> {
    pub(in crate::decode) fn finish_bool(self) -> ArrayRef {
        Arc::new(BooleanArray::new(BooleanBuffer::from(self.values), self.validity.finish()))
    }
}

impl<const N: usize> FixedColumn<[u8; N]> {
    pub(in crate::decode) fn finish_bytes(self) -> ArrayRef {
        let width = i32::try_from(N).unwrap_or(i32::MAX);
        Arc::new(FixedSizeBinaryArray::new(width, self.values.into_flattened().into(), self.validity.finish()))
    }
}

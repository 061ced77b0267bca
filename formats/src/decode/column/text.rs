//! A column of text or bytes.

use super::validity::Validity;
use crate::decode::fault::Fault;
use arrow_array::{ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

/// A column of text or bytes that grows. Text is checked to be UTF-8 all at once when it is finished.
#[derive(Debug)]
pub(in crate::decode) struct TextColumn {
    bytes: Vec<u8>,
    /// Where each value begins; the last one is where the next value will.
    offsets: Vec<i32>,
    validity: Validity,
}

impl TextColumn {
    pub(in crate::decode) fn new(validity: Validity) -> Self {
        Self { bytes: Vec::new(), offsets: vec![0], validity }
    }

    /// Appends `text`.
    #[inline]
    pub(in crate::decode) fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(text);
        self.end_value()
    }

    /// Appends what `write` puts behind the bytes it is given. A failure may leave bytes behind, which
    /// [`Self::truncate`] removes.
    #[inline]
    pub(in crate::decode) fn push_with(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        write(&mut self.bytes)?;
        self.end_value()
    }

    #[inline]
    pub(in crate::decode) fn push_null(&mut self) -> Result<(), Fault> {
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
    pub(in crate::decode) fn extend(&mut self, fields: &[Option<&[u8]>]) -> Result<(), Fault> {
        for field in fields {
            self.bytes.extend_from_slice(field.unwrap_or_default());
            self.end()?;
        }
        self.validity.extend(fields)
    }

    pub(in crate::decode) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.offsets.last().map_or(0, |end| usize::try_from(*end).unwrap_or_default());
        self.bytes.truncate(end);
        self.validity.truncate(rows);
    }

    /// Makes room for `factor` times what the column holds, and a little more.
    pub(in crate::decode) fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.bytes.reserve(self.bytes.len() * factor);
    }

    /// The column, or `None` when a value is not UTF-8.
    pub(in crate::decode) fn finish(self) -> Option<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let array = StringArray::try_new(offsets, self.bytes.into(), self.validity.finish()).ok()?;
        Some(Arc::new(array))
    }

    /// The column of bytes that need not be text.
    pub(in crate::decode) fn finish_binary(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(BinaryArray::new(offsets, self.bytes.into(), self.validity.finish()))
    }
}

//! A column of lists.

use super::{archived::ArchivedColumn, validity::Validity};
use crate::{
    ColumnType,
    decode::{columns::Builder as _, fault::Fault, value::element},
};
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of lists that grows.
#[derive(Debug)]
pub(in crate::decode) struct ListColumn {
    elements: Box<ArchivedColumn>,
    /// How many elements there are.
    count: usize,
    /// The number of each list's first element; the last one is that of the next list's.
    offsets: Vec<i32>,
    validity: Validity,
}

impl ListColumn {
    pub(super) fn new(element: &ColumnType, validity: Validity) -> Self {
        let elements = Box::new(ArchivedColumn::of_elements(element));
        Self { elements, count: 0, offsets: vec![0], validity }
    }

    /// Appends the list that the JSON array `text` spells.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        if self.read(text)?.is_empty() { Ok(()) } else { Err(element::FAULT) }
    }

    /// Appends the list that `text` begins with, and returns what comes after it.
    pub(super) fn read<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], Fault> {
        let mut rest = text.strip_prefix(b"[").ok_or(element::FAULT)?;
        if let [b']', after @ ..] = rest {
            self.end_value()?;
            return Ok(after);
        }
        loop {
            rest = self.elements.push_element(rest)?;
            self.count += 1;
            match rest {
                [b',', after @ ..] => rest = after,
                [b']', after @ ..] => {
                    self.end_value()?;
                    return Ok(after);
                }
                _ => return Err(element::FAULT),
            }
        }
    }

    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        self.validity.push_null()?;
        self.end()
    }

    fn end_value(&mut self) -> Result<(), Fault> {
        self.validity.push_value();
        self.end()
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.offsets.push(i32::try_from(self.count).map_err(|_| Fault::ChunkTooLarge)?);
        Ok(())
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.count = self.offsets.last().map_or(0, |end| usize::try_from(*end).unwrap_or_default());
        self.elements.truncate(self.count);
        self.validity.truncate(rows);
    }

    pub(super) fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.elements.reserve(factor);
    }

    /// The column, or `None` when an element is text that is not UTF-8.
    pub(super) fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let DataType::List(field) = data_type else { return None };
        let elements = self.elements.finish(field.data_type())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::new(Arc::clone(field), offsets, elements, self.validity.finish())))
    }
}

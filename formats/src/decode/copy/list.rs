//! One-dimensional arrays.

use super::{
    Failure,
    column::CopyColumn,
    fields::{Field, split},
};
use crate::{
    ColumnType,
    decode::{column::Validity, fault::Fault, utf8::Utf8},
};
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of lists that grows.
#[derive(Debug)]
pub(super) struct ListColumn {
    /// The elements of all lists.
    elements: Box<CopyColumn>,
    /// Where each list begins in them; the last one is where the next list will.
    offsets: Vec<i32>,
    validity: Validity,
}

impl ListColumn {
    /// An empty column, or `None` when no values are read into the elements' type, or it is a list itself.
    pub(super) fn new(element: &ColumnType, validity: Validity) -> Option<Self> {
        if matches!(element, ColumnType::List(_)) {
            return None;
        }
        let elements = Box::new(CopyColumn::new(element, None)?);
        Some(Self { elements, offsets: vec![0], validity })
    }

    /// Appends a list for each of `fields`. After a failure the column must be truncated before it is used again.
    pub(super) fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8) -> Result<(), Failure> {
        let start = self.last_offset();
        let mut elements = Vec::new();
        for field in fields {
            if let Some(field) = field {
                push_elements(field, &mut elements)?;
            }
            self.offsets.push(i32::try_from(start + elements.len()).map_err(|_| Fault::ChunkTooLarge)?);
        }
        self.elements.extend(&elements, utf8)?;
        Ok(self.validity.extend(fields)?)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.elements.truncate(self.last_offset());
        self.validity.truncate(rows);
    }

    pub(super) fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.elements.reserve(factor);
    }

    /// The column, or `None` when an element is not UTF-8.
    pub(super) fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let DataType::List(field) = data_type else { unreachable!("the column was built from its field") };
        let elements = self.elements.finish(field.data_type())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::new(Arc::clone(field), offsets, elements, self.validity.finish())))
    }

    fn last_offset(&self) -> usize {
        self.offsets.last().map_or(0, |offset| usize::try_from(*offset).unwrap_or_default())
    }
}

/// Adds the elements of an array to `elements`. What the server says of the elements' type and of their numbering is
/// passed over: the catalogue has told the one, and a list has no place for the other.
fn push_elements<'a>(array: &'a [u8], elements: &mut Vec<Field<'a>>) -> Result<(), Failure> {
    let broken = Failure::Broken("an array that is shorter than it says");
    let (head, rest) = array.split_first_chunk::<12>().ok_or(broken)?;
    let [d0, d1, d2, d3, ..] = *head;
    match i32::from_be_bytes([d0, d1, d2, d3]) {
        0 if rest.is_empty() => return Ok(()),
        0 => return Err(TOO_LONG),
        1 => {}
        2.. => return Err(Failure::Nested),
        _ => return Err(Failure::Broken("an array of fewer than no dimensions")),
    }
    let ([l0, l1, l2, l3, ..], mut rest) = rest.split_first_chunk::<8>().ok_or(broken)?;
    let length = i32::from_be_bytes([*l0, *l1, *l2, *l3]);
    if length < 0 {
        return Err(Failure::Broken("an array of a length below zero"));
    }
    for _ in 0..length {
        let (element, after) = split(rest).ok_or(broken)?;
        elements.push(element);
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(TOO_LONG) }
}

const TOO_LONG: Failure = Failure::Broken("an array that is longer than it says");

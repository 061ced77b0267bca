//! Text, and what quotes mean.

use super::{
    block::{LANE, lane_positions},
    fault::Fault,
    validity::Validity,
};
use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

/// A text column that grows. Its bytes are checked to be UTF-8 all at once when it is finished.
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

    /// Appends the value of `field`. A failure may leave bytes behind, which [`Self::truncate`] removes.
    #[inline]
    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), Fault> {
        match field {
            [] | [b'"', b'"'] => self.validity.push_null()?,
            [b'"', quoted @ ..] => {
                unquote(quoted, &mut self.bytes)?;
                self.validity.push_value();
            }
            plain => {
                self.bytes.extend_from_slice(plain);
                self.validity.push_value();
            }
        }
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| Fault::ChunkTooLarge)?);
        Ok(())
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
}

/// Appends to `out` the value of a quoted field, of which `text` comes after the opening quote: `a ""b"""` is `a "b"`.
pub(super) fn unquote(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = text.strip_suffix(b"\"").ok_or(Fault::Quotes)?;
    out.reserve(rest.len() + LANE);
    while let Some((lane, after)) = rest.split_first_chunk() {
        // JSON has a quote every few bytes. Copying all bytes of the lane and taking those after the quote back is
        // faster than a copy of just the right length.
        let start = out.len();
        out.extend_from_slice(lane);
        let quotes = lane_positions(*lane, b'"');
        if quotes == 0 {
            rest = after;
        } else {
            let quote = quotes.trailing_zeros() as usize;
            out.truncate(start + quote + 1);
            rest = after_doubled(rest, quote)?;
        }
    }
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        rest = after_doubled(rest, quote)?;
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// What comes after the doubled quote at `quote`. A single one in the middle ends the quoted text too early.
#[inline]
fn after_doubled(text: &[u8], quote: usize) -> Result<&[u8], Fault> {
    match &text[quote + 1..] {
        [b'"', rest @ ..] => Ok(rest),
        _ => Err(Fault::Quotes),
    }
}

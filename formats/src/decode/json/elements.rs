//! Cuts the elements of a list into chunks.

use super::{
    JsonError, records,
    structure::{Nesting, Outermost},
};
use crate::decode::block::BLOCK;
use std::collections::VecDeque;

/// Gathers whole elements, up to the bracket that closes the list.
#[derive(Debug)]
pub(super) struct ElementCutter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    /// The mark of a chunk of elements, and what comes after a comma.
    current: Vec<u8>,
    nesting: Nesting,
    /// Bytes of `current` that were scanned.
    scanned: usize,
    /// Where the element begins that has not ended yet.
    element: usize,
    /// Commas between elements.
    commas: u64,
    /// How many elements there are, once all were seen.
    count: u64,
    /// The closing bracket and what comes after it, once it was found.
    after: Option<Vec<u8>>,
}

impl ElementCutter {
    pub(super) fn new(chunk_bytes: usize, max_record_bytes: usize) -> Self {
        Self {
            chunk_bytes,
            max_record_bytes,
            current: vec![records::LIST],
            nesting: Nesting::default(),
            scanned: 1,
            element: 1,
            commas: 0,
            count: 0,
            after: None,
        }
    }

    pub(super) fn push(&mut self, piece: &[u8], ready: &mut VecDeque<Vec<u8>>) -> Result<(), JsonError> {
        if let Some(after) = &mut self.after {
            after.extend_from_slice(piece);
            return Ok(());
        }
        self.current.extend_from_slice(piece);
        while self.after.is_none()
            && let Some(block) = self.current.get(self.scanned..).and_then(<[u8]>::first_chunk::<BLOCK>)
        {
            let outermost = self.nesting.advance(block);
            self.apply(outermost)?;
        }
        if self.element > self.chunk_bytes {
            self.cut(ready, piece.len());
        }
        Ok(())
    }

    /// How much came after the list so far.
    pub(super) fn bytes_after(&self) -> usize {
        self.after.as_ref().map_or(0, Vec::len)
    }

    /// How many elements there are, after [`Self::finish`].
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The rest of the elements. Returns what comes after them, the closing bracket first.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<Vec<u8>>) -> Result<Vec<u8>, JsonError> {
        if self.after.is_none() {
            let outermost = self.nesting.advance_last(self.current.get(self.scanned..).unwrap_or_default());
            self.apply(outermost)?;
        }
        let after = self.after.take().ok_or(JsonError::Truncated)?;
        let is_blank = |element: &[u8]| element.iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        if self.commas > 0 || !is_blank(self.current.get(self.element..).unwrap_or_default()) {
            self.count = self.commas + 1;
            ready.push_back(std::mem::take(&mut self.current));
        }
        Ok(after)
    }

    #[inline]
    fn apply(&mut self, Outermost { commas, end }: Outermost) -> Result<(), JsonError> {
        if commas != 0 {
            self.check_length(self.scanned + commas.trailing_zeros() as usize)?;
            self.element = self.scanned + BLOCK - commas.leading_zeros() as usize;
            self.commas += u64::from(commas.count_ones());
        }
        let end = end.map(|end| self.scanned + end);
        self.scanned += BLOCK;
        self.check_length(end.unwrap_or(self.scanned))?;
        if let Some(end) = end {
            self.after = Some(self.current.split_off(end));
        }
        Ok(())
    }

    fn check_length(&self, end: usize) -> Result<(), JsonError> {
        let length = end.min(self.current.len()).saturating_sub(self.element);
        if length > self.max_record_bytes { Err(JsonError::RecordTooLong) } else { Ok(()) }
    }

    /// Makes a chunk of all whole elements but for the comma after them.
    fn cut(&mut self, ready: &mut VecDeque<Vec<u8>>, piece: usize) {
        let mut next = Vec::with_capacity(self.chunk_bytes + piece);
        next.push(records::LIST);
        next.extend_from_slice(self.current.get(self.element..).unwrap_or_default());
        self.current.truncate(self.element - 1);
        ready.push_back(std::mem::replace(&mut self.current, next));
        self.scanned = self.scanned + 1 - self.element;
        self.element = 1;
    }
}

//! Cuts lines into chunks.

use super::{JsonError, records, structure};
use std::collections::VecDeque;

/// Gathers whole lines. A line feed ends a record wherever it stands, since JSON has none inside of strings: a broken
/// record cannot swallow the next one.
#[derive(Debug)]
pub(super) struct LineCutter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    /// Begins with a line.
    current: Vec<u8>,
    /// Where the line begins that has not ended yet.
    line: usize,
}

impl LineCutter {
    pub(super) const fn new(chunk_bytes: usize, max_record_bytes: usize) -> Self {
        Self { chunk_bytes, max_record_bytes, current: Vec::new(), line: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], ready: &mut VecDeque<Vec<u8>>) -> Result<(), JsonError> {
        if self.current.capacity() == 0 {
            self.current.reserve(self.chunk_bytes + piece.len());
        }
        let start = self.current.len();
        self.current.extend_from_slice(piece);
        let first_end = memchr::memchr(b'\n', piece).map_or(self.current.len(), |at| start + at);
        if first_end - self.line > self.max_record_bytes {
            return Err(JsonError::RecordTooLong);
        }
        if let Some(last) = memchr::memrchr(b'\n', piece) {
            self.line = start + last + 1;
        }
        if self.line >= self.chunk_bytes {
            let mut next = Vec::with_capacity(self.chunk_bytes + piece.len());
            next.extend_from_slice(self.current.get(self.line..).unwrap_or_default());
            self.current.truncate(self.line);
            ready.push_back(marked(std::mem::replace(&mut self.current, next)));
            self.line = 0;
        }
        Ok(())
    }

    /// Fails when the last line has no end and its brackets are not closed.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<Vec<u8>>) -> Result<(), JsonError> {
        if structure::is_cut_short(self.current.get(self.line..).unwrap_or_default()) {
            return Err(JsonError::Truncated);
        }
        if !self.current.is_empty() {
            ready.push_back(marked(std::mem::take(&mut self.current)));
        }
        Ok(())
    }
}

/// The chunk of these lines.
fn marked(mut lines: Vec<u8>) -> Vec<u8> {
    if matches!(lines.first(), Some(&records::LIST | &records::LINES)) {
        lines.insert(0, records::LINES);
    }
    lines
}

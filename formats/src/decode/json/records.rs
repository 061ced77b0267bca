//! Cuts input into chunks of records, and iterates over the records of a chunk.

use super::{
    JsonError,
    cursor::Cursor,
    structure::{self, Nesting, Outermost},
};
use crate::decode::{row_error::RowErrorKind, simd::BLOCK};
use std::collections::VecDeque;

/// First byte of a chunk of array elements.
pub(super) const LIST: u8 = b'[';

/// First byte of a chunk of lines, if the first line starts with one of these two bytes.
pub(super) const LINES: u8 = 0x1e;

/// Iterates over the records of a chunk. A chunk is either lines, of which blank ones are skipped, or an opening bracket
/// and array elements with commas between.
///
/// The caller parses a record and reports its length by [`Self::accept`], which saves a scan for its end.
#[derive(Debug)]
pub(super) struct Records<'a> {
    chunk: &'a [u8],
    is_list: bool,
    /// Start of the next line or element; `None` after the last one.
    next: Option<usize>,
    /// Start of the current record, and an upper bound of its end.
    start: usize,
    limit: usize,
    /// Number of lines or elements up to the current one.
    count: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(chunk: &'a [u8]) -> Self {
        let (chunk, is_list) = match chunk {
            [LIST, elements @ ..] => (elements, true),
            [LINES, lines @ ..] | lines => (lines, false),
        };
        Self { chunk, is_list, next: Some(0), start: 0, limit: 0, count: 0 }
    }

    /// A text that starts with the next record.
    #[inline]
    pub(super) fn next_text(&mut self) -> Option<&'a [u8]> {
        if self.is_list {
            self.start = self.next.take()?;
            self.limit = self.chunk.len();
            self.count += 1;
            return self.chunk.get(self.start..);
        }
        loop {
            self.start = self.next.filter(|start| *start < self.chunk.len())?;
            let rest = self.chunk.get(self.start..)?;
            let length = memchr::memchr(b'\n', rest);
            self.limit = self.start + length.unwrap_or(rest.len());
            self.next = length.map(|_| self.limit + 1);
            self.count += 1;
            let line = self.chunk.get(self.start..self.limit)?;
            if Cursor::new(line).token().is_some() {
                return Some(line);
            }
        }
    }

    /// Ends the record after `length` bytes. Fails if other text follows.
    #[inline]
    pub(super) fn accept(&mut self, length: usize) -> Result<(), RowErrorKind> {
        let mut cursor = Cursor::new(self.chunk.get(..self.limit).unwrap_or_default());
        cursor.advance(self.start + length);
        match cursor.token() {
            None => Ok(()),
            Some(b',') if self.is_list => {
                self.next = Some(cursor.position() + 1);
                Ok(())
            }
            Some(_) => Err(RowErrorKind::Json),
        }
    }

    /// Ends a malformed record and returns its bytes: the line without its end, or the element without white space around
    /// it.
    #[cold]
    pub(super) fn skip_malformed(&mut self) -> &'a [u8] {
        let text = self.chunk.get(self.start..self.limit).unwrap_or_default();
        if !self.is_list {
            let has_line_feed = self.limit < self.chunk.len();
            return text.strip_suffix(b"\r").filter(|_| has_line_feed).unwrap_or(text);
        }
        let end = structure::element_end(text);
        self.next = (end < text.len()).then_some(self.start + end + 1);
        trim(text.get(..end).unwrap_or_default())
    }

    /// Upper bound of the end of the current record.
    pub(super) const fn position(&self) -> usize {
        match self.next {
            Some(next) => next,
            None => self.chunk.len(),
        }
    }

    /// Line number of the current record, or its ordinal in an array, from 0.
    pub(super) const fn number(&self) -> u64 {
        self.count.saturating_sub(1)
    }

    /// Number of line feeds or elements, once all records are read.
    pub(super) fn lines(&self) -> u64 {
        let ends_with_line_feed = self.next.is_some();
        if self.is_list || ends_with_line_feed { self.count } else { self.count.saturating_sub(1) }
    }
}

/// `text` without the white space around it.
fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let start = text.iter().take_while(|byte| is_space(byte)).count();
    let text = text.get(start..).unwrap_or_default();
    let space = text.iter().rev().take_while(|byte| is_space(byte)).count();
    text.get(..text.len() - space).unwrap_or_default()
}

/// Cuts lines into chunks. A line feed always ends a record, since JSON strings have none: a malformed record does not
/// affect the next one.
#[derive(Debug)]
pub(super) struct LineCutter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    /// Bytes of the next chunk, from the start of a line.
    current: Vec<u8>,
    /// Start of the unfinished line.
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

    /// Ends the last chunk. Fails if the last line has unclosed brackets or strings.
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

/// A chunk of `lines`, with a mark if needed.
fn marked(mut lines: Vec<u8>) -> Vec<u8> {
    if matches!(lines.first(), Some(&LIST | &LINES)) {
        lines.insert(0, LINES);
    }
    lines
}

/// Cuts array elements into chunks, up to the closing bracket of the array.
#[derive(Debug)]
pub(super) struct ElementCutter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    /// Bytes of the next chunk: the mark, and the input after a comma.
    current: Vec<u8>,
    nesting: Nesting,
    /// Bytes of `current` that are scanned.
    scanned: usize,
    /// Start of the unfinished element.
    element: usize,
    /// Number of commas between elements.
    commas: u64,
    /// Number of elements, once all are scanned.
    count: u64,
    /// The closing bracket and the input after it, once found.
    after: Option<Vec<u8>>,
}

impl ElementCutter {
    pub(super) fn new(chunk_bytes: usize, max_record_bytes: usize) -> Self {
        Self {
            chunk_bytes,
            max_record_bytes,
            current: vec![LIST],
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

    /// Number of bytes after the array so far.
    pub(super) fn bytes_after(&self) -> usize {
        self.after.as_ref().map_or(0, Vec::len)
    }

    /// Number of elements, after [`Self::finish`].
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Ends the last chunk. Returns the input from the closing bracket.
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

    /// Makes a chunk of all whole elements, without the comma after them.
    fn cut(&mut self, ready: &mut VecDeque<Vec<u8>>, piece: usize) {
        let mut next = Vec::with_capacity(self.chunk_bytes + piece);
        next.push(LIST);
        next.extend_from_slice(self.current.get(self.element..).unwrap_or_default());
        self.current.truncate(self.element - 1);
        ready.push_back(std::mem::replace(&mut self.current, next));
        self.scanned = self.scanned + 1 - self.element;
        self.element = 1;
    }
}

//! The records of a chunk.

use super::{cursor::Cursor, structure};
use crate::decode::fault::Fault;

/// What a chunk of list elements begins with.
pub(super) const LIST: u8 = b'[';

/// What a chunk of lines begins with if its first line would make it look like something else.
pub(super) const LINES: u8 = 0x1e;

/// The records of a chunk, one after the other. A chunk is either lines, of which blank ones are passed over, or a
/// list's elements: an opening bracket and elements with commas between.
///
/// Whoever reads a record says how far it reaches: finding that first would take another look at every byte.
#[derive(Debug)]
pub(super) struct Records<'a> {
    chunk: &'a [u8],
    is_list: bool,
    /// Where the next line or element begins; `None` after the last one.
    next: Option<usize>,
    /// Where the present one begins, and where the text ends in which it ends.
    start: usize,
    limit: usize,
    /// Lines or elements up to the present one.
    count: u64,
}

impl<'a> Records<'a> {
    pub(super) fn of(chunk: &'a [u8]) -> Self {
        let (chunk, is_list) = match chunk {
            [LIST, elements @ ..] => (elements, true),
            [LINES, lines @ ..] | lines => (lines, false),
        };
        Self { chunk, is_list, next: Some(0), start: 0, limit: 0, count: 0 }
    }

    /// A text that begins with the next record.
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

    /// Takes the first `length` bytes of the text for the record, after which nothing else may come.
    #[inline]
    pub(super) fn accept(&mut self, length: usize) -> Result<(), Fault> {
        let mut cursor = Cursor::new(self.chunk.get(..self.limit).unwrap_or_default());
        cursor.advance(self.start + length);
        match cursor.token() {
            None => Ok(()),
            Some(b',') if self.is_list => {
                self.next = Some(cursor.position() + 1);
                Ok(())
            }
            Some(_) => Err(Fault::Json),
        }
    }

    /// Gives up on the record, and returns its bytes: the line without its end, or the element without the white space
    /// around it.
    #[cold]
    pub(super) fn give_up(&mut self) -> &'a [u8] {
        let text = self.chunk.get(self.start..self.limit).unwrap_or_default();
        if !self.is_list {
            let has_line_feed = self.limit < self.chunk.len();
            return text.strip_suffix(b"\r").filter(|_| has_line_feed).unwrap_or(text);
        }
        let end = structure::element_end(text);
        self.next = (end < text.len()).then_some(self.start + end + 1);
        trim(text.get(..end).unwrap_or_default())
    }

    /// Where the present record ends at the latest.
    pub(super) const fn position(&self) -> usize {
        match self.next {
            Some(next) => next,
            None => self.chunk.len(),
        }
    }

    /// The number of the present record's line, or of the record where there are no lines, from 0.
    pub(super) const fn number(&self) -> u64 {
        self.count.saturating_sub(1)
    }

    /// How many line feeds or elements there were, when the last record was read.
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

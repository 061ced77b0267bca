//! Records and the ends of their fields.

use super::scanner::{Delimiters, Scanner};
use crate::decode::block::BLOCK;
use std::ops::Range;

/// The records of a chunk, one after the other. Empty lines are passed over.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    scanner: Scanner,
    /// What is left of the present block's delimiters.
    left: Delimiters,
    /// Where the present block begins, and where the next one does.
    block: usize,
    next_block: usize,
    /// Where the next record begins.
    start: usize,
    /// Line feeds that ended a record so far, and those inside quotes of all blocks so far.
    line_feeds: u64,
    max_fields: usize,
    ends: Vec<usize>,
}

/// A row of the artifact.
pub(super) struct Record<'a> {
    chunk: &'a [u8],
    /// Where the row lies in the chunk, without its line end.
    pub range: Range<usize>,
    /// How many fields it has.
    pub field_count: usize,
    /// Whether there is a quote where none may be.
    pub has_stray_quote: bool,
    /// Where the fields end; no more than were asked for.
    ends: &'a [usize],
}

impl<'a> Records<'a> {
    /// Reads `bytes`, which begin with a record, and keeps the ends of the first `max_fields` fields of each.
    pub(super) fn new(bytes: &'a [u8], max_fields: usize) -> Self {
        let (scanner, left, ends) = (Scanner::new(), Delimiters::default(), Vec::new());
        Self { bytes, scanner, left, block: 0, next_block: 0, start: 0, line_feeds: 0, max_fields, ends }
    }

    /// How many bytes the records so far took, line ends included.
    pub(super) fn position(&self) -> usize {
        self.start.min(self.bytes.len())
    }

    /// Line feeds of the whole chunk, when its last record was read.
    pub(super) const fn line_feeds(&self) -> u64 {
        self.line_feeds
    }

    /// The next record. It borrows the list of ends that all records share, so this is no [`Iterator`].
    pub(super) fn next_record(&mut self) -> Option<Record<'_>> {
        while self.start < self.bytes.len() {
            let start = self.start;
            let (line_end, field_count, has_stray_quote) = self.find_end();
            self.start = line_end + 1;
            let end = without_carriage_return(self.bytes, start..line_end);
            if end > start {
                if field_count <= self.max_fields {
                    self.ends.push(end);
                }
                return Some(Record {
                    chunk: self.bytes,
                    range: start..end,
                    field_count,
                    has_stray_quote,
                    ends: &self.ends,
                });
            }
        }
        None
    }

    /// Where the record's line feed is (or the end of the chunk), how many fields it has, and whether there is a stray
    /// quote. Leaves the ends of all fields but the last.
    fn find_end(&mut self) -> (usize, usize, bool) {
        self.ends.clear();
        let (mut field_count, mut has_stray_quote) = (1, false);
        loop {
            let line_feed = self.left.line_feeds & self.left.line_feeds.wrapping_neg();
            // The bytes before the line feed: all of them when there is none.
            let before = line_feed.wrapping_sub(1);
            let mut commas = self.left.commas & before;
            has_stray_quote |= self.left.strays & before != 0;
            while commas != 0 {
                if field_count <= self.max_fields {
                    self.ends.push(self.block + commas.trailing_zeros() as usize);
                }
                field_count += 1;
                commas &= commas - 1;
            }
            if line_feed != 0 {
                self.left.commas &= !before;
                self.left.strays &= !before;
                self.left.line_feeds ^= line_feed;
                self.line_feeds += 1;
                return (self.block + line_feed.trailing_zeros() as usize, field_count, has_stray_quote);
            }
            if !self.load() {
                return (self.bytes.len(), field_count, has_stray_quote);
            }
        }
    }

    /// Goes on to the next block, if there is one.
    fn load(&mut self) -> bool {
        let rest = self.bytes.get(self.next_block..).unwrap_or_default();
        self.left = match rest.first_chunk::<BLOCK>() {
            Some(block) => self.scanner.advance(block),
            None if rest.is_empty() => Delimiters::default(),
            None => self.scanner.advance_last(rest),
        };
        if self.left.quoted_line_feeds != 0 {
            self.line_feeds += u64::from(self.left.quoted_line_feeds.count_ones());
        }
        self.block = self.next_block;
        self.next_block += BLOCK;
        !rest.is_empty()
    }
}

/// The end of the record that ends at `line.end`: a carriage return belongs to the line end only before a line feed.
fn without_carriage_return(bytes: &[u8], line: Range<usize>) -> usize {
    let ends_with_line_feed = line.end < bytes.len();
    if ends_with_line_feed && bytes[line.clone()].ends_with(b"\r") { line.end - 1 } else { line.end }
}

impl<'a> Record<'a> {
    /// The row as it came, without its line end.
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.chunk[self.range.clone()]
    }

    /// The first fields as they came, quotes included.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let chunk = self.chunk;
        self.ends.iter().scan(self.range.start, move |start, &end| {
            let field = &chunk[*start..end];
            *start = end + 1;
            Some(field)
        })
    }
}

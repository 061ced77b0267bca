//! Records and the ends of their fields.

use crate::decode::simd::{BLOCK, padded, positions, prefix_xor};
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

/// Reads blocks of 64 bytes in order. Splitter and decoder both use it, so they can never disagree about where a record
/// ends.
///
/// A quote opens a quoted field only as the first byte of a field. Inside one, two quotes are one quote of the value,
/// which here is the same as closing the field and opening it again. Any other quote is a stray: it makes its row a
/// reject and changes nothing else.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    /// All bits set when the next block begins inside quotes, else none.
    inside: u64,
    /// 1 when a quote as the first byte of the next block opens a field, or opens it again, else 0.
    may_open: u64,
}

/// What a block holds, as masks of its 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delimiters {
    /// Commas outside quotes: ends of fields.
    pub commas: u64,
    /// Line feeds outside quotes: ends of records.
    pub line_feeds: u64,
    /// Line feeds inside quotes: data.
    pub quoted_line_feeds: u64,
    /// Quotes where none may be.
    pub strays: u64,
}

impl Scanner {
    /// A scanner for bytes that begin with a record.
    pub(super) const fn new() -> Self {
        Self { inside: 0, may_open: 1 }
    }

    /// Whether the bytes so far end inside quotes.
    pub(super) const fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    #[inline]
    pub(super) fn advance(&mut self, block: &[u8; BLOCK]) -> Delimiters {
        let (commas, line_feeds) = (positions(block, b','), positions(block, b'\n'));
        let mut quotes = positions(block, b'"');
        let ends = commas | line_feeds;
        let mut strays = 0;
        let inside = loop {
            let inside = prefix_xor(quotes) ^ self.inside;
            let may_open = ((ends | quotes) << 1) | self.may_open;
            let stray = quotes & inside & !may_open;
            if stray == 0 {
                break inside;
            }
            // The first one is a stray for certain; those after it were judged as if it were not.
            let first = stray & stray.wrapping_neg();
            strays |= first;
            quotes ^= first;
        };
        self.may_open = (ends | quotes) >> (BLOCK - 1);
        self.inside = 0_u64.wrapping_sub(inside >> (BLOCK - 1));
        Delimiters {
            commas: commas & !inside,
            line_feeds: line_feeds & !inside,
            quoted_line_feeds: line_feeds & inside,
            strays,
        }
    }

    /// Like [`Self::advance`] for the last bytes, which are fewer than a block.
    pub(super) fn advance_last(&mut self, bytes: &[u8]) -> Delimiters {
        self.advance(&padded(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules, byte by byte: positions of commas, line feeds and strays, and whether the end is inside quotes.
    fn by_the_book(bytes: &[u8]) -> (Vec<(usize, u8)>, bool) {
        let (mut found, mut at, mut inside, mut field) = (Vec::new(), 0, false, 0);
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' if inside && bytes.get(at + 1) == Some(&b'"') => at += 1,
                b'"' if inside => inside = false,
                b'"' if at == field => inside = true,
                b'"' => found.push((at, b'"')),
                b',' | b'\n' if !inside => {
                    found.push((at, byte));
                    field = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        (found, inside)
    }

    proptest! {
        #[test]
        fn agrees_with_the_rules_byte_by_byte(bytes in "[\",\n\"a]{0,300}") {
            let bytes = bytes.as_bytes();
            let (mut scanner, mut found) = (Scanner::new(), Vec::new());
            for (block, start) in bytes.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
                let Delimiters { commas, line_feeds, strays, .. } = scanner.advance_last(block);
                for bit in 0..BLOCK {
                    let is = |mask: u64| mask >> bit & 1 == 1;
                    let kinds = [(commas, b','), (line_feeds, b'\n'), (strays, b'"')];
                    found.extend(kinds.into_iter().filter(|(mask, _)| is(*mask)).map(|(_, byte)| (start + bit, byte)));
                }
            }
            prop_assert_eq!((found, scanner.is_inside_quotes()), by_the_book(bytes));
        }
    }
}

//! Finds records and fields, by a scan for delimiters in blocks of 64 bytes.

use crate::decode::simd::{BLOCK, padded, positions, prefix_xor};
use std::ops::Range;

/// Iterates over the records of a chunk. Empty lines are skipped.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    scanner: Scanner,
    /// Delimiters of the current block that are not consumed.
    left: Delimiters,
    /// Start of the current and of the next block.
    block: usize,
    next_block: usize,
    /// Start of the next record.
    start: usize,
    /// Line feeds that ended a record, and quoted ones of all loaded blocks.
    line_feeds: u64,
    max_fields: usize,
    ends: Vec<usize>,
}

/// A row of a file.
pub(super) struct Record<'a> {
    chunk: &'a [u8],
    /// Position in the chunk, without the line end.
    pub range: Range<usize>,
    /// Number of fields.
    pub field_count: usize,
    /// Whether there is a quote that neither opens, closes nor is doubled.
    pub has_stray_quote: bool,
    /// Ends of the fields, at most `max_fields`.
    ends: &'a [usize],
}

impl<'a> Records<'a> {
    /// Reads `bytes`, which start with a record, and keeps the ends of the first `max_fields` fields of each.
    pub(super) fn new(bytes: &'a [u8], max_fields: usize) -> Self {
        let (scanner, left, ends) = (Scanner::new(), Delimiters::default(), Vec::new());
        Self { bytes, scanner, left, block: 0, next_block: 0, start: 0, line_feeds: 0, max_fields, ends }
    }

    /// Bytes consumed so far, line ends included.
    pub(super) fn position(&self) -> usize {
        self.start.min(self.bytes.len())
    }

    /// Number of line feeds of the chunk, once all records are read.
    pub(super) const fn line_feeds(&self) -> u64 {
        self.line_feeds
    }

    /// The next record. It borrows the shared list of field ends, so this type is no [`Iterator`].
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

    /// Position of the line feed or the end of the chunk, number of fields, and whether there is a stray quote. Pushes the
    /// ends of all fields but the last.
    fn find_end(&mut self) -> (usize, usize, bool) {
        self.ends.clear();
        let (mut field_count, mut has_stray_quote) = (1, false);
        loop {
            let line_feed = self.left.line_feeds & self.left.line_feeds.wrapping_neg();
            // Mask of the bytes before the line feed, or of all bytes.
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

    /// Scans the next block; `false` at the end of the chunk.
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

/// End of the record in `line`. A carriage return is part of the line end only before a line feed.
fn without_carriage_return(bytes: &[u8], line: Range<usize>) -> usize {
    let ends_with_line_feed = line.end < bytes.len();
    if ends_with_line_feed && bytes[line.clone()].ends_with(b"\r") { line.end - 1 } else { line.end }
}

impl<'a> Record<'a> {
    /// The bytes of the row, without the line end.
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.chunk[self.range.clone()]
    }

    /// The first fields, quotes included.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let chunk = self.chunk;
        self.ends.iter().scan(self.range.start, move |start, &end| {
            let field = &chunk[*start..end];
            *start = end + 1;
            Some(field)
        })
    }
}

/// Finds the delimiters of consecutive blocks of 64 bytes. Splitter and decoder share it, so that they agree about the
/// ends of records.
///
/// A quote opens a quoted field only as the first byte of a field. Inside of one, two quotes are a quote of the value,
/// treated here as closing and reopening the field. Any other quote is a stray: its row is rejected, and it has no other
/// effect.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    /// All bits set if the next block starts inside quotes, else none.
    inside: u64,
    /// 1 if a quote as the first byte of the next block opens or reopens a field, else 0.
    may_open: u64,
}

/// Delimiters of a block, as masks of its 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delimiters {
    /// Commas outside quotes: ends of fields.
    pub commas: u64,
    /// Line feeds outside quotes: ends of records.
    pub line_feeds: u64,
    /// Line feeds inside quotes: data.
    pub quoted_line_feeds: u64,
    /// Stray quotes.
    pub strays: u64,
}

impl Scanner {
    /// A scanner of bytes that start with a record.
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
            // Only the first is certain: the masks after it assumed that it opens or closes a field.
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

    /// Like [`Self::advance`], for the last bytes of less than a block.
    pub(super) fn advance_last(&mut self, bytes: &[u8]) -> Delimiters {
        self.advance(&padded(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A byte-by-byte reference: positions of commas, line feeds and strays, and whether the end is inside quotes.
    fn reference(bytes: &[u8]) -> (Vec<(usize, u8)>, bool) {
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
        fn masks_agree_with_a_byte_loop(bytes in "[\",\n\"a]{0,300}") {
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
            prop_assert_eq!((found, scanner.is_inside_quotes()), reference(bytes));
        }
    }
}

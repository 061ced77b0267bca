//! Tells the commas and line feeds that end something from those inside quotes.

use crate::decode::block::{BLOCK, padded, positions, prefix_xor};

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

//! Finds the outermost commas and brackets, by a scan in blocks of 64 bytes.

use crate::decode::simd::{BLOCK, brackets, contains, padded, positions, prefix_xor};

/// Mask of the odd bits.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Tracks strings and nesting over consecutive blocks of 64 bytes. Splitter and decoder share it, so that they agree
/// about the ends of records, malformed ones included: any closing bracket outside strings closes any opening one,
/// and a quote starts or ends a string unless a backslash escapes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Nesting {
    /// All bits set if the next block starts inside a string, else none.
    inside: u64,
    /// 1 if the first byte of the next block is escaped, else 0.
    escaped: u64,
    /// Number of open brackets.
    depth: usize,
}

/// The tokens of a block outside all brackets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outermost {
    /// Mask of the commas.
    pub commas: u64,
    /// Position of the bracket that closes the surrounding array or object.
    pub end: Option<usize>,
}

impl Nesting {
    /// Whether the bytes so far end inside a string or of brackets.
    pub(super) const fn is_open(&self) -> bool {
        self.inside != 0 || self.depth > 0
    }

    /// Scans a block. Must not be called again after an end.
    #[inline]
    pub(super) fn advance(&mut self, block: &[u8; BLOCK]) -> Outermost {
        let escaped = if self.escaped == 0 && !contains(block, b'\\') { 0 } else { self.escaped(block) };
        let inside = prefix_xor(positions(block, b'"') & !escaped) ^ self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> (BLOCK - 1));
        let brackets = brackets(block) & !inside;
        if brackets == 0 && self.depth > 0 {
            return Outermost::default();
        }
        let open = brackets & (positions(block, b'{') | positions(block, b'['));
        let close = brackets ^ open;
        let closed = close.count_ones() as usize;
        if self.depth > closed {
            self.depth += open.count_ones() as usize;
            self.depth -= closed;
            return Outermost::default();
        }
        self.walk(open, close, positions(block, b',') & !inside)
    }

    /// Like [`Self::advance`], for the last bytes of less than a block.
    pub(super) fn advance_last(&mut self, bytes: &[u8]) -> Outermost {
        self.advance(&padded(bytes))
    }

    fn walk(&mut self, open: u64, close: u64, commas: u64) -> Outermost {
        let mut left = open | close | commas;
        let mut outermost = Outermost::default();
        while left != 0 {
            let bit = left & left.wrapping_neg();
            left ^= bit;
            if open & bit != 0 {
                self.depth += 1;
            } else if close & bit == 0 {
                outermost.commas |= if self.depth == 0 { bit } else { 0 };
            } else if self.depth == 0 {
                outermost.end = Some(bit.trailing_zeros() as usize);
                return outermost;
            } else {
                self.depth -= 1;
            }
        }
        outermost
    }

    /// Mask of the bytes after an odd number of backslashes.
    fn escaped(&mut self, block: &[u8; BLOCK]) -> u64 {
        let backslashes = positions(block, b'\\');
        let first = backslashes & !self.escaped;
        // A subtraction borrows through a run of backslashes, which marks every other byte of it.
        let ends = ((first << 1) | ODD).wrapping_sub(first) ^ ODD;
        let escaped = ends ^ (backslashes | self.escaped);
        self.escaped = (ends & backslashes) >> (BLOCK - 1);
        escaped
    }
}

/// End of the array element at the start of `bytes`.
pub(super) fn element_end(bytes: &[u8]) -> usize {
    let first = first(bytes, |outermost| match outermost.commas {
        0 => outermost.end,
        commas => Some(commas.trailing_zeros() as usize),
    });
    first.unwrap_or(bytes.len())
}

/// Position of the bracket that closes the array or object around `bytes`.
pub(super) fn closing(bytes: &[u8]) -> Option<usize> {
    first(bytes, |outermost| outermost.end)
}

fn first(bytes: &[u8], find: impl Fn(Outermost) -> Option<usize>) -> Option<usize> {
    let mut nesting = Nesting::default();
    let (blocks, last) = bytes.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if let Some(found) = find(nesting.advance(block)) {
            return Some(index * BLOCK + found);
        }
    }
    find(nesting.advance_last(last)).map(|found| blocks.len() * BLOCK + found)
}

/// Whether `bytes` end inside a string or of brackets.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    let mut nesting = Nesting::default();
    let (blocks, last) = bytes.as_chunks::<BLOCK>();
    let is_closed = blocks.iter().any(|block| nesting.advance(block).end.is_some());
    !is_closed && nesting.advance_last(last).end.is_none() && nesting.is_open()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A byte-by-byte reference: commas outside brackets, the end, and whether brackets or strings are open.
    fn reference(bytes: &[u8]) -> (Vec<usize>, Option<usize>, bool) {
        let (mut commas, mut depth, mut inside, mut escaped) = (Vec::new(), 0, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            let is_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' => escaped = !is_escaped,
                b'"' => inside ^= !is_escaped,
                _ if inside => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return (commas, Some(at), false),
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => commas.push(at),
                _ => {}
            }
        }
        (commas, None, inside || depth > 0)
    }

    proptest! {
        #[test]
        fn the_scan_agrees_with_a_byte_loop(bytes in "([\\[{\"\\\\,\\]}a]|\\{a\\}|\\\\{1,70}){0,300}") {
            let bytes = bytes.as_bytes();
            let (commas, end, is_open) = reference(bytes);
            let (mut nesting, mut found) = (Nesting::default(), (Vec::new(), None));
            for (block, start) in bytes.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
                let outermost = nesting.advance_last(block);
                let is_comma = |bit: &usize| outermost.commas >> bit & 1 == 1;
                found.0.extend((0..BLOCK).filter(is_comma).map(|bit| start + bit));
                if let Some(end) = outermost.end {
                    found.1 = Some(start + end);
                    break;
                }
            }
            prop_assert_eq!(&found, &(commas.clone(), end));
            prop_assert_eq!(is_cut_short(bytes), is_open);
            prop_assert_eq!(closing(bytes), end);
            prop_assert_eq!(element_end(bytes), commas.first().copied().or(end).unwrap_or(bytes.len()));
        }
    }
}

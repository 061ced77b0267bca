//! Finds a byte among many at once.

use wide::u8x16;

/// Bytes that are compared in one instruction.
pub(super) const LANE: usize = 16;

/// Bytes that are looked at together: as many as a mask has bits.
pub(super) const BLOCK: usize = 64;

/// A mask whose bit `i` tells whether `block[i]` is `byte`.
#[inline]
pub(super) fn positions(block: &[u8; BLOCK], byte: u8) -> u64 {
    let (lanes, _) = block.as_chunks::<LANE>();
    lanes.iter().rev().fold(0, |mask, lane| (mask << LANE) | u64::from(lane_positions(*lane, byte)))
}

/// A mask whose bit `i` tells whether `lane[i]` is `byte`.
#[inline]
pub(super) fn lane_positions(lane: [u8; LANE], byte: u8) -> u32 {
    u8x16::new(lane).simd_eq(u8x16::splat(byte)).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_every_position_and_no_other(
            bytes in prop::collection::vec(prop::sample::select(b"\"\n,\0\x80\x01\xff\xa2a".as_slice()), BLOCK),
            byte: u8,
        ) {
            let block = bytes.first_chunk::<BLOCK>().unwrap();
            for byte in [byte, b'"', b',', b'\n', 0, 0x80] {
                let expected = (0..BLOCK).fold(0, |mask, index| mask | (u64::from(block[index] == byte) << index));
                prop_assert_eq!(positions(block, byte), expected);
            }
        }
    }
}

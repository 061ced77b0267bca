//! Byte searches over blocks of 64 bytes.

use wide::u8x16;

/// Bytes compared by one instruction.
pub(super) const LANE: usize = 16;

/// Bytes of a block: one for each bit of a mask.
pub(super) const BLOCK: usize = 64;

/// Mask with bit `i` set if `block[i]` is `byte`.
#[inline]
pub(super) fn positions(block: &[u8; BLOCK], byte: u8) -> u64 {
    let (lanes, _) = block.as_chunks::<LANE>();
    lanes.iter().rev().fold(0, |mask, lane| (mask << LANE) | u64::from(lane_positions(*lane, byte)))
}

/// Mask with bit `i` set if `lane[i]` is `byte`.
#[inline]
pub(super) fn lane_positions(lane: [u8; LANE], byte: u8) -> u32 {
    u8x16::new(lane).simd_eq(u8x16::splat(byte)).to_bitmask()
}

/// Whether `block` contains `byte`.
#[inline]
pub(super) fn contains(block: &[u8; BLOCK], byte: u8) -> bool {
    let (lanes, _) = block.as_chunks::<LANE>();
    let found =
        lanes.iter().fold(u8x16::default(), |found, lane| found | u8x16::new(*lane).simd_eq(u8x16::splat(byte)));
    found.to_bitmask() != 0
}

/// Mask with bit `i` set if `block[i]` is a square or curly bracket.
#[inline]
pub(super) fn brackets(block: &[u8; BLOCK]) -> u64 {
    // Square and curly brackets differ in one bit.
    const CURLY: u8 = b'[' ^ b'{';
    let (lanes, _) = block.as_chunks::<LANE>();
    lanes.iter().rev().fold(0, |mask, lane| {
        let lane = u8x16::new(*lane) | u8x16::splat(CURLY);
        let found = lane.simd_eq(u8x16::splat(b'{')) | lane.simd_eq(u8x16::splat(b'}'));
        (mask << LANE) | u64::from(found.to_bitmask())
    })
}

/// Mask with bit `i` set if `mask` has an odd number of bits set up to and including `i`.
#[inline]
pub(super) const fn prefix_xor(mut mask: u64) -> u64 {
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^= mask << 32;
    mask
}

/// A block of `bytes`, padded with zeros.
pub(super) fn padded(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_agree_with_a_byte_loop(
            bytes in prop::collection::vec(prop::sample::select(b"\"\n,\0\x80\x01\xff\xa2a{[]}".as_slice()), BLOCK),
            byte: u8,
        ) {
            let block = bytes.first_chunk::<BLOCK>().unwrap();
            for byte in [byte, b'"', b',', b'\n', 0, 0x80] {
                let expected = (0..BLOCK).fold(0, |mask, index| mask | (u64::from(block[index] == byte) << index));
                prop_assert_eq!(positions(block, byte), expected);
                prop_assert_eq!(contains(block, byte), expected != 0);
            }
            let expected = b"[]{}".iter().fold(0, |mask, byte| mask | positions(block, *byte));
            prop_assert_eq!(brackets(block), expected);
        }
    }
}

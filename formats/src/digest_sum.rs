//! A digest of a set of records that does not depend on their order.

use crate::Sha256;

/// The sum of SHA-256 digests, modulo 2^256. Equal records count as often as they occur. It finds errors, not an adversary,
/// who could choose records with a given sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestSum {
    /// The number of digests.
    count: u64,
    /// The digits of the sum to base 2^64, the least significant first.
    digits: [u64; 4],
}

impl DigestSum {
    /// Adds a digest, as a number whose most significant byte is the first.
    pub fn add(&mut self, digest: Sha256) {
        let mut carry = false;
        for (digit, bytes) in self.digits.iter_mut().zip(digest.as_bytes().rchunks_exact(8)) {
            let added = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            let (sum, first) = digit.overflowing_add(added);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*digit, carry) = (sum, first || second);
        }
        self.count += 1;
    }

    /// How many digests were added.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum; of no digests, zero.
    pub fn sum(&self) -> Sha256 {
        let mut bytes = [0; 32];
        for (place, digit) in bytes.rchunks_exact_mut(8).zip(self.digits) {
            place.copy_from_slice(&digit.to_be_bytes());
        }
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(digests: impl IntoIterator<Item = Sha256>) -> DigestSum {
        let mut sum = DigestSum::default();
        digests.into_iter().for_each(|digest| sum.add(digest));
        sum
    }

    #[test]
    fn carries_reach_every_digit_and_the_last_is_dropped() {
        let [mut one, mut two] = [[0; 32]; 2];
        (one[31], two[31]) = (1, 2);
        assert_eq!(sum([[255; 32].into(), one.into()]).sum(), [0; 32].into());
        assert_eq!(sum([[255; 32].into(), two.into()]).sum(), one.into());
    }

    #[test]
    fn a_record_that_occurs_twice_differs_from_none() {
        let record = Sha256::digest(b"record");
        let twice = sum([record, record]);
        assert_ne!(twice.sum(), DigestSum::default().sum());
        assert_eq!(twice.count(), 2);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_content_does(mut records in prop::collection::vec(any::<[u8; 32]>(), 1..20)) {
            let before = sum(records.iter().map(|record| Sha256::from(*record)));
            records.reverse();
            prop_assert_eq!(before, sum(records.iter().map(|record| Sha256::from(*record))));
            records[0][7] ^= 1;
            prop_assert_ne!(before, sum(records.into_iter().map(Sha256::from)));
        }
    }
}

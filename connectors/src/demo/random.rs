//! Pseudo-random numbers that are the same everywhere. A file of its own, since the algorithm fixes the bytes of demo
//! archives: no crate for random numbers promises that.

/// `SplitMix64` (Steele, Lea and Flood, 2014): small, fast, and good enough for generated events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// A generator whose seed depends on `parts` and their order.
    pub(super) fn seeded(parts: &[u64]) -> Self {
        parts.iter().fold(Self(0), |random, part| Self(Self(random.0 ^ part).next()))
    }

    /// The next number.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 if `bound` is. The slight bias of the remainder does not matter here.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        let number = self.next();
        if bound == 0 { 0 } else { number % bound }
    }

    /// True with a probability of `percent` / 100.
    pub(super) const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        const { assert!(N > 0) };
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below a usize")]
        let index = (self.next() % N as u64) as usize;
        choices[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_published_sequence() {
        let mut random = Random(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}

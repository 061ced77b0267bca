//! Decimals, which the server has as digits to the base 10,000.

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// Decimal digits in one of the server's.
const WIDTH: u32 = 4;
/// Ten of them on either side of the point hold any decimal of 38 digits.
const MOST: usize = 20;

/// Digits to the base 10,000, the point somewhere among them.
#[derive(Default)]
struct Digits {
    digits: [u16; MOST],
    count: usize,
}

impl Digits {
    fn push(&mut self, digit: u128) {
        if let Some(next) = self.digits.get_mut(self.count) {
            *next = u16::try_from(digit).unwrap_or_default();
            self.count += 1;
        }
    }

    /// Those of a whole number, the highest first; none for zero.
    fn push_whole(&mut self, mut rest: u128) {
        let start = self.count;
        while rest > 0 {
            self.push(rest % 10_000);
            rest /= 10_000;
        }
        self.digits[start..self.count].reverse();
    }

    /// Those of `rest` / 10^`scale`, which is less than one.
    fn push_fraction(&mut self, mut rest: u128, scale: u32) {
        let mut left = scale;
        while left > 0 {
            let taken = left.min(WIDTH);
            left -= taken;
            let unit = 10_u128.pow(left);
            self.push(rest / unit * 10_u128.pow(WIDTH - taken));
            rest %= unit;
        }
    }
}

/// The decimal `value` / 10^`scale`.
pub(super) fn write(value: i128, scale: u32, out: &mut Vec<u8>) {
    let (size, unit) = (value.unsigned_abs(), 10_u128.pow(scale));
    let mut all = Digits::default();
    all.push_whole(size / unit);
    let whole = all.count;
    all.push_fraction(size % unit, scale);

    let digits = &all.digits[..all.count];
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let end = digits.iter().rposition(|digit| *digit != 0).map_or(zeros, |last| last + 1);
    let digits = &digits[zeros..end];
    let short = |number: usize| i16::try_from(number).unwrap_or_default();
    // The power of 10,000 that the first digit stands for.
    let weight = if digits.is_empty() { 0 } else { short(whole) - short(zeros) - 1 };
    out.extend(short(digits.len()).to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(if value < 0 { NEGATIVE } else { POSITIVE }.to_be_bytes());
    out.extend(u16::try_from(scale).unwrap_or_default().to_be_bytes());
    for digit in digits {
        out.extend(digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Count of digits, weight, sign, scale, and the digits.
    fn written(value: i128, scale: u32) -> Vec<i16> {
        let mut out = Vec::new();
        write(value, scale, &mut out);
        out.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn digits_are_groups_of_four_around_the_point() {
        // As `numeric_send` of PostgreSQL 15 prints them.
        assert_eq!(written(123_456_789, 2), [3, 1, 0, 2, 123, 4567, 8900]);
        assert_eq!(written(-5, 2), [1, -1, 0x4000, 2, 500]);
        assert_eq!(written(1, 18), [1, -5, 0, 18, 100]);
        assert_eq!(written(10_000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(written(0, 18), [0, 0, 0, 18]);
        assert_eq!(written(-100_000_000, 4), [1, 1, 0x4000, 4, 1]);
    }

    #[test]
    fn the_longest_decimals_lose_no_digit() {
        let nines = 10_i128.pow(38) - 1;
        assert_eq!(written(nines, 0)[..5], [10, 9, 0, 0, 99]);
        assert_eq!(written(nines, 38)[..4], [10, -1, 0, 38]);
        assert_eq!(written(nines, 38)[13], 9900);
        assert_eq!(written(-nines, 19)[..5], [10, 4, 0x4000, 19, 999]);
    }
}

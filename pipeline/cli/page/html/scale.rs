//! Axes that end at numbers which people read.

use archive::numbers;

/// The end of an axis, and how it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) value: u64,
    pub(super) label: String,
}

/// The first round number that is not below `most`.
fn round(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let digits = [1, 2, 3, 4, 5, 6, 8].into_iter().map(|digit| power.saturating_mul(digit));
        if let Some(round) = digits.into_iter().find(|round| *round >= most) {
            return round;
        }
        power = power.saturating_mul(10);
    }
}

/// For numbers of things.
pub(super) fn count(most: u64) -> Top {
    let value = round(most.max(1));
    Top { value, label: numbers::thousands(value) }
}

/// For numbers of bytes.
pub(super) fn bytes(most: u64) -> Top {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] {
        // 1,000 of a unit are one of the next: nobody reads 1,023.
        if most.div_ceil(unit) < 1_000 {
            let number = round(most.div_ceil(unit).max(1));
            return Top { value: number.saturating_mul(unit), label: format!("{number} {name}") };
        }
        unit = unit.saturating_mul(1_024);
    }
    Top { value: most, label: numbers::size(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let tops = [0, 1, 7, 10, 12, 321, 987_654].map(|most| count(most).label);
        assert_eq!(tops, ["1", "1", "8", "10", "20", "400", "1,000,000"]);
        assert_eq!(count(u64::MAX).value, u64::MAX);
    }

    #[test]
    fn sizes_end_at_round_numbers_of_their_unit() {
        let tops = [0, 500, 1_000, 637_000, 1_023 * 1_024, 5 << 30, u64::MAX].map(|most| bytes(most).label);
        assert_eq!(tops, ["1 B", "500 B", "1 KiB", "800 KiB", "1 MiB", "5 GiB", "15.9 EiB"]);
        assert!([1, 999, 1_000, 1_025, 1 << 50].into_iter().all(|most| bytes(most).value >= most));
    }
}

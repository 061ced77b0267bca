//! Integers in the one spelling that comes back.

use crate::decode::fault::Fault;

/// Reads what a printed integer looks like. Another spelling of a number (`+1`, `007`, `-0`, `1.0`) would leave the
/// archive in other bytes than it came in, and is refused.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i64, Fault> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Ok(0),
        [b'1'..=b'9', ..] if digits.iter().all(u8::is_ascii_digit) => {}
        _ => return Err(Fault::Integer),
    }
    // Downwards, because the least integer has no positive counterpart.
    let negated =
        digits.iter().try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
    let value = if negative { negated } else { negated.and_then(i64::checked_neg) };
    value.ok_or(Fault::IntegerRange)
}

/// The same for a type of fewer bits.
pub(in crate::decode) fn parse_narrow<I: TryFrom<i64>>(text: &[u8]) -> Result<I, Fault> {
    parse(text)?.try_into().map_err(|_| Fault::Range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_spellings_that_would_not_come_back() {
        for text in ["", "-", "+1", "007", "-0", "00", "1.0", "1e3", " 1", "1 ", "1_000", "--1", "٣"] {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Integer), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "100000000000000000000"] {
            assert_eq!(parse(text.as_bytes()), Err(Fault::IntegerRange), "{text}");
        }
    }

    #[test]
    fn narrow_types_hold_no_more_than_they_can() {
        assert_eq!(parse_narrow::<i16>(b"-32768"), Ok(i16::MIN));
        assert_eq!(parse_narrow::<i16>(b"32768"), Err(Fault::Range));
        assert_eq!(parse_narrow::<i32>(b"2147483647"), Ok(i32::MAX));
        assert_eq!(parse_narrow::<i32>(b"-2147483649"), Err(Fault::Range));
        assert_eq!(parse_narrow::<i16>(b"01"), Err(Fault::Integer));
    }

    proptest! {
        #[test]
        fn reads_every_integer(value: i64) {
            for value in [value, value % 1000, i64::MIN, i64::MAX, 0] {
                prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
            }
        }
    }
}

//! Parsers of integers, floating-point numbers and decimals.

use crate::{decode::row_error::RowErrorKind, encode::write_float};
use std::{
    fmt::{Display, LowerExp},
    str::FromStr,
};

/// Parses an integer in its canonical spelling. Other spellings (`+1`, `007`, `-0`, `1.0`) are refused: they would be
/// written back as other bytes.
pub(in crate::decode) fn parse_integer(text: &[u8]) -> Result<i64, RowErrorKind> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Ok(0),
        [b'1'..=b'9', ..] if digits.iter().all(u8::is_ascii_digit) => {}
        _ => return Err(RowErrorKind::Integer),
    }
    // The minimum has no positive counterpart, so the digits are subtracted.
    let negated =
        digits.iter().try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
    let value = if negative { negated } else { negated.and_then(i64::checked_neg) };
    value.ok_or(RowErrorKind::IntegerRange)
}

/// Parses an integer of an artifact, whose programs write it in many ways: `1000`, `1e3`, `1000.0`.
#[inline]
pub(in crate::decode) fn parse_whole_number(text: &[u8]) -> Result<i64, RowErrorKind> {
    const DIGITS: u8 = 38;
    match parse_integer(text) {
        Err(RowErrorKind::Integer) => {
            let value = parse_decimal(text, DIGITS, 0).map_err(|_| RowErrorKind::WholeNumber)?;
            value.try_into().map_err(|_| RowErrorKind::IntegerRange)
        }
        parsed => parsed,
    }
}

/// Like [`parse_integer`], for a narrower type.
pub(in crate::decode) fn parse_narrow_integer<I: TryFrom<i64>>(text: &[u8]) -> Result<I, RowErrorKind> {
    parse_integer(text)?.try_into().map_err(|_| RowErrorKind::Range)
}

/// Parses a floating-point number in the shortest spelling that round-trips, as archives write it. Other spellings
/// would be written back as other bytes.
pub(in crate::decode) fn parse_float<F>(text: &[u8]) -> Result<F, RowErrorKind>
where
    F: Copy + FromStr + Display + LowerExp + Into<f64>,
{
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<F>().ok());
    let value = value.ok_or(RowErrorKind::Spelling("a floating-point number"))?;
    let mut spelled = Vec::with_capacity(text.len());
    match write_float(value, &mut spelled) {
        Ok(()) if spelled == text => Ok(value),
        _ => Err(RowErrorKind::Spelling("a floating-point number")),
    }
}

/// Whether `text` is a number without a JSON spelling.
pub(in crate::decode) fn is_beyond_json(text: &[u8]) -> bool {
    matches!(text, b"NaN" | b"Infinity" | b"-Infinity")
}

/// Bound for exponents. Larger ones give the same result.
const MAX_EXPONENT: i64 = 1 << 32;

const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Significant digits of a number: `coefficient` and a count of trailing zeros.
#[derive(Default)]
struct Digits {
    coefficient: i128,
    /// Number of digits of the coefficient.
    significant: i64,
    /// Zeros after the last digit of the coefficient.
    zeros: i64,
}

impl Digits {
    /// Digits that `coefficient` can hold. Further ones are counted only.
    const CAPACITY: i64 = 38;

    fn push(&mut self, digit: u8) {
        if digit == 0 {
            // Leading zeros are counted here too, and dropped with the first digit.
            self.zeros += 1;
            return;
        }
        let zeros = if self.significant == 0 { 0 } else { self.zeros };
        self.significant += zeros + 1;
        self.zeros = 0;
        if self.significant <= Self::CAPACITY {
            self.coefficient = self.coefficient * power_of_ten(zeros + 1) + i128::from(digit);
        }
    }
}

/// Parses a decimal and returns it times 10^`scale`. Trailing zeros are not counted as decimals; the sign of zero is
/// dropped.
#[inline]
pub(in crate::decode) fn parse_decimal(text: &[u8], precision: u8, scale: u8) -> Result<i128, RowErrorKind> {
    let (negative, text) = split_sign(text);
    let mut digits = Digits::default();
    let (mut count, mut decimals, mut exponent) = (0_i64, None, 0);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                count += 1;
                decimals = decimals.map(|decimals| decimals + 1);
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            b'e' | b'E' if count > 0 => {
                exponent = read_exponent(&text[index + 1..])?;
                break;
            }
            _ => return Err(RowErrorKind::Number),
        }
    }
    if count == 0 {
        return Err(RowErrorKind::Number);
    }
    let value = scaled(&digits, exponent - decimals.unwrap_or(0_i64), precision, scale)?;
    Ok(if negative { -value } else { value })
}

/// Like [`parse_decimal`], for the spelling of archives alone: plain digits with `scale` decimals, or without trailing
/// zeros if `trimmed`.
pub(in crate::decode) fn parse_archived_decimal(
    text: &[u8],
    precision: u8,
    scale: u8,
    trimmed: bool,
) -> Result<i128, RowErrorKind> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = memchr::memchr(b'.', digits);
    let (integer, decimals) = digits.split_at(point.unwrap_or(digits.len()));
    let decimals = decimals.get(1..).unwrap_or_default();
    let has_its_length = if trimmed {
        decimals.len() <= usize::from(scale) && !decimals.ends_with(b"0")
    } else {
        decimals.len() == usize::from(scale)
    };
    let is_plain = matches!(integer, [b'0'] | [b'1'..=b'9', ..])
        && integer.iter().chain(decimals).all(u8::is_ascii_digit)
        && point.is_some() != decimals.is_empty();
    let value = parse_decimal(text, precision, scale)?;
    let is_negative_zero = value == 0 && digits.len() < text.len();
    if is_plain && has_its_length && !is_negative_zero {
        Ok(value)
    } else {
        Err(RowErrorKind::Spelling("a decimal number"))
    }
}

/// Whether `text` starts with a minus, and the rest after the sign.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn read_exponent(text: &[u8]) -> Result<i64, RowErrorKind> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(RowErrorKind::Number);
    }
    let size = digits.iter().fold(0, |size, digit| MAX_EXPONENT.min(size * 10 + i64::from(digit - b'0')));
    Ok(if negative { -size } else { size })
}

/// `digits` times 10^`exponent`, in units of 10^-`scale`.
fn scaled(digits: &Digits, exponent: i64, precision: u8, scale: u8) -> Result<i128, RowErrorKind> {
    if digits.significant == 0 {
        return Ok(0);
    }
    let exponent = exponent + digits.zeros;
    let integer_digits = precision - scale;
    if exponent + i64::from(scale) < 0 {
        return Err(RowErrorKind::Decimals(scale));
    }
    if digits.significant + exponent > i64::from(integer_digits) {
        return Err(RowErrorKind::IntegerDigits(integer_digits));
    }
    Ok(digits.coefficient * power_of_ten(exponent + i64::from(scale)))
}

/// 10^`exponent`, or 0 if that exceeds 38 digits. Callers check the range, or multiply the result by 0.
pub(in crate::decode) fn power_of_ten(exponent: i64) -> i128 {
    usize::try_from(exponent).ok().and_then(|exponent| POWERS_OF_TEN.get(exponent)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_have_one_spelling() {
        for text in ["", "-", "+1", "007", "-0", "00", "1.0", "1e3", " 1", "1 ", "1_000", "--1", "٣"] {
            assert_eq!(parse_integer(text.as_bytes()), Err(RowErrorKind::Integer), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "100000000000000000000"] {
            assert_eq!(parse_integer(text.as_bytes()), Err(RowErrorKind::IntegerRange), "{text}");
        }
    }

    #[test]
    fn whole_numbers_of_artifacts_have_many_spellings() {
        for text in ["1000", "1e3", "1E+3", "1000.0", "+1000", "01000", "10000e-1", "1000.", "0.1e4"] {
            assert_eq!(parse_whole_number(text.as_bytes()), Ok(1000), "{text}");
        }
        for text in ["1.5", "1e-1", "", "-", "1_000", "1,000", "true", "NaN", " 1", "0x10", "1e99"] {
            assert_eq!(parse_whole_number(text.as_bytes()), Err(RowErrorKind::WholeNumber), "{text}");
        }
        for text in ["9223372036854775808", "1e19", "-9.3e18"] {
            assert_eq!(parse_whole_number(text.as_bytes()), Err(RowErrorKind::IntegerRange), "{text}");
        }
        assert_eq!((parse_whole_number(b"-0"), parse_whole_number(b"-1.0")), (Ok(0), Ok(-1)));
    }

    #[test]
    fn narrow_integers_are_checked_for_range() {
        assert_eq!(parse_narrow_integer::<i16>(b"-32768"), Ok(i16::MIN));
        assert_eq!(parse_narrow_integer::<i16>(b"32768"), Err(RowErrorKind::Range));
        assert_eq!(parse_narrow_integer::<i32>(b"2147483647"), Ok(i32::MAX));
        assert_eq!(parse_narrow_integer::<i32>(b"-2147483649"), Err(RowErrorKind::Range));
        assert_eq!(parse_narrow_integer::<i16>(b"01"), Err(RowErrorKind::Integer));
    }

    proptest! {
        #[test]
        fn every_integer_is_parsed(value: i64) {
            for value in [value, value % 1000, i64::MIN, i64::MAX, 0] {
                prop_assert_eq!(parse_integer(value.to_string().as_bytes()), Ok(value));
            }
        }
    }

    #[test]
    fn floats_have_one_spelling() {
        for (text, value) in [("0.1", 0.1), ("-0", -0.0), ("1e300", 1e300), ("-2.5e-7", -2.5e-7), ("5e-324", 5e-324)] {
            assert_eq!(parse_float::<f64>(text.as_bytes()).map(f64::to_bits), Ok(f64::to_bits(value)), "{text}");
        }
        assert_eq!(parse_float::<f64>(b"-Infinity"), Ok(f64::NEG_INFINITY));
        assert_eq!(parse_float::<f64>(b"NaN").map(f64::to_bits), Ok(f64::NAN.to_bits()));
        assert_eq!(parse_float::<f32>(b"0.1"), Ok(0.1));
        let texts =
            "|0.10|.1|1.|+1|1.0|01|1E300|1e+300|10e299|nan|-NaN|inf|infinity|+Infinity|1e400|0.1f|0x1p3|1_0|0.00001e1";
        for text in texts.split('|') {
            assert_eq!(
                parse_float::<f64>(text.as_bytes()),
                Err(RowErrorKind::Spelling("a floating-point number")),
                "{text}"
            );
        }
        assert!(parse_float::<f32>(b"0.10000000149011612").is_err(), "digits of the wider type");
    }

    fn cost(text: &str) -> Result<i128, RowErrorKind> {
        parse_decimal(text.as_bytes(), 38, 18)
    }

    #[test]
    fn decimals_of_artifacts_have_many_spellings() {
        for text in ["0.0025", "+.0025", "0.002500000000000000000000000", "2.5e-3", "25E-4", "0.00025e+1", "00.0025"] {
            assert_eq!(cost(text), Ok(2_500_000_000_000_000), "{text}");
        }
        for text in ["0", "-0", "0.", "0e99999999999999999999", "0.0000000000000000000000"] {
            assert_eq!(cost(text), Ok(0), "{text}");
        }
        assert_eq!(cost("-1000e-3"), Ok(-1_000_000_000_000_000_000));
        assert_eq!(cost("99999999999999999999.999999999999999999"), Ok(10_i128.pow(38) - 1));
        assert_eq!(cost("1e19"), Ok(10_i128.pow(37)));
    }

    #[test]
    fn decimals_are_never_rounded() {
        for text in ["0.0000000000000000001", "1e-19", "1.5e-18", "-1e-99999999999999999999"] {
            assert_eq!(cost(text), Err(RowErrorKind::Decimals(18)), "{text}");
        }
        for text in ["100000000000000000000", "1e20", "123456789012345678901.5", "1e99999999999999999999"] {
            assert_eq!(cost(text), Err(RowErrorKind::IntegerDigits(20)), "{text}");
        }
        for text in
            ["", "-", ".", "e1", "1e", "1e+", "1.2.3", "NaN", "inf", "Infinity", "1,5", "0x1", " 1", "$1", "1e1.5"]
        {
            assert_eq!(cost(text), Err(RowErrorKind::Number), "{text}");
        }
    }

    #[test]
    fn decimals_of_archives_have_one_spelling() {
        let exact = |text: &str, trimmed| parse_archived_decimal(text.as_bytes(), 6, 2, trimmed);
        for (text, value) in [("12.30", 1230), ("-0.05", -5), ("0.00", 0), ("9999.99", 999_999)] {
            assert_eq!(exact(text, false), Ok(value), "{text}");
        }
        for (text, value) in [("12.3", 1230), ("-0.05", -5), ("0", 0), ("120", 12_000)] {
            assert_eq!(exact(text, true), Ok(value), "{text}");
        }
        for text in
            ["12.3", "12", "-0.00", "+1.00", "01.00", ".50", "1.50e0", "1.000", "10000.00", "NaN", "", "-", "1,00"]
        {
            assert!(exact(text, false).is_err(), "{text}");
        }
        for text in ["12.30", "12.", "-0", "0.0", "00", "1.234", "10000", "1e2", ""] {
            assert!(exact(text, true).is_err(), "{text}");
        }
        assert_eq!(parse_archived_decimal(b"-120", 3, 0, false), Ok(-120));
        assert!(parse_archived_decimal(b"120.", 3, 0, false).is_err());
    }

    proptest! {
        #[test]
        fn every_decimal_is_parsed(value in -(10_i128.pow(38) - 1)..10_i128.pow(38), shift in 0..39_u32) {
            let value = value / 10_i128.pow(shift);
            let unit = 10_u128.pow(18);
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:018}", value.unsigned_abs() / unit, value.unsigned_abs() % unit);
            prop_assert_eq!(cost(&text), Ok(value));
            prop_assert_eq!(cost(&format!("{value}e-18")), Ok(value));
        }
    }
}

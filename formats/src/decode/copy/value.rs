//! Decoders of single values. No value is rounded or truncated.

use super::{ValueError, rows::Field};
use crate::decode::{parse::number::power_of_ten, row_error::RowErrorKind};

/// Decodes a field of fixed width with `from_bytes`.
#[inline]
pub(super) fn read_fixed<const N: usize, T>(field: &[u8], from_bytes: impl Fn([u8; N]) -> T) -> Result<T, ValueError> {
    let bytes = field.try_into().map_err(|_| ValueError::Broken("a value of another width than its type"))?;
    Ok(from_bytes(bytes))
}

#[inline]
pub(super) fn read_bool(field: &[u8]) -> Result<bool, ValueError> {
    match read_fixed(field, u8::from_be_bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ValueError::Broken("a boolean that is neither true nor false")),
    }
}

/// Days from the epoch of Arrow (1970) to that of PostgreSQL (2000).
const EPOCH_DAYS: i32 = 10_957;

/// Days since 1970.
#[inline]
pub(super) fn read_date(field: &[u8]) -> Result<i32, ValueError> {
    match read_fixed(field, i32::from_be_bytes)? {
        i32::MIN | i32::MAX => Err(RowErrorKind::Infinite.into()),
        days => days.checked_add(EPOCH_DAYS).ok_or(RowErrorKind::TooFar.into()),
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds since midnight. 24:00:00 is valid in PostgreSQL, but not in Parquet.
#[inline]
pub(super) fn read_time(field: &[u8]) -> Result<i64, ValueError> {
    match read_fixed(field, i64::from_be_bytes)? {
        micros @ 0..MICROS_PER_DAY => Ok(micros),
        MICROS_PER_DAY => Err(RowErrorKind::EndOfDay.into()),
        _ => Err(ValueError::Broken("a time outside of a day")),
    }
}

/// Microseconds from the epoch of Arrow (1970) to that of PostgreSQL (2000).
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Microseconds since 1970.
#[inline]
pub(super) fn read_timestamp(field: &[u8]) -> Result<i64, ValueError> {
    match read_fixed(field, i64::from_be_bytes)? {
        i64::MIN | i64::MAX => Err(RowErrorKind::Infinite.into()),
        micros => micros.checked_add(EPOCH_MICROS).ok_or(RowErrorKind::TooFar.into()),
    }
}

#[inline]
pub(super) fn read_uuid(field: &[u8]) -> Result<[u8; 16], ValueError> {
    read_fixed(field, |bytes| bytes)
}

/// Version byte of jsonb.
const JSONB: u8 = 1;

/// The JSON texts, without the version byte of jsonb. JSON cannot start with that byte.
pub(super) fn json_texts<'a>(fields: &[Field<'a>]) -> Result<Vec<Field<'a>>, ValueError> {
    fields.iter().map(|field| field.map(json_text).transpose()).collect()
}

#[inline]
fn json_text(field: &[u8]) -> Result<&[u8], ValueError> {
    match field {
        [JSONB, text @ ..] => Ok(text),
        [0..=8, ..] => Err(ValueError::Broken("JSON of an unknown version")),
        text => Ok(text),
    }
}

/// Base of the digits of a numeric.
const BASE: u16 = 10_000;
/// Decimal digits of each of them.
const DIGITS: i64 = 4;

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Decodes a numeric and returns it times 10^`scale`; `scale` is at most `precision`.
#[inline]
pub(super) fn read_numeric(field: &[u8], precision: u8, scale: u8) -> Result<i128, ValueError> {
    let width = ValueError::Broken("a number of another length than its header");
    let ([c0, c1, w0, w1, s0, s1, _, _], digits) = field.split_first_chunk().ok_or(width)?;
    let (digits, odd) = digits.as_chunks();
    if !odd.is_empty() || usize::from(u16::from_be_bytes([*c0, *c1])) != digits.len() {
        return Err(width);
    }
    let weight = i64::from(i16::from_be_bytes([*w0, *w1]));
    match u16::from_be_bytes([*s0, *s1]) {
        POSITIVE => magnitude(digits, weight, precision, scale),
        NEGATIVE => magnitude(digits, weight, precision, scale).map(|value| -value),
        NAN => Err(RowErrorKind::NotANumber.into()),
        INFINITY | NEGATIVE_INFINITY => Err(RowErrorKind::Infinite.into()),
        _ => Err(ValueError::Broken("a number with an unknown sign")),
    }
}

/// The value of `digits`, the first of which has the weight [`BASE`]^`weight`.
#[inline]
fn magnitude(mut digits: &[[u8; 2]], mut weight: i64, precision: u8, scale: u8) -> Result<i128, ValueError> {
    while let [[0, 0], rest @ ..] = digits {
        (digits, weight) = (rest, weight - 1);
    }
    while let [rest @ .., [0, 0]] = digits {
        digits = rest;
    }
    let ([first, ..], [upper @ .., last]) = (digits, digits) else { return Ok(0) };
    let integer_digits = precision - scale;
    if weight * DIGITS + digit_length(read_digit(*first)?) > i64::from(integer_digits) {
        return Err(RowErrorKind::IntegerDigits(integer_digits).into());
    }
    let below = i64::try_from(upper.len()).map_err(|_| RowErrorKind::Decimals(scale))?;
    let places = (weight - below) * DIGITS + i64::from(scale);
    let last = whole_digit(read_digit(*last)?, places).ok_or(RowErrorKind::Decimals(scale))?;
    // Both ends are within the precision, so the sum cannot overflow.
    let upper =
        upper.iter().try_fold(0, |sum, next| Ok::<_, ValueError>(sum * i128::from(BASE) + read_digit(*next)?))?;
    Ok(upper * power_of_ten(places + DIGITS) + last)
}

#[inline]
fn read_digit(bytes: [u8; 2]) -> Result<i128, ValueError> {
    match u16::from_be_bytes(bytes) {
        digit @ 0..BASE => Ok(digit.into()),
        _ => Err(ValueError::Broken("a number with a digit that is too large")),
    }
}

/// Decimal length of a digit above zero.
const fn digit_length(digit: i128) -> i64 {
    match digit {
        ..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        _ => DIGITS,
    }
}

/// `digit` times 10^`places` if that is an integer. The digit is above zero.
#[inline]
fn whole_digit(digit: i128, places: i64) -> Option<i128> {
    if places >= 0 {
        return Some(digit * power_of_ten(places));
    }
    let unit = power_of_ten(-places);
    (places > -DIGITS && digit % unit == 0).then(|| digit / unit)
}

//! Fields into the values of a type, exactly or not at all.

use super::{Failure, rows::Field};
use crate::decode::{fault::Fault, parse::number::power_of_ten};

/// What `from_bytes` makes of the field, which has the width of the type.
#[inline]
pub(super) fn read_fixed<const N: usize, T>(field: &[u8], from_bytes: impl Fn([u8; N]) -> T) -> Result<T, Failure> {
    let bytes = field.try_into().map_err(|_| Failure::Broken("a value that is not as wide as its type"))?;
    Ok(from_bytes(bytes))
}

#[inline]
pub(super) fn read_bool(field: &[u8]) -> Result<bool, Failure> {
    match read_fixed(field, u8::from_be_bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::Broken("a truth value that is neither true nor false")),
    }
}

/// From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
const EPOCH_DAYS: i32 = 10_957;

/// Days since 1970.
#[inline]
pub(super) fn read_date(field: &[u8]) -> Result<i32, Failure> {
    match read_fixed(field, i32::from_be_bytes)? {
        i32::MIN | i32::MAX => Err(Fault::Infinite.into()),
        days => days.checked_add(EPOCH_DAYS).ok_or(Fault::TooFar.into()),
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds since midnight. PostgreSQL has 24:00:00, which Parquet has not.
#[inline]
pub(super) fn read_time(field: &[u8]) -> Result<i64, Failure> {
    match read_fixed(field, i64::from_be_bytes)? {
        micros @ 0..MICROS_PER_DAY => Ok(micros),
        MICROS_PER_DAY => Err(Fault::EndOfDay.into()),
        _ => Err(Failure::Broken("a time that is not within a day")),
    }
}

/// From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Microseconds since 1970.
#[inline]
pub(super) fn read_timestamp(field: &[u8]) -> Result<i64, Failure> {
    match read_fixed(field, i64::from_be_bytes)? {
        i64::MIN | i64::MAX => Err(Fault::Infinite.into()),
        micros => micros.checked_add(EPOCH_MICROS).ok_or(Fault::TooFar.into()),
    }
}

#[inline]
pub(super) fn read_uuid(field: &[u8]) -> Result<[u8; 16], Failure> {
    read_fixed(field, |bytes| bytes)
}

/// The version in which jsonb is sent.
const JSONB: u8 = 1;

/// The documents' texts. Those of jsonb come after the number of a version, which no JSON can begin with.
pub(super) fn json_texts<'a>(fields: &[Field<'a>]) -> Result<Vec<Field<'a>>, Failure> {
    fields.iter().map(|field| field.map(json_text).transpose()).collect()
}

#[inline]
fn json_text(field: &[u8]) -> Result<&[u8], Failure> {
    match field {
        [JSONB, text @ ..] => Ok(text),
        [0..=8, ..] => Err(Failure::Broken("JSON in a form that is not known")),
        text => Ok(text),
    }
}

/// A number is sent as digits of this base.
const BASE: u16 = 10_000;
/// Decimal digits of each.
const DIGITS: i64 = 4;

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// The number times ten to the power of `scale`, which is at most `precision`.
#[inline]
pub(super) fn read_numeric(field: &[u8], precision: u8, scale: u8) -> Result<i128, Failure> {
    let width = Failure::Broken("a number that is not as long as it says");
    let ([c0, c1, w0, w1, s0, s1, _, _], digits) = field.split_first_chunk().ok_or(width)?;
    let (digits, odd) = digits.as_chunks();
    if !odd.is_empty() || usize::from(u16::from_be_bytes([*c0, *c1])) != digits.len() {
        return Err(width);
    }
    let weight = i64::from(i16::from_be_bytes([*w0, *w1]));
    match u16::from_be_bytes([*s0, *s1]) {
        POSITIVE => magnitude(digits, weight, precision, scale),
        NEGATIVE => magnitude(digits, weight, precision, scale).map(|value| -value),
        NAN => Err(Fault::NotANumber.into()),
        INFINITY | NEGATIVE_INFINITY => Err(Fault::Infinite.into()),
        _ => Err(Failure::Broken("a number with a sign that is not known")),
    }
}

/// The number of these digits, the first of which counts [`BASE`] to the power of `weight`.
#[inline]
fn magnitude(mut digits: &[[u8; 2]], mut weight: i64, precision: u8, scale: u8) -> Result<i128, Failure> {
    while let [[0, 0], rest @ ..] = digits {
        (digits, weight) = (rest, weight - 1);
    }
    while let [rest @ .., [0, 0]] = digits {
        digits = rest;
    }
    let ([first, ..], [upper @ .., last]) = (digits, digits) else { return Ok(0) };
    let integer_digits = precision - scale;
    if weight * DIGITS + digit_length(read_digit(*first)?) > i64::from(integer_digits) {
        return Err(Fault::IntegerDigits(integer_digits).into());
    }
    let below = i64::try_from(upper.len()).map_err(|_| Fault::Decimals(scale))?;
    let places = (weight - below) * DIGITS + i64::from(scale);
    let last = whole_digit(read_digit(*last)?, places).ok_or(Fault::Decimals(scale))?;
    // Neither end sticks out, so that there are no more digits than the largest number has.
    let upper = upper.iter().try_fold(0, |sum, next| Ok::<_, Failure>(sum * i128::from(BASE) + read_digit(*next)?))?;
    Ok(upper * power_of_ten(places + DIGITS) + last)
}

#[inline]
fn read_digit(bytes: [u8; 2]) -> Result<i128, Failure> {
    match u16::from_be_bytes(bytes) {
        digit @ 0..BASE => Ok(digit.into()),
        _ => Err(Failure::Broken("a number with a digit that is too large")),
    }
}

/// How many decimal digits a digit has that is not zero.
const fn digit_length(digit: i128) -> i64 {
    match digit {
        ..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        _ => DIGITS,
    }
}

/// The last digit times ten to the power of `places`, if that is a whole number. The digit is not zero.
#[inline]
fn whole_digit(digit: i128, places: i64) -> Option<i128> {
    if places >= 0 {
        return Some(digit * power_of_ten(places));
    }
    let unit = power_of_ten(-places);
    (places > -DIGITS && digit % unit == 0).then(|| digit / unit)
}

//! Decimal numbers.

use crate::decode::{copy::Failure, fault::Fault, value::decimal::power_of_ten};

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
pub(in crate::decode::copy) fn read(field: &[u8], precision: u8, scale: u8) -> Result<i128, Failure> {
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
    if weight * DIGITS + length(digit(*first)?) > i64::from(integer_digits) {
        return Err(Fault::IntegerDigits(integer_digits).into());
    }
    let below = i64::try_from(upper.len()).map_err(|_| Fault::Decimals(scale))?;
    let places = (weight - below) * DIGITS + i64::from(scale);
    let last = whole(digit(*last)?, places).ok_or(Fault::Decimals(scale))?;
    // Neither end sticks out, so that there are no more digits than the largest number has.
    let upper = upper.iter().try_fold(0, |sum, next| Ok::<_, Failure>(sum * i128::from(BASE) + digit(*next)?))?;
    Ok(upper * power_of_ten(places + DIGITS) + last)
}

#[inline]
fn digit(bytes: [u8; 2]) -> Result<i128, Failure> {
    match u16::from_be_bytes(bytes) {
        digit @ 0..BASE => Ok(digit.into()),
        _ => Err(Failure::Broken("a number with a digit that is too large")),
    }
}

/// How many decimal digits a digit has that is not zero.
const fn length(digit: i128) -> i64 {
    match digit {
        ..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        _ => DIGITS,
    }
}

/// The last digit times ten to the power of `places`, if that is a whole number. The digit is not zero.
#[inline]
fn whole(digit: i128, places: i64) -> Option<i128> {
    if places >= 0 {
        return Some(digit * power_of_ten(places));
    }
    let unit = power_of_ten(-places);
    (places > -DIGITS && digit % unit == 0).then(|| digit / unit)
}

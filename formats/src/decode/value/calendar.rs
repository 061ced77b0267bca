//! The Gregorian calendar.

use crate::decode::fault::Fault;

/// Two digits that make no more than `max`.
#[inline]
pub(super) fn two(tens: u8, ones: u8, max: i64) -> Result<i64, Fault> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    let value = i64::from(tens) * 10 + i64::from(ones);
    if tens < 10 && ones < 10 && value <= max { Ok(value) } else { Err(Fault::Time) }
}

#[inline]
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, in years after the year 0. A year is counted from March, so that the leap day is its last.
#[inline]
pub(super) fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_BEFORE_1970: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - DAYS_BEFORE_1970
}

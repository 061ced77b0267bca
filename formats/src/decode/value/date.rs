//! Dates, as an archive spells them.

use super::calendar::{days_in_month, days_since_epoch, two};
use crate::decode::fault::Fault;

/// The calendar repeats itself after so many years and days.
const YEARS_PER_ERA: i64 = 400;
const DAYS_PER_ERA: i64 = 146_097;

/// Eras that make every year of [`MOST_DIGITS`] a positive one.
const ERAS: i64 = 25_000;

/// Digits of the furthest years that a date or a time can lie in.
const MOST_DIGITS: usize = 7;

/// Days since 1970.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i32, Fault> {
    let (days, rest) = split(text).ok_or(Fault::Spelling("a date"))?;
    let days = i32::try_from(days).ok().filter(|_| rest.is_empty());
    days.ok_or(Fault::Spelling("a date"))
}

/// The days since 1970 of the date that `text` begins with, and what comes after it.
pub(super) fn split(text: &[u8]) -> Option<(i64, &[u8])> {
    let (year, rest) = split_year(text)?;
    let [b'-', m, m0, b'-', d, d0, rest @ ..] = rest else { return None };
    let year = year + ERAS * YEARS_PER_ERA;
    let (month, day) = (two(*m, *m0, 12).ok()?, two(*d, *d0, 31).ok()?);
    let exists = month > 0 && day > 0 && day <= days_in_month(year, month);
    exists.then(|| (days_since_epoch(year, month, day) - ERAS * DAYS_PER_ERA, rest))
}

/// The year that `text` begins with, and what comes after it. Years that have no four digits have a sign.
fn split_year(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, text) = match text {
        [sign @ (b'+' | b'-'), text @ ..] => (Some(sign), text),
        text => (None, text),
    };
    let length = text.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let year = digits.iter().fold(0, |year, digit| year * 10 + i64::from(digit - b'0'));
    let is_long = (5..=MOST_DIGITS).contains(&length) && !digits.starts_with(b"0");
    match sign {
        None if length == 4 => Some((year, rest)),
        Some(b'+') if is_long => Some((year, rest)),
        Some(b'-') if is_long || (length == 4 && year > 0) => Some((-year, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    #[test]
    fn years_have_four_digits_or_a_sign() {
        let days = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap().to_epoch_days();
        let dates = [
            ("0000-02-29", days(0, 2, 29)),
            ("9999-12-31", days(9999, 12, 31)),
            ("+10000-01-01", days(10_000, 1, 1)),
            ("-0001-03-01", days(-1, 3, 1)),
            ("-12345-06-07", days(-12_345, 6, 7)),
            ("+5881580-07-11", i32::MAX),
            ("-5877641-06-23", i32::MIN),
        ];
        for (text, days) in dates {
            assert_eq!(parse(text.as_bytes()), Ok(days), "{text}");
        }
    }

    #[test]
    fn no_other_spelling_is_a_date() {
        let texts = "|2025-3-01|2025-02-29|2025-13-01|2025-00-01|2025-04-00|2025-04-31|2025-03-01 |25-03-01|02025-03-01|\
                     10000-01-01|+2025-03-01|+09999-01-01|-0000-01-01|-00001-01-01|+12345678-01-01|+5881580-07-12|\
                     -5877641-06-22|2025/03/01|2025-03-0١|infinity|+-0001-01-01";
        for text in texts.split('|') {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Spelling("a date")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(year in -262_000..262_000_i32, day in 1..367_u32) {
            let Some(date) = NaiveDate::from_yo_opt(year, day) else { return Ok(()) };
            prop_assert_eq!(parse(date.to_string().as_bytes()), Ok(date.to_epoch_days()));
        }
    }
}

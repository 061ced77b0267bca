//! Dates and times as text in ISO 8601, with microseconds.

use std::io::{self, Write};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// `2025-03-01T11:30:00.250000`.
pub(super) fn write_date_time(micros: i64, out: &mut Vec<u8>) -> io::Result<()> {
    write_date(micros.div_euclid(MICROS_PER_DAY), out)?;
    out.push(b'T');
    write_time(micros.rem_euclid(MICROS_PER_DAY), out);
    Ok(())
}

/// `2025-03-01`. Years outside 0 to 9999 have a sign, as in ISO 8601.
pub(super) fn write_date(days_since_1970: i64, out: &mut Vec<u8>) -> io::Result<()> {
    let (year, month, day) = civil(days_since_1970);
    match year {
        0..=9999 => push_digits(year, 4, out),
        _ => write!(out, "{year:+05}")?,
    }
    out.push(b'-');
    push_digits(month, 2, out);
    out.push(b'-');
    push_digits(day, 2, out);
    Ok(())
}

/// `11:30:00.250000`, up to `24:00:00.000000`.
pub(super) fn write_time(micros: i64, out: &mut Vec<u8>) {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    push_digits(seconds / 3600, 2, out);
    out.push(b':');
    push_digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_digits(seconds % 60, 2, out);
    out.push(b'.');
    push_digits(micros, 6, out);
}

/// Year, month and day in the Gregorian calendar. Years are counted from March, in eras of 400 years.
fn civil(days_since_1970: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days_since_1970 + 719_468;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day_of_month)
}

/// The last `length` decimal digits of `value`, which is not negative.
#[expect(clippy::expect_used, reason = "a remainder of ten")]
fn push_digits(value: i64, length: u32, out: &mut Vec<u8>) {
    for place in (0..length).rev() {
        let digit = u8::try_from(value / 10_i64.pow(place) % 10).expect("times of day are not negative");
        out.push(b'0' + digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate};
    use proptest::prelude::*;

    fn printed(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn years_outside_four_digits_have_a_sign() {
        let year = |year| NaiveDate::from_ymd_opt(year, 7, 1).unwrap().to_epoch_days();
        for (days, text) in [(year(10_000), "+10000-07-01"), (year(0), "0000-07-01"), (year(-1), "-0001-07-01")] {
            assert_eq!(printed(|out| write_date(days.into(), out).unwrap()), text);
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert!(printed(|out| write_date_time(extreme, out).unwrap()).len() > 26);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(micros in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64) {
            let expected = DateTime::from_timestamp_micros(micros).unwrap().naive_utc().format("%FT%T%.6f").to_string();
            prop_assert_eq!(printed(|out| write_date_time(micros, out).unwrap()), expected);
        }
    }
}

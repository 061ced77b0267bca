//! Parsers of dates and times: RFC 3339 and the output of PostgreSQL in artifacts, one spelling in archives.

use crate::decode::row_error::RowErrorKind;
use std::ops::RangeInclusive;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Timestamps of the years 1 to 9999, those of RFC 3339.
const INSTANTS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The Gregorian calendar repeats after an era of 400 years.
const YEARS_PER_ERA: i64 = 400;
const DAYS_PER_ERA: i64 = 146_097;

/// Eras added to a year so that every year of [`MAX_YEAR_DIGITS`] becomes positive.
const ERAS: i64 = 25_000;

/// Digits of the largest year that fits into a date or a timestamp.
const MAX_YEAR_DIGITS: usize = 7;

/// What happens to times of artifacts that are more precise than the microseconds of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinerTimes {
    /// Their rows are rejected.
    #[default]
    Reject,
    /// They lose what is below a microsecond: the value is the last microsecond that is not after it.
    Truncate,
}

/// Parses a timestamp of an artifact into microseconds since 1970 in UTC. The zone is mandatory; second 60 is the first
/// of the next minute, as in PostgreSQL.
#[inline]
pub(in crate::decode) fn parse_timestamp(text: &[u8], finer: FinerTimes) -> Result<i64, RowErrorKind> {
    let (date_time, rest) = text.split_first_chunk().ok_or(RowErrorKind::Time)?;
    let local = local_seconds(date_time)?;
    let (micros, rest) = fraction(rest, finer)?;
    let instant = (local - offset_seconds(rest)?) * MICROS_PER_SECOND + micros;
    if INSTANTS.contains(&instant) { Ok(instant) } else { Err(RowErrorKind::Year) }
}

/// Seconds from 1970 to `YYYY-MM-DD HH:MM:SS`, both without a zone.
fn local_seconds(text: &[u8; 19]) -> Result<i64, RowErrorKind> {
    let [.., b'-', _, _, b'-', _, _, b'T' | b't' | b' ', _, _, b':', _, _, b':', _, _] = text else {
        return Err(RowErrorKind::Time);
    };
    let part = |at: usize, max| two(text[at], text[at + 1], max);
    let (year, month, day) = (part(0, 99)? * 100 + part(2, 99)?, part(5, 12)?, part(8, 31)?);
    if year == 0 {
        return Err(RowErrorKind::Year);
    }
    if month == 0 || day == 0 || day > days_in_month(year, month) {
        return Err(RowErrorKind::Time);
    }
    let (hour, minute, second) = (part(11, 23)?, part(14, 59)?, part(17, 60)?);
    Ok(((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// The microseconds of an optional fraction, and the rest.
fn fraction(text: &[u8], finer: FinerTimes) -> Result<(i64, &[u8]), RowErrorKind> {
    let Some((b'.', digits)) = text.split_first() else { return Ok((0, text)) };
    let (mut micros, mut unit, mut length) = (0, MICROS_PER_SECOND / 10, 0);
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        if unit == 0 && *digit != b'0' && finer == FinerTimes::Reject {
            return Err(RowErrorKind::Precision);
        }
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
        length += 1;
    }
    if length == 0 { Err(RowErrorKind::Time) } else { Ok((micros, &digits[length..])) }
}

/// Offset of a zone from UTC in seconds.
fn offset_seconds(zone: &[u8]) -> Result<i64, RowErrorKind> {
    let (sign, digits) = match zone {
        [b'Z' | b'z'] => return Ok(0),
        [] => return Err(RowErrorKind::Zone),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(RowErrorKind::Time),
    };
    let (hours, minutes, seconds) = match *digits {
        [h, h0] => (two(h, h0, 23)?, 0, 0),
        [h, h0, m, m0] | [h, h0, b':', m, m0] => (two(h, h0, 23)?, two(m, m0, 59)?, 0),
        [h, h0, b':', m, m0, b':', s, s0] => (two(h, h0, 23)?, two(m, m0, 59)?, two(s, s0, 59)?),
        _ => return Err(RowErrorKind::Time),
    };
    Ok(sign * ((hours * 60 + minutes) * 60 + seconds))
}

/// Parses a timestamp without a zone, as archives write it, into microseconds since 1970.
pub(in crate::decode) fn parse_archived_local(text: &[u8]) -> Result<i64, RowErrorKind> {
    local_micros(text).ok_or(RowErrorKind::Spelling("a time without a zone"))
}

/// Parses a UTC timestamp, as archives write it, into microseconds since 1970.
pub(in crate::decode) fn parse_archived_utc(text: &[u8]) -> Result<i64, RowErrorKind> {
    text.strip_suffix(b"Z").and_then(local_micros).ok_or(RowErrorKind::Spelling("a time in UTC"))
}

fn local_micros(text: &[u8]) -> Option<i64> {
    let (days, rest) = split_date(text)?;
    let time = day_micros(rest.strip_prefix(b"T")?).filter(|micros| *micros < MICROS_PER_DAY)?;
    i64::try_from(i128::from(days) * i128::from(MICROS_PER_DAY) + i128::from(time)).ok()
}

/// Parses a date, as archives write it, into days since 1970.
pub(in crate::decode) fn parse_date(text: &[u8]) -> Result<i32, RowErrorKind> {
    let (days, rest) = split_date(text).ok_or(RowErrorKind::Spelling("a date"))?;
    let days = i32::try_from(days).ok().filter(|_| rest.is_empty());
    days.ok_or(RowErrorKind::Spelling("a date"))
}

/// Days since 1970 of the date at the start of `text`, and the rest.
fn split_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (year, rest) = split_year(text)?;
    let [b'-', m, m0, b'-', d, d0, rest @ ..] = rest else { return None };
    let year = year + ERAS * YEARS_PER_ERA;
    let (month, day) = (two(*m, *m0, 12).ok()?, two(*d, *d0, 31).ok()?);
    let exists = month > 0 && day > 0 && day <= days_in_month(year, month);
    exists.then(|| (days_since_epoch(year, month, day) - ERAS * DAYS_PER_ERA, rest))
}

/// The year at the start of `text`, and the rest. Years outside 0000 to 9999 have a sign.
fn split_year(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, text) = match text {
        [sign @ (b'+' | b'-'), text @ ..] => (Some(sign), text),
        text => (None, text),
    };
    let length = text.iter().take(MAX_YEAR_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let year = digits.iter().fold(0, |year, digit| year * 10 + i64::from(digit - b'0'));
    let is_long = (5..=MAX_YEAR_DIGITS).contains(&length) && !digits.starts_with(b"0");
    match sign {
        None if length == 4 => Some((year, rest)),
        Some(b'+') if is_long => Some((year, rest)),
        Some(b'-') if is_long || (length == 4 && year > 0) => Some((-year, rest)),
        _ => None,
    }
}

/// Parses a time of day, as archives write it, into microseconds since midnight. 24:00 is valid.
pub(in crate::decode) fn parse_time(text: &[u8]) -> Result<i64, RowErrorKind> {
    day_micros(text).ok_or(RowErrorKind::Spelling("a time of day"))
}

/// Microseconds since midnight of `HH:MM:SS.ffffff`.
fn day_micros(text: &[u8]) -> Option<i64> {
    let text: &[u8; 15] = text.try_into().ok()?;
    let [_, _, b':', _, _, b':', _, _, b'.', ..] = text else { return None };
    let part = |at: usize, max| two(text[at], text[at + 1], max).ok();
    let seconds = (part(0, 24)? * 60 + part(3, 59)?) * 60 + part(6, 59)?;
    let fraction = (part(9, 99)? * 100 + part(11, 99)?) * 100 + part(13, 99)?;
    let micros = seconds * MICROS_PER_SECOND + fraction;
    (micros <= MICROS_PER_DAY).then_some(micros)
}

/// A number of two digits, at most `max`.
#[inline]
fn two(tens: u8, ones: u8, max: i64) -> Result<i64, RowErrorKind> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    let value = i64::from(tens) * 10 + i64::from(ones);
    if tens < 10 && ones < 10 && value <= max { Ok(value) } else { Err(RowErrorKind::Time) }
}

#[inline]
fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, for years from 0. Years start in March here, so that the leap day is the last day.
#[inline]
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_BEFORE_1970: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - DAYS_BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate, SecondsFormat};
    use proptest::prelude::*;

    fn micros(rfc3339: &str) -> i64 {
        DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_micros()
    }

    fn timestamp(text: &[u8]) -> Result<i64, RowErrorKind> {
        parse_timestamp(text, FinerTimes::Reject)
    }

    #[test]
    fn finer_times_are_truncated_on_request() {
        let truncated = |text: &str| parse_timestamp(text.as_bytes(), FinerTimes::Truncate);
        for (text, micros_of) in [
            ("2025-03-01T11:30:00.1234567Z", "2025-03-01T11:30:00.123456Z"),
            ("2025-03-31T23:59:59.999999999Z", "2025-03-31T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.9999999+00:00", "1969-12-31T23:59:59.999999Z"),
            ("2025-03-01T11:30:00.5Z", "2025-03-01T11:30:00.5Z"),
        ] {
            assert_eq!(truncated(text), Ok(micros(micros_of)), "{text}");
        }
        assert_eq!(truncated("2025-03-01T11:30:00.1234567"), Err(RowErrorKind::Zone));
        assert_eq!(truncated("2025-03-01T11:30:00.123456x7Z"), Err(RowErrorKind::Time));
    }

    #[test]
    fn timestamps_are_rfc_3339_or_as_postgresql_prints_them() {
        let same = [
            "2025-03-01T11:30:00.25Z",
            "2025-03-01t11:30:00.250000000000z",
            "2025-03-01 11:30:00.25+00",
            "2025-03-01 12:30:00.25+01:00",
            "2025-03-01 17:00:00.25+0530",
            "2025-03-01 05:15:30.25-06:14:30",
            "2025-03-01 11:29:60.25-00",
        ];
        for text in same {
            assert_eq!(timestamp(text.as_bytes()), Ok(micros("2025-03-01T11:30:00.25Z")), "{text}");
        }
        assert_eq!(timestamp(b"0001-01-01T00:00:00Z"), Ok(*INSTANTS.start()));
        assert_eq!(timestamp(b"9999-12-31T23:59:59.999999Z"), Ok(*INSTANTS.end()));
        assert_eq!(timestamp(b"2024-02-29T00:00:00Z"), Ok(micros("2024-02-29T00:00:00Z")));
    }

    #[test]
    fn errors_name_precision_zone_and_year() {
        let cases = [
            ("2025-03-01T11:30:00.0000001Z", RowErrorKind::Precision),
            ("2025-03-01T11:30:00", RowErrorKind::Zone),
            ("2025-03-01 11:30:00.123456", RowErrorKind::Zone),
            ("0000-03-01T11:30:00Z", RowErrorKind::Year),
            ("0001-01-01T00:00:00+00:01", RowErrorKind::Year),
            ("9999-12-31T23:59:60Z", RowErrorKind::Year),
        ];
        for (text, kind) in cases {
            assert_eq!(timestamp(text.as_bytes()), Err(kind), "{text}");
        }
    }

    #[test]
    fn other_timestamps_are_refused() {
        let texts = "2025-03-01|2025-02-29T00:00:00Z|1900-02-29T00:00:00Z|2025-13-01T00:00:00Z|2025-00-01T00:00:00Z|\
                     2025-04-31T00:00:00Z|2025-04-00T00:00:00Z|2025-03-01T24:00:00Z|2025-03-01T00:60:00Z|\
                     2025-03-01T00:00:61Z|2025-03-01T00:00:00.Z|2025-03-01T00:00:00+|2025-03-01T00:00:00+1|\
                     2025-03-01T00:00:00+24|2025-03-01T00:00:00+00:60|2025-03-01T00:00:00ZZ|2025-03-01T00:00:00 Z|\
                     2025-03-01X00:00:00Z|12025-03-01T00:00:00Z|+2025-03-01T00:00:00Z|infinity|1740787200|20250301T000000Z";
        for text in texts.split('|') {
            assert_eq!(timestamp(text.as_bytes()), Err(RowErrorKind::Time), "{text}");
        }
    }

    proptest! {
        #[test]
        fn timestamps_of_artifacts_agree_with_chrono(instant in INSTANTS, offset in -86_399..86_400_i32) {
            let time = DateTime::from_timestamp_micros(instant).unwrap();
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            prop_assert_eq!(timestamp(text.as_bytes()), Ok(instant));
            let local = time.naive_utc() + chrono::Duration::seconds(offset.into());
            let years = NaiveDate::from_ymd_opt(1, 1, 1).unwrap()..=NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
            prop_assume!(years.contains(&local.date()));
            let (sign, zone) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            let (hours, minutes, seconds) = (zone / 3600, zone / 60 % 60, zone % 60);
            let text = format!("{}{sign}{hours:02}:{minutes:02}:{seconds:02}", local.format("%F %T%.6f"));
            prop_assert_eq!(timestamp(text.as_bytes()), Ok(instant), "{}", text);
        }

        #[test]
        fn days_of_months_agree_with_chrono(year in 0..10_000_i32, month in 0..14_u32, day in 0..33_u32) {
            let date = NaiveDate::from_ymd_opt(year, month, day).filter(|_| year > 0);
            let expected = date.map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros());
            prop_assert_eq!(timestamp(format!("{year:04}-{month:02}-{day:02}T00:00:00Z").as_bytes()).ok(), expected);
        }
    }

    #[test]
    fn archived_timestamps_cover_64_bits() {
        assert_eq!(parse_archived_local(b"+294247-01-10T04:00:54.775807"), Ok(i64::MAX));
        assert_eq!(parse_archived_utc(b"-290308-12-21T19:59:05.224192Z"), Ok(i64::MIN));
        assert!(parse_archived_local(b"+294247-01-10T04:00:54.775808").is_err());
        assert!(parse_archived_local(b"-290308-12-21T19:59:05.224191").is_err());
    }

    #[test]
    fn archived_timestamps_have_one_spelling() {
        let texts = "|2025-03-01|2025-03-01T|2025-03-01 11:30:00.000000|2025-03-01t11:30:00.000000|\
                     2025-03-01T24:00:00.000000|2025-03-01T11:30:60.000000|2025-03-01T11:30:00|2025-03-01T11:30:00.5|\
                     2025-03-01T11:30:00.000000+00|infinity|12025-03-01T11:30:00.000000";
        for text in texts.split('|') {
            assert_eq!(
                parse_archived_local(text.as_bytes()),
                Err(RowErrorKind::Spelling("a time without a zone")),
                "{text}"
            );
            let text = format!("{text}Z");
            assert_eq!(parse_archived_utc(text.as_bytes()), Err(RowErrorKind::Spelling("a time in UTC")), "{text}");
        }
        assert!(
            parse_archived_local(b"2025-03-01T11:30:00.000000Z").is_err()
                && parse_archived_utc(b"2025-03-01T11:30:00.000000").is_err()
        );
    }

    proptest! {
        #[test]
        fn archived_timestamps_agree_with_chrono(micros in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64) {
            let text = DateTime::from_timestamp_micros(micros).unwrap().naive_utc().format("%FT%T%.6f").to_string();
            prop_assert_eq!(parse_archived_local(text.as_bytes()), Ok(micros));
            prop_assert_eq!(parse_archived_utc(format!("{text}Z").as_bytes()), Ok(micros));
        }
    }

    #[test]
    fn dates_have_four_digit_or_signed_years() {
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
            assert_eq!(parse_date(text.as_bytes()), Ok(days), "{text}");
        }
    }

    #[test]
    fn dates_have_one_spelling() {
        let texts = "|2025-3-01|2025-02-29|2025-13-01|2025-00-01|2025-04-00|2025-04-31|2025-03-01 |25-03-01|02025-03-01|\
                     10000-01-01|+2025-03-01|+09999-01-01|-0000-01-01|-00001-01-01|+12345678-01-01|+5881580-07-12|\
                     -5877641-06-22|2025/03/01|2025-03-0١|infinity|+-0001-01-01";
        for text in texts.split('|') {
            assert_eq!(parse_date(text.as_bytes()), Err(RowErrorKind::Spelling("a date")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_chrono(year in -262_000..262_000_i32, day in 1..367_u32) {
            let Some(date) = NaiveDate::from_yo_opt(year, day) else { return Ok(()) };
            prop_assert_eq!(parse_date(date.to_string().as_bytes()), Ok(date.to_epoch_days()));
        }
    }

    #[test]
    fn times_range_from_0_to_24_hours() {
        for (text, micros) in
            [("00:00:00.000000", 0), ("23:59:59.999999", MICROS_PER_DAY - 1), ("24:00:00.000000", MICROS_PER_DAY)]
        {
            assert_eq!(parse_time(text.as_bytes()), Ok(micros));
        }
        assert_eq!(parse_time(b"11:30:00.250001"), Ok((11 * 60 + 30) * 60_000_000 + 250_001));
    }

    #[test]
    fn times_have_one_spelling() {
        let texts = "|24:00:00.000001|25:00:00.000000|11:60:00.000000|11:30:60.000000|11:30:00|11:30:00.25|\
                     11:30:00.2500000|1:30:00.250000|11:30:00.250000Z|11.30.00.250000|11:30:00,250000|+1:30:00.250000";
        for text in texts.split('|') {
            assert_eq!(parse_time(text.as_bytes()), Err(RowErrorKind::Spelling("a time of day")), "{text}");
        }
    }
}

//! Instants: RFC 3339, and the form in which PostgreSQL prints them.

use super::calendar::{days_in_month, days_since_epoch, two};
use crate::decode::fault::Fault;
use std::ops::RangeInclusive;

const MICROS: i64 = 1_000_000;

/// The instants of the years 1 to 9999, which RFC 3339 can write.
const INSTANTS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Microseconds since the epoch. The zone is mandatory; second 60 is the next minute's first, as in PostgreSQL.
#[inline]
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i64, Fault> {
    let (date_time, rest) = text.split_first_chunk().ok_or(Fault::Time)?;
    let local = local_seconds(date_time)?;
    let (micros, rest) = fraction(rest)?;
    let instant = (local - offset_seconds(rest)?) * MICROS + micros;
    if INSTANTS.contains(&instant) { Ok(instant) } else { Err(Fault::Year) }
}

/// `YYYY-MM-DD HH:MM:SS` as seconds since 1970 on a clock without a zone.
fn local_seconds(text: &[u8; 19]) -> Result<i64, Fault> {
    let [.., b'-', _, _, b'-', _, _, b'T' | b't' | b' ', _, _, b':', _, _, b':', _, _] = text else {
        return Err(Fault::Time);
    };
    let part = |at: usize, max| two(text[at], text[at + 1], max);
    let (year, month, day) = (part(0, 99)? * 100 + part(2, 99)?, part(5, 12)?, part(8, 31)?);
    if year == 0 {
        return Err(Fault::Year);
    }
    if month == 0 || day == 0 || day > days_in_month(year, month) {
        return Err(Fault::Time);
    }
    let (hour, minute, second) = (part(11, 23)?, part(14, 59)?, part(17, 60)?);
    Ok(((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// The microseconds of an optional fraction, and what comes after it.
fn fraction(text: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let Some((b'.', digits)) = text.split_first() else { return Ok((0, text)) };
    let (mut micros, mut unit, mut length) = (0, MICROS / 10, 0);
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        if unit == 0 && *digit != b'0' {
            return Err(Fault::Precision);
        }
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
        length += 1;
    }
    if length == 0 { Err(Fault::Time) } else { Ok((micros, &digits[length..])) }
}

/// How far the zone's clocks are ahead of UTC.
fn offset_seconds(zone: &[u8]) -> Result<i64, Fault> {
    let (sign, digits) = match zone {
        [b'Z' | b'z'] => return Ok(0),
        [] => return Err(Fault::Zone),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(Fault::Time),
    };
    let (hours, minutes, seconds) = match *digits {
        [h, h0] => (two(h, h0, 23)?, 0, 0),
        [h, h0, m, m0] | [h, h0, b':', m, m0] => (two(h, h0, 23)?, two(m, m0, 59)?, 0),
        [h, h0, b':', m, m0, b':', s, s0] => (two(h, h0, 23)?, two(m, m0, 59)?, two(s, s0, 59)?),
        _ => return Err(Fault::Time),
    };
    Ok(sign * ((hours * 60 + minutes) * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate, SecondsFormat};
    use proptest::prelude::*;

    fn micros(rfc3339: &str) -> i64 {
        DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_micros()
    }

    #[test]
    fn reads_rfc_3339_and_what_postgresql_prints() {
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
            assert_eq!(parse(text.as_bytes()), Ok(micros("2025-03-01T11:30:00.25Z")), "{text}");
        }
        assert_eq!(parse(b"0001-01-01T00:00:00Z"), Ok(*INSTANTS.start()));
        assert_eq!(parse(b"9999-12-31T23:59:59.999999Z"), Ok(*INSTANTS.end()));
        assert_eq!(parse(b"2024-02-29T00:00:00Z"), Ok(micros("2024-02-29T00:00:00Z")));
    }

    #[test]
    fn names_what_is_wrong() {
        let cases = [
            ("2025-03-01T11:30:00.0000001Z", Fault::Precision),
            ("2025-03-01T11:30:00", Fault::Zone),
            ("2025-03-01 11:30:00.123456", Fault::Zone),
            ("0000-03-01T11:30:00Z", Fault::Year),
            ("0001-01-01T00:00:00+00:01", Fault::Year),
            ("9999-12-31T23:59:60Z", Fault::Year),
        ];
        for (text, fault) in cases {
            assert_eq!(parse(text.as_bytes()), Err(fault), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        let texts = "2025-03-01|2025-02-29T00:00:00Z|1900-02-29T00:00:00Z|2025-13-01T00:00:00Z|2025-00-01T00:00:00Z|\
                     2025-04-31T00:00:00Z|2025-04-00T00:00:00Z|2025-03-01T24:00:00Z|2025-03-01T00:60:00Z|\
                     2025-03-01T00:00:61Z|2025-03-01T00:00:00.Z|2025-03-01T00:00:00+|2025-03-01T00:00:00+1|\
                     2025-03-01T00:00:00+24|2025-03-01T00:00:00+00:60|2025-03-01T00:00:00ZZ|2025-03-01T00:00:00 Z|\
                     2025-03-01X00:00:00Z|12025-03-01T00:00:00Z|+2025-03-01T00:00:00Z|infinity|1740787200|20250301T000000Z";
        for text in texts.split('|') {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Time), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(instant in INSTANTS, offset in -86_399..86_400_i32) {
            let time = DateTime::from_timestamp_micros(instant).unwrap();
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            prop_assert_eq!(parse(text.as_bytes()), Ok(instant));
            let local = time.naive_utc() + chrono::Duration::seconds(offset.into());
            let years = NaiveDate::from_ymd_opt(1, 1, 1).unwrap()..=NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
            prop_assume!(years.contains(&local.date()));
            let (sign, zone) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            let (hours, minutes, seconds) = (zone / 3600, zone / 60 % 60, zone % 60);
            let text = format!("{}{sign}{hours:02}:{minutes:02}:{seconds:02}", local.format("%F %T%.6f"));
            prop_assert_eq!(parse(text.as_bytes()), Ok(instant), "{}", text);
        }

        #[test]
        fn every_date_is_chronos(year in 0..10_000_i32, month in 0..14_u32, day in 0..33_u32) {
            let date = NaiveDate::from_ymd_opt(year, month, day).filter(|_| year > 0);
            let expected = date.map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros());
            prop_assert_eq!(parse(format!("{year:04}-{month:02}-{day:02}T00:00:00Z").as_bytes()).ok(), expected);
        }
    }
}

//! Dates with times of day, as an archive spells them.

use super::{date, time};
use crate::decode::fault::Fault;

/// Microseconds since 1970 on a clock without a zone.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i64, Fault> {
    micros(text).ok_or(Fault::Spelling("a time without a zone"))
}

/// Microseconds since 1970 in UTC.
pub(in crate::decode) fn parse_utc(text: &[u8]) -> Result<i64, Fault> {
    text.strip_suffix(b"Z").and_then(micros).ok_or(Fault::Spelling("a time in UTC"))
}

fn micros(text: &[u8]) -> Option<i64> {
    let (days, rest) = date::split(text)?;
    let time = time::micros(rest.strip_prefix(b"T")?).filter(|micros| *micros < time::DAY)?;
    i64::try_from(i128::from(days) * i128::from(time::DAY) + i128::from(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    #[test]
    fn the_furthest_times_are_read() {
        assert_eq!(parse(b"+294247-01-10T04:00:54.775807"), Ok(i64::MAX));
        assert_eq!(parse_utc(b"-290308-12-21T19:59:05.224192Z"), Ok(i64::MIN));
        assert!(parse(b"+294247-01-10T04:00:54.775808").is_err());
        assert!(parse(b"-290308-12-21T19:59:05.224191").is_err());
    }

    #[test]
    fn no_other_spelling_is_one() {
        let texts = "|2025-03-01|2025-03-01T|2025-03-01 11:30:00.000000|2025-03-01t11:30:00.000000|\
                     2025-03-01T24:00:00.000000|2025-03-01T11:30:60.000000|2025-03-01T11:30:00|2025-03-01T11:30:00.5|\
                     2025-03-01T11:30:00.000000+00|infinity|12025-03-01T11:30:00.000000";
        for text in texts.split('|') {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Spelling("a time without a zone")), "{text}");
            let text = format!("{text}Z");
            assert_eq!(parse_utc(text.as_bytes()), Err(Fault::Spelling("a time in UTC")), "{text}");
        }
        assert!(parse(b"2025-03-01T11:30:00.000000Z").is_err() && parse_utc(b"2025-03-01T11:30:00.000000").is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(micros in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64) {
            let text = DateTime::from_timestamp_micros(micros).unwrap().naive_utc().format("%FT%T%.6f").to_string();
            prop_assert_eq!(parse(text.as_bytes()), Ok(micros));
            prop_assert_eq!(parse_utc(format!("{text}Z").as_bytes()), Ok(micros));
        }
    }
}

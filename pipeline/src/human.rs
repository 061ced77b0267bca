//! Formats numbers, sizes, dates and months for people.

use crate::config::Level;
use archive_formats::{Head, Month, Timestamp};
use std::time::Duration;

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `2 events`.
pub fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Bytes in the largest binary unit that fits, with one decimal.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_240 {
        tenths /= 1024;
        unit = units.next();
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&"EiB"))
}

/// `whole / part` with one decimal, rounded down. A `part` of 0 counts as 1.
pub fn ratio(whole: u64, part: u64) -> String {
    let part = part.max(1);
    let tenth = u128::from(whole % part) * 10 / u128::from(part);
    format!("{}.{tenth}", thousands(whole / part))
}

/// `104.8 bytes an event`; `None` without events.
pub fn bytes_an_event(bytes: u64, events: u64) -> Option<String> {
    (events > 0).then(|| format!("{} bytes an event", ratio(bytes, events)))
}

/// The compression ratio: `12.3 : 1`.
pub fn to_one(delivered: u64, archived: u64) -> String {
    format!("{} : 1", ratio(delivered, archived))
}

/// `part` of `whole` in per cent, with one decimal, rounded.
pub fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1_000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// `2025-04-10`.
pub fn date(at: Timestamp) -> String {
    at.to_seconds_string().chars().take(10).collect()
}

/// A duration: `0.8 s`, `1m 15s`, `2h 03m`.
pub fn time(seconds: f64) -> String {
    // Only a negative duration or one of more than 2^64 seconds is out of range.
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3_600, whole / 60 % 60),
    }
}

/// The level and the months of a verification, as in `chain, names and sizes of 2025-03`.
pub fn extent(level: Level, range: Option<(Month, Month)>) -> String {
    let level = match level {
        Level::Full => "every byte and every row",
        Level::Quick => "chain, names and sizes",
    };
    match range {
        None => format!("{level} of every month"),
        Some((first, last)) if first == last => format!("{level} of {first}"),
        Some((first, last)) => format!("{level} of {first} to {last}"),
    }
}

/// The head as `--expect-head` accepts it, with an abbreviated digest: `head 42:3f2a9c0d5b1e7788…`.
pub fn head(head: Option<&Head>) -> String {
    head.map_or_else(|| "head none".to_owned(), |head| format!("head {}", short_head(head)))
}

/// Number and abbreviated digest of a head: `42:3f2a9c0d5b1e7788…`.
pub fn short_head(head: &Head) -> String {
    format!("{}:{}…", head.sequence, head.sha256.short())
}

/// Ascending months, neighbours as a range: `2024-12 to 2025-01, 2025-03`.
pub fn month_ranges(months: impl IntoIterator<Item = Month>) -> String {
    let mut ranges: Vec<(Month, Month)> = Vec::new();
    for month in months {
        match ranges.last_mut() {
            Some((_, last)) if last.next() == month => *last = month,
            _ => ranges.push((month, month)),
        }
    }
    let spell = |(first, last)| if first == last { format!("{first}") } else { format!("{first} to {last}") };
    ranges.into_iter().map(spell).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected_head::ExpectedHead;
    use archive_formats::Sha256;

    #[test]
    fn thousands_have_separators() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "file"), count(2_000, "file")], ["1 file", "2,000 files"]);
    }

    #[test]
    fn sizes_have_one_decimal_and_at_most_three_digits() {
        let sizes = [0, 1023, 1024, 1_258_291, 1_048_575, 1 << 40, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.1 MiB", "1023.9 KiB", "1.0 TiB", "15.9 EiB"]);
    }

    #[test]
    fn ratios_have_one_decimal() {
        assert_eq!(
            [(10, 4), (1, 3), (0, 5), (123_456, 10)].map(|(a, b)| ratio(a, b)),
            ["2.5", "0.3", "0.0", "12,345.6"]
        );
        assert_eq!(ratio(u64::MAX, 1), "18,446,744,073,709,551,615.0");
    }

    #[test]
    fn ratios_and_percentages_have_units() {
        assert_eq!([bytes_an_event(1_048, 10), bytes_an_event(5, 0)], [Some("104.8 bytes an event".to_owned()), None]);
        assert_eq!(to_one(123, 10), "12.3 : 1");
        assert_eq!([percent(1, 3), percent(0, 0), percent(5, 5)], ["33.3 %", "0.0 %", "100.0 %"]);
    }

    #[test]
    fn printed_head_is_an_expected_head() {
        let sha256 = Sha256::digest(b"abc");
        let printed = short_head(&Head { sequence: 42, sha256 });
        assert_eq!(printed, "42:ba7816bf8f01cfea…");
        let expected = printed.parse::<ExpectedHead>().unwrap();
        assert!(expected.sequence == Some(42) && expected.matches(&sha256));
    }

    #[test]
    fn dates_are_in_utc() {
        assert_eq!(date("2025-04-10T23:59:59.999999Z".parse().unwrap()), "2025-04-10");
    }

    #[test]
    fn times_have_at_most_two_units() {
        assert_eq!([0.04, 0.84, 75.0, 7_380.0].map(time), ["0.0 s", "0.8 s", "1m 15s", "2h 03m"]);
    }
}

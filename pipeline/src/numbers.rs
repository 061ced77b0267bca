//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
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
pub(crate) fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Bytes with one decimal of the largest binary unit that fits.
pub(crate) fn size(bytes: u64) -> String {
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

/// How many times `part` is in `whole`, with one decimal, cut off.
pub(crate) fn ratio(whole: u64, part: u64) -> String {
    let tenths = u128::from(whole) * 10 / u128::from(part.max(1));
    let whole = u64::try_from(tenths / 10).unwrap_or(u64::MAX);
    format!("{}.{}", thousands(whole), tenths % 10)
}

/// A time of work: `0.8 s`, `1m 15s`, `2h 03m`.
pub(crate) fn time(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3_600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_separators() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "file"), count(2_000, "file")], ["1 file", "2,000 files"]);
    }

    #[test]
    fn sizes_have_one_decimal_and_never_four_digits() {
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
    fn times_have_two_units_at_most() {
        assert_eq!([0.04, 0.84, 75.0, 7_380.0].map(time), ["0.0 s", "0.8 s", "1m 15s", "2h 03m"]);
    }
}

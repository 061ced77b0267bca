//! Instants, half-open windows of time, and calendar months in UTC, the partition key of an archive.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, time::Duration};

/// An instant: microseconds since 1970-01-01T00:00:00Z, the resolution of the platform's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time: {0:?}")]
pub struct TimestampError(String);

/// The text is not a time, a date or a month.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a time like 2025-03-01T00:00:00Z, or a date like 2025-03-01 for its midnight in UTC")]
pub struct InvalidTime;

impl Timestamp {
    /// Parses an RFC 3339 time without digits beyond microseconds, or the first instant, in UTC, of a date or a month.
    pub fn parse_lenient(text: &str) -> Result<Self, InvalidTime> {
        if let Ok(month) = text.parse::<Month>() {
            return Ok(month.window().from());
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            // chrono also accepts `2025-3-1`, and years of any length.
            let canonical = date.to_string() == text;
            return canonical.then(|| date.and_time(NaiveTime::MIN).and_utc().into()).ok_or(InvalidTime);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        // Truncation would move the edge of a window.
        if time.timestamp_subsec_nanos() % 1_000 == 0 { Ok(time.to_utc().into()) } else { Err(InvalidTime) }
    }

    /// The instant that is this many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The absolute difference to `other`.
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// This instant minus `duration`, saturating at the earliest representable instant.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant plus `duration`, saturating at the latest representable instant.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The form that request bodies use, `2025-03-01T00:00:00Z`, truncated to seconds.
    pub fn to_seconds_string(self) -> String {
        self.format(SecondsFormat::Secs)
    }

    fn format(self, precision: SecondsFormat) -> String {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => time.to_rfc3339_opts(precision, true),
            None => format!("{} us", self.0),
        }
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

/// RFC 3339 in UTC with six fractional digits: equal instants have equal texts, and texts sort by time.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.format(SecondsFormat::Micros))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self::from(time.to_utc()))
            .map_err(|_| TimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The half-open interval `[from, to)`, never empty: an instant on the edge of two months belongs to the later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

/// The window would be empty.
#[derive(Debug, thiserror::Error)]
#[error("a window from {from} to {to} holds no instant")]
pub struct EmptyWindow {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The window `[from, to)`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, EmptyWindow> {
        if from < to { Ok(Self { from, to }) } else { Err(EmptyWindow { from, to }) }
    }

    /// The first instant of the window.
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// The first instant after the window.
    pub const fn to(&self) -> Timestamp {
        self.to
    }

    /// Whether `at` is inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The window extended by `margin` on both sides.
    #[must_use]
    pub fn widen(&self, margin: Duration) -> Self {
        Self { from: self.from.minus(margin), to: self.to.plus(margin) }
    }

    /// The length of the window.
    pub const fn length(&self) -> Duration {
        self.from.distance(self.to)
    }

    /// The two windows before and from `at`; `None` unless `at` is strictly inside.
    pub fn split_at(&self, at: Timestamp) -> Option<(Self, Self)> {
        (self.from < at && at < self.to).then_some((Self { from: self.from, to: at }, Self { from: at, to: self.to }))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, {})", self.from, self.to)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Edges {
            from: Timestamp,
            to: Timestamp,
        }
        let Edges { from, to } = Edges::deserialize(deserializer)?;
        Self::new(from, to).map_err(D::Error::custom)
    }
}

/// A calendar month in UTC, of the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

/// The text or instant is not in a month of the years 1 to 9999.
#[derive(Debug, thiserror::Error)]
#[error("not a month in the form YYYY-MM: {0:?}")]
pub struct MonthError(String);

const MONTHS_A_YEAR: u32 = 12;
const LAST_YEAR: u16 = 9999;

impl Month {
    /// The month of `year` and `month` (1 to 12).
    pub fn new(year: u16, month: u8) -> Result<Self, MonthError> {
        let valid = (1..=LAST_YEAR).contains(&year) && (1..=12).contains(&month);
        if valid { Ok(Self { year, month }) } else { Err(MonthError(format!("{year:04}-{month:02}"))) }
    }

    /// The month that contains `at`.
    pub fn containing(at: Timestamp) -> Result<Self, MonthError> {
        let outside = || MonthError(at.to_string());
        let date = DateTime::<Utc>::from_timestamp_micros(at.as_micros()).ok_or_else(outside)?;
        let year = u16::try_from(date.year()).map_err(|_| outside())?;
        Self::new(year, u8::try_from(date.month()).map_err(|_| outside())?)
    }

    /// The year, 1 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month of the year, 1 to 12.
    pub const fn number(self) -> u8 {
        self.month
    }

    /// All instants of the month.
    pub fn window(self) -> Window {
        // December 9999 ends in a year that `Month` cannot hold, but chrono can.
        let (year, month) =
            if self.month == 12 { (u32::from(self.year) + 1, 1) } else { (u32::from(self.year), self.month + 1) };
        let from = first_instant(u32::from(self.year), self.month);
        Window::new(from, first_instant(year, month)).unwrap_or_else(|_| unreachable!("a month is never empty"))
    }

    /// The next month; December 9999 is its own successor.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_index(self.index() + 1)
    }

    /// The previous month; January of year 1 is its own predecessor.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::from_index(self.index().saturating_sub(1))
    }

    /// The months from `first` to `last`, both included; empty when `last` is before `first`.
    pub fn range(first: Self, last: Self) -> impl Iterator<Item = Self> {
        (first.index()..=last.index()).map(Self::from_index)
    }

    /// Months since January of year 1.
    fn index(self) -> u32 {
        (u32::from(self.year) - 1) * MONTHS_A_YEAR + u32::from(self.month) - 1
    }

    #[expect(clippy::expect_used, reason = "the index is clamped")]
    fn from_index(index: u32) -> Self {
        let last = u32::from(LAST_YEAR) * MONTHS_A_YEAR - 1;
        let index = index.min(last);
        let year = u16::try_from(index / MONTHS_A_YEAR + 1).expect("a year up to 9999");
        Self { year, month: u8::try_from(index % MONTHS_A_YEAR + 1).expect("a month up to 12") }
    }
}

fn first_instant(year: u32, month: u8) -> Timestamp {
    let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, u32::from(month), 1));
    let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    midnight.map_or_else(|| unreachable!("years 1 to 10000 are in chrono's range"), |time| time.and_utc().into())
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MonthError(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(error)?;
        let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(error());
        }
        Self::new(year.parse().map_err(|_| error())?, month.parse().map_err(|_| error())?).map_err(|_| error())
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_six_digits_and_z() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn parses_times_dates_and_months() {
        let read = |text| Timestamp::parse_lenient(text).map(|time| time.to_string());
        let midnight = Ok("2025-03-01T00:00:00.000000Z".to_owned());
        for text in ["2025-03", "2025-03-01", "2025-03-01T00:00:00Z", "2025-03-01T01:30:00.000000000+01:30"] {
            assert_eq!(read(text), midnight, "{text}");
        }
        assert_eq!(read("2025-03-01T00:00:00.000001Z"), Ok("2025-03-01T00:00:00.000001Z".to_owned()));
        for text in [
            "",
            "2025",
            "2025-3-1",
            "+2025-03-01",
            "2025-02-30",
            "2025-03-01T00:00:00",
            "2025-03-01T00:00:00.0000001Z",
            "20250301",
            "01.03.2025",
            " 2025-03-01",
            "yesterday",
        ] {
            assert_eq!(read(text), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn printed_times_parse_to_the_same_instant() {
        for micros in [-62_135_596_800_000_000, -1, 0, 1, 1_740_787_200_000_001, 253_402_300_799_999_999] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }

    #[test]
    fn windows_tile_every_month_from_1970_to_2100() {
        let mut edge = Timestamp::from_micros(0);
        for month in Month::range("1970-01".parse().unwrap(), "2100-12".parse().unwrap()) {
            let window = month.window();
            assert_eq!(window.from(), edge, "{month} begins where its predecessor ends");
            assert_eq!(Month::containing(window.from()).unwrap(), month);
            assert_eq!(Month::containing(Timestamp::from_micros(window.to().as_micros() - 1)).unwrap(), month);
            assert_eq!(Month::containing(window.to()).unwrap(), month.next());
            assert_eq!(month.next().previous(), month);
            edge = window.to();
        }
        assert_eq!(edge.to_string(), "2101-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_window_holds_its_first_instant_and_not_its_last() {
        let at = Timestamp::from_micros;
        let window = Window::new(at(10), at(20)).unwrap();
        let contained = [9, 10, 15, 19, 20, 21].map(|micros| window.contains(at(micros)));
        assert_eq!(contained, [false, true, true, true, false, false]);
        assert_eq!(window.length(), Duration::from_micros(10));
        assert_eq!(window.to_string(), "[1970-01-01T00:00:00.000010Z, 1970-01-01T00:00:00.000020Z)");
        assert_eq!(window.widen(Duration::from_micros(3)), Window::new(at(7), at(23)).unwrap());
        for (from, to) in [(10, 10), (10, 9)] {
            assert!(Window::new(at(from), at(to)).is_err());
        }
    }

    #[test]
    fn a_window_is_split_strictly_inside() {
        let at = Timestamp::from_micros;
        let window = Window::new(at(10), at(20)).unwrap();
        for micros in [9, 10, 20, 21] {
            assert_eq!(window.split_at(at(micros)), None, "{micros}");
        }
        for micros in [11, 19] {
            let halves = (Window::new(at(10), at(micros)).unwrap(), Window::new(at(micros), at(20)).unwrap());
            assert_eq!(window.split_at(at(micros)), Some(halves));
        }
    }

    #[test]
    fn durations_are_absolute_and_sums_saturate() {
        let (early, late) = (Timestamp::from_micros(-3), Timestamp::from_micros(4));
        assert_eq!([early.distance(late), late.distance(early)], [Duration::from_micros(7); 2]);
        assert_eq!((early.plus(Duration::from_micros(7)), late.minus(Duration::from_micros(7))), (late, early));
        assert_eq!(early.minus(Duration::MAX), Timestamp::from_micros(i64::MIN));
        assert_eq!(late.plus(Duration::MAX), Timestamp::from_micros(i64::MAX));
    }

    #[test]
    fn requests_have_whole_seconds() {
        let time = "2025-03-01T00:00:07.999999Z".parse::<Timestamp>().unwrap();
        assert_eq!(time.to_seconds_string(), "2025-03-01T00:00:07Z");
    }

    #[test]
    fn the_calendar_ends_at_its_first_and_last_month() {
        let [first, last] = ["0001-01", "9999-12"].map(|text| text.parse::<Month>().unwrap());
        assert_eq!((first.previous(), last.next()), (first, last));
        assert_eq!((first.next().to_string(), last.previous().to_string()), ("0001-02".into(), "9999-11".into()));
        assert_eq!((last.year(), last.number()), (9999, 12));
        assert_eq!(last.window().to().to_string(), "+10000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn february_is_before_the_30th_of_march() {
        let march = Month::containing("2025-03-30T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(march.previous().to_string(), "2025-02");
    }

    #[test]
    fn refuses_texts_that_are_not_months() {
        for text in ["2025", "2025-13", "2025-00", "0000-01", "2025-3", "25-03", "2025-03-01", "+025-03", "２０２５-03"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}

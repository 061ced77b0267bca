//! Instants in microseconds, and their one printed form.

use crate::Month;
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// An instant: microseconds since 1970-01-01T00:00:00Z, the resolution of the platform's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time: {0:?}")]
pub struct TimestampError(String);

/// A text that names no instant.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a time like 2025-03-01T00:00:00Z, or a date like 2025-03-01 for its midnight in UTC")]
pub struct NotAnInstant;

impl Timestamp {
    /// Reads an instant as people write it: RFC 3339, with microseconds at the finest, or a date or a month, which stand
    /// for their first instant in UTC.
    pub fn from_people(text: &str) -> Result<Self, NotAnInstant> {
        if let Ok(month) = text.parse::<Month>() {
            return Ok(month.window().from());
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            // chrono also takes `2025-3-1`, and years of any length.
            let canonical = date.to_string() == text;
            return canonical.then(|| date.and_time(NaiveTime::MIN).and_utc().into()).ok_or(NotAnInstant);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotAnInstant)?;
        // Digits that are cut off would move the edge of a window.
        if time.timestamp_subsec_nanos() % 1_000 == 0 { Ok(time.to_utc().into()) } else { Err(NotAnInstant) }
    }

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The distance to `other`, whichever of the two is earlier.
    pub const fn distance(self, other: Self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// This instant, `duration` earlier. Stops at the earliest representable instant.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant, `duration` later. Stops at the latest representable instant.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The form without a fraction that request bodies use, `2025-03-01T00:00:00Z`; sub-second digits are cut off.
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

/// RFC 3339 in UTC with exactly six fractional digits, so that equal instants are equal texts and texts sort by time.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_six_digits_and_z() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn people_may_write_times_dates_and_months() {
        let read = |text| Timestamp::from_people(text).map(|time| time.to_string());
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
            assert_eq!(read(text), Err(NotAnInstant), "{text}");
        }
    }

    #[test]
    fn reads_what_it_prints() {
        for micros in [-62_135_596_800_000_000, -1, 0, 1, 1_740_787_200_000_001, 253_402_300_799_999_999] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}

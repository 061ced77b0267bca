//! Calendar months in UTC: the partition key of an archive.

use crate::{Timestamp, Window};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// One calendar month in UTC, of the years 1 to 9999. Months are counted, never computed from days or local times, so
/// neither the 31st nor the host's time zone can lead to the wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

/// A text or an instant that is no month of the years 1 to 9999.
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

    /// The month in which `at` lies.
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

    /// Its place in the year, 1 to 12.
    pub const fn number(self) -> u8 {
        self.month
    }

    /// The half-open interval of the month's instants.
    pub fn window(self) -> Window {
        // The window after December 9999 begins in a year that `Month` cannot name, but chrono can.
        let (year, month) =
            if self.month == 12 { (u32::from(self.year) + 1, 1) } else { (u32::from(self.year), self.month + 1) };
        let from = first_instant(u32::from(self.year), self.month);
        Window::new(from, first_instant(year, month)).unwrap_or_else(|_| unreachable!("a month is never empty"))
    }

    /// The month after this one; December 9999 is its own successor.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_index(self.index() + 1)
    }

    /// The month before this one; January of year 1 is its own predecessor.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::from_index(self.index().saturating_sub(1))
    }

    /// Every month from `first` to `last`, both included. Empty when `last` comes before `first`.
    pub fn range(first: Self, last: Self) -> impl Iterator<Item = Self> {
        (first.index()..=last.index()).map(Self::from_index)
    }

    /// Months since January of year 1.
    fn index(self) -> u32 {
        (u32::from(self.year) - 1) * MONTHS_A_YEAR + u32::from(self.month) - 1
    }

    fn from_index(index: u32) -> Self {
        let last = u32::from(LAST_YEAR) * MONTHS_A_YEAR - 1;
        let index = index.min(last);
        let year = u16::try_from(index / MONTHS_A_YEAR + 1).unwrap_or(LAST_YEAR);
        Self { year, month: u8::try_from(index % MONTHS_A_YEAR + 1).unwrap_or(12) }
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
    fn the_month_before_the_30th_of_march_is_february() {
        let march = Month::containing("2025-03-30T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(march.previous().to_string(), "2025-02");
    }

    #[test]
    fn refuses_what_is_no_month() {
        for text in ["2025", "2025-13", "2025-00", "0000-01", "2025-3", "25-03", "2025-03-01", "+025-03", "２０２５-03"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}

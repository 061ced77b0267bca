//! Counts of rows by month, from their times alone.

use crate::{Month, Timestamp, Window};
use std::collections::BTreeMap;

/// Number of rows by month, with the earliest and the latest time of each. A row with a readable time counts in its
/// month, even if the rest of it is malformed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeIndex {
    /// Number of records, those without a readable time included.
    pub rows: u64,
    /// Line feeds, as in [`Decoded`](super::Decoded).
    pub lines: u64,
    /// Number of records without a readable time.
    pub without_time: u64,
    /// The other records by month, in UTC.
    pub months: BTreeMap<Month, MonthTimes>,
}

/// The rows of one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthTimes {
    /// Number of rows.
    pub rows: u64,
    /// Time of the earliest row.
    pub first: Timestamp,
    /// Time of the latest row.
    pub last: Timestamp,
}

impl MonthTimes {
    const fn new(time: Timestamp) -> Self {
        Self { rows: 1, first: time, last: time }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl TimeIndex {
    /// The time of the earliest row.
    pub fn first(&self) -> Option<Timestamp> {
        self.months.first_key_value().map(|(_, month_times)| month_times.first)
    }

    /// The time of the latest row.
    pub fn last(&self) -> Option<Timestamp> {
        self.months.last_key_value().map(|(_, month_times)| month_times.last)
    }

    /// Whether `window` overlaps the time from the earliest to the latest row.
    pub fn may_reach(&self, window: Window) -> bool {
        self.first().is_some_and(|first| first < window.to()) && self.last().is_some_and(|last| window.from() <= last)
    }

    /// Adds the counts of another chunk.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.lines += other.lines;
        self.without_time += other.without_time;
        for (month, month_times) in &other.months {
            self.add(*month, *month_times);
        }
    }

    fn add(&mut self, month: Month, month_times: MonthTimes) {
        self.months.entry(month).and_modify(|sum| sum.add(month_times)).or_insert(month_times);
    }
}

/// Counts rows into a [`TimeIndex`]. It caches the month of the last row: artifacts are nearly sorted by time.
#[derive(Debug, Default)]
pub(super) struct TimeIndexBuilder {
    index: TimeIndex,
    current: Option<(Month, Window, MonthTimes)>,
}

impl TimeIndexBuilder {
    /// Counts a row; `None` when its time cannot be read.
    #[inline]
    pub(super) fn count(&mut self, time: Option<Timestamp>) {
        self.index.rows += 1;
        match (time, &mut self.current) {
            (Some(time), Some((_, window, month_times))) if window.contains(time) => {
                month_times.add(MonthTimes::new(time));
            }
            (Some(time), _) => self.start_month(time),
            (None, _) => self.index.without_time += 1,
        }
    }

    /// The index of a chunk of `lines` lines.
    pub(super) fn finish(mut self, lines: u64) -> TimeIndex {
        self.end_month();
        TimeIndex { lines, ..self.index }
    }

    fn start_month(&mut self, time: Timestamp) {
        self.end_month();
        match Month::containing(time) {
            Ok(month) => self.current = Some((month, month.window(), MonthTimes::new(time))),
            Err(_) => self.index.without_time += 1,
        }
    }

    fn end_month(&mut self) {
        if let Some((month, _, month_times)) = self.current.take() {
            self.index.add(month, month_times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn index(times: &[Option<i64>]) -> TimeIndex {
        let mut builder = TimeIndexBuilder::default();
        for time in times {
            builder.count(time.map(Timestamp::from_micros));
        }
        builder.finish(0)
    }

    proptest! {
        #[test]
        fn merged_chunks_equal_one_chunk(
            times in prop::collection::vec(prop::option::of(0..5_000_i64), 0..40),
            cut in 0..40_usize,
        ) {
            let times = times.into_iter().map(|time| time.map(|hours| hours * HOUR)).collect::<Vec<_>>();
            let (before, behind) = times.split_at(cut.min(times.len()));
            let mut merged = index(before);
            merged.merge(&index(behind));
            prop_assert_eq!(&merged, &index(&times));
            let readable = times.iter().flatten().copied().collect::<Vec<_>>();
            prop_assert_eq!(merged.without_time, (times.len() - readable.len()) as u64);
            prop_assert_eq!(merged.months.values().map(|month_times| month_times.rows).sum::<u64>(), readable.len() as u64);
            prop_assert_eq!(merged.first(), readable.iter().min().copied().map(Timestamp::from_micros));
            prop_assert_eq!(merged.last(), readable.iter().max().copied().map(Timestamp::from_micros));
        }
    }

    #[test]
    fn a_window_contains_its_start_and_not_its_end() {
        let march = "2025-03".parse::<Month>().unwrap();
        let instant = index(&[Some(march.window().from().as_micros())]);
        assert!(instant.may_reach(march.window()) && !instant.may_reach(march.previous().window()));
        assert!(!index(&[None]).may_reach(march.window()));
    }
}

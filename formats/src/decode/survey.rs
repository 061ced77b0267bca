//! When the rows of an artifact happened, without anything else of them.

use crate::{Month, Timestamp, Window};
use std::collections::BTreeMap;

/// What one look at the times of a chunk finds. A row whose time can be read counts in its month, whether or not the
/// rest of it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Records, those without a readable time included.
    pub rows: u64,
    /// Line feeds, as in [`Decoded`](super::Decoded).
    pub lines: u64,
    /// Records whose time cannot be read.
    pub timeless: u64,
    /// The others.
    pub months: BTreeMap<Month, Tally>,
}

/// The rows of one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub rows: u64,
    /// Time of the earliest.
    pub first: Timestamp,
    /// Time of the latest.
    pub last: Timestamp,
}

impl Tally {
    const fn of(time: Timestamp) -> Self {
        Self { rows: 1, first: time, last: time }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Survey {
    /// The time of the earliest row.
    pub fn first(&self) -> Option<Timestamp> {
        self.months.first_key_value().map(|(_, tally)| tally.first)
    }

    /// The time of the latest row.
    pub fn last(&self) -> Option<Timestamp> {
        self.months.last_key_value().map(|(_, tally)| tally.last)
    }

    /// Whether a row may lie in `window`, judged by the earliest and the latest.
    pub fn may_reach(&self, window: Window) -> bool {
        self.first().is_some_and(|first| first < window.to()) && self.last().is_some_and(|last| window.from() <= last)
    }

    /// Adds the survey of another chunk.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.lines += other.lines;
        self.timeless += other.timeless;
        for (month, tally) in &other.months {
            self.add(*month, *tally);
        }
    }

    fn add(&mut self, month: Month, tally: Tally) {
        self.months.entry(month).and_modify(|sum| sum.add(tally)).or_insert(tally);
    }
}

/// Counts rows into a [`Survey`]. Artifacts are nearly in the order of time, so the month of the last row is most often
/// that of the next.
#[derive(Debug, Default)]
pub struct Surveyor {
    survey: Survey,
    present: Option<(Month, Window, Tally)>,
}

impl Surveyor {
    /// Counts a row; `None` when its time cannot be read.
    #[inline]
    pub fn count(&mut self, time: Option<Timestamp>) {
        self.survey.rows += 1;
        match (time, &mut self.present) {
            (Some(time), Some((_, window, tally))) if window.contains(time) => tally.add(Tally::of(time)),
            (Some(time), _) => self.turn(time),
            (None, _) => self.survey.timeless += 1,
        }
    }

    /// What was counted, on so many `lines`.
    pub fn finish(mut self, lines: u64) -> Survey {
        self.close();
        Survey { lines, ..self.survey }
    }

    fn turn(&mut self, time: Timestamp) {
        self.close();
        match Month::containing(time) {
            Ok(month) => self.present = Some((month, month.window(), Tally::of(time))),
            Err(_) => self.survey.timeless += 1,
        }
    }

    fn close(&mut self) {
        if let Some((month, _, tally)) = self.present.take() {
            self.survey.add(month, tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn survey(times: &[Option<i64>]) -> Survey {
        let mut surveyor = Surveyor::default();
        for time in times {
            surveyor.count(time.map(Timestamp::from_micros));
        }
        surveyor.finish(0)
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_chunks_are_cut(
            times in prop::collection::vec(prop::option::of(0..5_000_i64), 0..40),
            cut in 0..40_usize,
        ) {
            let times = times.into_iter().map(|time| time.map(|hours| hours * HOUR)).collect::<Vec<_>>();
            let (before, behind) = times.split_at(cut.min(times.len()));
            let mut merged = survey(before);
            merged.merge(&survey(behind));
            prop_assert_eq!(&merged, &survey(&times));
            let readable = times.iter().flatten().copied().collect::<Vec<_>>();
            prop_assert_eq!(merged.timeless, (times.len() - readable.len()) as u64);
            prop_assert_eq!(merged.months.values().map(|tally| tally.rows).sum::<u64>(), readable.len() as u64);
            prop_assert_eq!(merged.first(), readable.iter().min().copied().map(Timestamp::from_micros));
            prop_assert_eq!(merged.last(), readable.iter().max().copied().map(Timestamp::from_micros));
        }
    }

    #[test]
    fn the_first_instant_of_a_month_is_within_its_reach_and_the_last_is_not() {
        let march = "2025-03".parse::<Month>().unwrap();
        let instant = survey(&[Some(march.window().from().as_micros())]);
        assert!(instant.may_reach(march.window()) && !instant.may_reach(march.previous().window()));
        assert!(!survey(&[None]).may_reach(march.window()));
    }
}

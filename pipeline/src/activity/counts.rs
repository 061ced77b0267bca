//! The events of a month by day and by verdict.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most days of a month.
pub const DAYS: usize = 31;

/// Verdicts that are told apart in a month. A column of free texts must not take all memory.
const MOST_VERDICTS: usize = 32;

/// Characters that are kept of a verdict.
const LONGEST_VERDICT: usize = 48;

/// Events of each day of a month; what comes after its last day is zero.
pub type Days = [u64; DAYS];

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The value of its column, cut off where it is long.
    Named(String),
    /// It has none: NULL, or an empty text.
    Blank,
    /// One of the rarer values, or of too many different ones.
    Other,
    /// Nobody knows: there is no such column.
    Unsplit,
}

/// The events of a month by verdict and day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts(BTreeMap<Verdict, Days>);

impl DayCounts {
    /// Counts events of a day, of which 0 is the first.
    pub fn add(&mut self, verdict: &Verdict, day: usize, events: u64) {
        if let Some(count) = self.days(verdict).get_mut(day) {
            *count = count.saturating_add(events);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (verdict, days) in &other.0 {
            for (sum, more) in self.days(verdict).iter_mut().zip(days) {
                *sum = sum.saturating_add(*more);
            }
        }
    }

    fn days(&mut self, verdict: &Verdict) -> &mut Days {
        let known = self.0.contains_key(verdict) || self.0.len() < MOST_VERDICTS;
        self.0.entry(if known { verdict.clone() } else { Verdict::Other }).or_insert([0; DAYS])
    }

    /// The verdicts and their days, in the order of the verdicts.
    pub fn iter(&self) -> impl Iterator<Item = (&Verdict, &Days)> {
        self.0.iter()
    }

    /// All events.
    pub fn events(&self) -> u64 {
        self.0.values().flatten().fold(0, |sum, events| sum.saturating_add(*events))
    }
}

impl FromIterator<(Verdict, Days)> for DayCounts {
    fn from_iter<T: IntoIterator<Item = (Verdict, Days)>>(counts: T) -> Self {
        Self(counts.into_iter().collect())
    }
}

impl Verdict {
    /// The verdict that a column's value stands for.
    pub fn of(value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Blank,
            Some(value) => match value.char_indices().nth(LONGEST_VERDICT) {
                Some((end, _)) => Self::Named(format!("{}…", &value[..end])),
                None => Self::Named(value.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Verdict {
        Verdict::of(Some(name))
    }

    #[test]
    fn a_column_of_free_texts_takes_no_more_memory_than_one_of_verdicts() {
        let mut counts = DayCounts::default();
        for number in 0..1_000 {
            counts.add(&named(&format!("{number}{}", "é".repeat(100))), number % DAYS, 1);
        }
        assert_eq!((counts.events(), counts.iter().count()), (1_000, MOST_VERDICTS + 1));
        let longest = counts.iter().map(|(verdict, _)| format!("{verdict:?}").chars().count()).max();
        assert!(longest < Some(80), "{longest:?}");
    }

    #[test]
    fn sums_are_the_same_in_any_order() {
        let (mut left, mut right) = (DayCounts::default(), DayCounts::default());
        left.add(&named("allowed"), 0, 2);
        right.add(&named("allowed"), 30, 3);
        right.add(&Verdict::Blank, 1, 1);
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        assert_eq!((one.events(), one.clone()), (6, other));
        let mut days = [0; DAYS];
        (days[0], days[30]) = (2, 3);
        assert!(one.iter().any(|found| found == (&named("allowed"), &days)), "{one:?}");
    }

    #[test]
    fn empty_text_is_as_good_as_null() {
        assert_eq!([Verdict::of(None), Verdict::of(Some(""))], [Verdict::Blank, Verdict::Blank]);
    }
}

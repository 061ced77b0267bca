//! The events of a month by day and by verdict.

use archive_formats::{ColumnType, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most days of a month.
pub(crate) const DAYS: usize = 31;

/// Verdicts that a month may have. A column with more values holds texts of another kind, and must not take all memory.
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
    /// Unknown: there is no such column, or it has too many values to be verdicts.
    Unsplit,
}

/// The events of a month by verdict and day.
///
/// Verdicts are told apart all or not at all: what is counted without them, or has too many, is [`Verdict::Unsplit`] as a
/// whole. So sums do not depend on the order in which files are counted, and no verdict has fewer events than there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts(BTreeMap<Verdict, Days>);

impl DayCounts {
    /// Counts events of a day, of which 0 is the first.
    pub fn add(&mut self, verdict: &Verdict, day: usize, events: u64) {
        if day < DAYS && events > 0 {
            let mut days = [0; DAYS];
            days[day] = events;
            self.add_days(verdict, &days);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(verdict, days)| self.add_days(verdict, days));
    }

    fn add_days(&mut self, verdict: &Verdict, days: &Days) {
        let verdict = if self.is_unsplit() { &Verdict::Unsplit } else { verdict };
        add(self.0.entry(verdict.clone()).or_insert([0; DAYS]), days);
        if self.0.len() > MOST_VERDICTS || self.is_unsplit() && self.0.len() > 1 {
            let mut whole = [0; DAYS];
            for days in std::mem::take(&mut self.0).values() {
                add(&mut whole, days);
            }
            self.0.insert(Verdict::Unsplit, whole);
        }
    }

    /// Whether the verdicts of the events are unknown.
    pub fn is_unsplit(&self) -> bool {
        self.0.contains_key(&Verdict::Unsplit)
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
        let mut sums = Self::default();
        counts.into_iter().for_each(|(verdict, days)| sums.add_days(&verdict, &days));
        sums
    }
}

fn add(sums: &mut Days, days: &Days) {
    for (sum, more) in sums.iter_mut().zip(days) {
        *sum = sum.saturating_add(*more);
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

/// Its names, best first: the platform's pages show six.
const VERDICTS: [&str; 6] = ["verdict", "decision", "action", "policy_outcome", "policy_decision", "outcome"];

/// The column of the verdict, if the events have one. Documents and numbers are none.
pub(super) fn verdict_column(schema: &Schema) -> Option<&str> {
    let texts = || schema.columns().iter().filter(|column| column.kind == ColumnType::Text);
    VERDICTS.iter().find_map(|name| texts().map(|column| column.name.as_str()).find(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::catalogue::{KeyColumns, text_schema};

    fn named(name: &str) -> Verdict {
        Verdict::of(Some(name))
    }

    #[test]
    fn a_column_of_free_texts_takes_no_more_memory_than_one_of_verdicts() {
        let mut counts = DayCounts::default();
        for number in 0..1_000 {
            counts.add(&named(&format!("{number}{}", "é".repeat(100))), number % DAYS, 1);
        }
        assert_eq!((counts.events(), counts.iter().count(), counts.is_unsplit()), (1_000, 1, true));
        let Verdict::Named(name) = named(&"é".repeat(1_000)) else { panic!("a text is a name") };
        assert_eq!(name.chars().count(), LONGEST_VERDICT + 1);
    }

    #[test]
    fn as_many_verdicts_as_fit_are_told_apart_and_one_more_is_none() {
        let counted = |values: usize| {
            let mut counts = DayCounts::default();
            (0..values).for_each(|number| counts.add(&named(&number.to_string()), 0, 1));
            (counts.iter().count(), counts.is_unsplit())
        };
        assert_eq!([counted(MOST_VERDICTS), counted(MOST_VERDICTS + 1)], [(MOST_VERDICTS, false), (1, true)]);
    }

    #[test]
    fn too_many_values_and_files_without_any_make_the_same_sums_in_any_order() {
        let part = |names: std::ops::Range<usize>| {
            let mut counts = DayCounts::default();
            names.for_each(|name| counts.add(&named(&name.to_string()), name % DAYS, 1 + name as u64));
            counts
        };
        let mut without = DayCounts::default();
        without.add(&Verdict::Unsplit, 3, 7);
        for [a, b, c] in [
            [part(0..20), part(10..30), part(25..40)],
            [part(0..40), part(0..3), part(38..39)],
            [part(0..3), without, part(1..5)],
        ] {
            let orders = [[&a, &b, &c], [&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]];
            let sums = orders.map(|parts| {
                let mut sum = DayCounts::default();
                for part in parts {
                    sum.merge(part);
                }
                // One event after the other, as they come from a file.
                let mut single = DayCounts::default();
                for (verdict, days) in parts.iter().flat_map(|part| part.iter()) {
                    days.iter().enumerate().for_each(|(day, events)| single.add(verdict, day, *events));
                }
                assert_eq!(sum, single);
                sum
            });
            assert!(sums[0].is_unsplit() && sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
            assert_eq!(sums[0].events(), a.events() + b.events() + c.events());
        }
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
    fn empty_text_counts_as_null() {
        assert_eq!([Verdict::of(None), Verdict::of(Some(""))], [Verdict::Blank, Verdict::Blank]);
    }

    #[test]
    fn the_best_name_wins_in_any_position() {
        let found = |names: &[&str]| {
            let names = [&["id", "timestamp"], names].concat();
            verdict_column(&text_schema(&names, &KeyColumns::default()).unwrap()).map(str::to_owned)
        };
        assert_eq!(found(&["action", "decision", "model"]).as_deref(), Some("decision"));
        assert_eq!(found(&["action", "verdict"]).as_deref(), Some("verdict"));
        assert_eq!(found(&["model", "Decision"]), None);
    }
}

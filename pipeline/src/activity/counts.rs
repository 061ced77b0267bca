//! The events of a month by day and by verdict.

use archive_formats::{ColumnType, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum number of days of a month.
pub(crate) const DAYS: usize = 31;

/// Maximum number of verdicts of a month, which limits memory. A column with more values does not hold verdicts.
const MAX_VERDICTS: usize = 32;

/// Maximum number of characters of a verdict.
const MAX_VERDICT_CHARS: usize = 48;

/// Events per day of a month; zero after its last day.
pub type Days = [u64; DAYS];

/// The verdict of an event, such as `allowed`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The value of the verdict column, truncated if it is long.
    Named(String),
    /// NULL or an empty text.
    Blank,
    /// Unknown: there is no verdict column, or it has too many values.
    Unsplit,
}

/// The events of a month by verdict and day.
///
/// Either all verdicts are distinguished or none: with too many verdicts, or if some events were counted without, all
/// events are [`Verdict::Unsplit`]. So sums do not depend on the order of the files, and no verdict is undercounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts(BTreeMap<Verdict, Days>);

impl DayCounts {
    /// Counts events of a day, counted from 0.
    pub fn add(&mut self, verdict: &Verdict, day: usize, events: u64) {
        if day < DAYS && events > 0 {
            let mut days = [0; DAYS];
            days[day] = events;
            self.add_days(verdict, &days);
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(verdict, days)| self.add_days(verdict, days));
    }

    fn add_days(&mut self, verdict: &Verdict, days: &Days) {
        let verdict = if self.is_unsplit() { &Verdict::Unsplit } else { verdict };
        add(self.0.entry(verdict.clone()).or_insert([0; DAYS]), days);
        if self.0.len() > MAX_VERDICTS || self.is_unsplit() && self.0.len() > 1 {
            let mut whole = [0; DAYS];
            for days in std::mem::take(&mut self.0).values() {
                add(&mut whole, days);
            }
            self.0.insert(Verdict::Unsplit, whole);
        }
    }

    /// Whether the verdicts of the events are unknown.
    pub(crate) fn is_unsplit(&self) -> bool {
        self.0.contains_key(&Verdict::Unsplit)
    }

    /// The verdicts in order, with their days.
    pub fn iter(&self) -> impl Iterator<Item = (&Verdict, &Days)> {
        self.0.iter()
    }

    /// The number of events.
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
    /// The verdict for a value of the verdict column.
    pub fn from_value(value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Blank,
            Some(value) => match value.char_indices().nth(MAX_VERDICT_CHARS) {
                Some((end, _)) => Self::Named(format!("{}…", &value[..end])),
                None => Self::Named(value.to_owned()),
            },
        }
    }
}

/// Names of the verdict column by precedence. The platform's pages show all six.
const VERDICTS: [&str; 6] = ["verdict", "decision", "action", "policy_outcome", "policy_decision", "outcome"];

/// The verdict column, which is a text column, if the events have one.
pub(super) fn verdict_column(schema: &Schema) -> Option<&str> {
    let texts = || schema.columns().iter().filter(|column| column.kind == ColumnType::Text);
    VERDICTS.iter().find_map(|name| texts().map(|column| column.name.as_str()).find(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::catalogue::{KeyColumns, text_schema};

    fn named(name: &str) -> Verdict {
        Verdict::from_value(Some(name))
    }

    #[test]
    fn memory_of_a_free_text_column_is_limited() {
        let mut counts = DayCounts::default();
        for number in 0..1_000 {
            counts.add(&named(&format!("{number}{}", "é".repeat(100))), number % DAYS, 1);
        }
        assert_eq!((counts.events(), counts.iter().count(), counts.is_unsplit()), (1_000, 1, true));
        let Verdict::Named(name) = named(&"é".repeat(1_000)) else { panic!("a text is a name") };
        assert_eq!(name.chars().count(), MAX_VERDICT_CHARS + 1);
    }

    #[test]
    fn verdicts_are_distinguished_up_to_the_limit() {
        let counted = |values: usize| {
            let mut counts = DayCounts::default();
            (0..values).for_each(|number| counts.add(&named(&number.to_string()), 0, 1));
            (counts.iter().count(), counts.is_unsplit())
        };
        assert_eq!([counted(MAX_VERDICTS), counted(MAX_VERDICTS + 1)], [(MAX_VERDICTS, false), (1, true)]);
    }

    #[test]
    fn unsplit_sums_are_independent_of_order() {
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
                // Day by day, as a tally adds them.
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
    fn sums_are_independent_of_order() {
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
        assert_eq!([Verdict::from_value(None), Verdict::from_value(Some(""))], [Verdict::Blank, Verdict::Blank]);
    }

    #[test]
    fn verdict_column_is_chosen_by_name_not_by_position() {
        let found = |names: &[&str]| {
            let names = [&["id", "timestamp"], names].concat();
            verdict_column(&text_schema(&names, &KeyColumns::default()).unwrap()).map(str::to_owned)
        };
        assert_eq!(found(&["action", "decision", "model"]).as_deref(), Some("decision"));
        assert_eq!(found(&["action", "verdict"]).as_deref(), Some("verdict"));
        assert_eq!(found(&["model", "Decision"]), None);
    }
}

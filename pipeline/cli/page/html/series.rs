//! The verdicts of a dataset, the most frequent first.

use super::text::shown;
use archive::activity::{Activity, DayCounts, Verdict};
use archive_formats::Month;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Verdicts that have a row of their own.
const LEADING: usize = 6;

/// Tones of verdicts, by how their names begin.
const TONES: [(&[&str], &str); 5] = [
    (&["allow", "pass", "permit"], "v-allow"),
    (&["block", "den", "reject"], "v-block"),
    (&["redact", "mask", "rewrit"], "v-redact"),
    (&["escalat"], "v-escalate"),
    (&["flag", "warn"], "v-flag"),
];

/// A row of a chart: a verdict, or all that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) tone: &'static str,
    verdicts: BTreeSet<Verdict>,
}

impl Series {
    /// All events.
    fn all() -> Self {
        Self { name: "all events".to_owned(), tone: "v-all", verdicts: BTreeSet::new() }
    }

    /// The events of a day of a month, of which 0 is the first; none of a month that was not counted.
    pub(super) fn day(&self, activity: &Activity, month: Month, day: usize) -> Option<u64> {
        let counts = activity.months.get(&month)?;
        Some(self.of(counts).filter_map(|days| days.get(day)).fold(0, |sum, events| sum.saturating_add(*events)))
    }

    /// The events of a month.
    pub(super) fn month(&self, activity: &Activity, month: Month) -> u64 {
        let days = activity.months.get(&month).into_iter().flat_map(|counts| self.of(counts));
        days.flatten().fold(0, |sum, events| sum.saturating_add(*events))
    }

    fn of<'a>(&'a self, counts: &'a DayCounts) -> impl Iterator<Item = &'a archive::activity::Days> {
        let wanted = |verdict: &Verdict| self.verdicts.is_empty() || self.verdicts.contains(verdict);
        counts.iter().filter(move |(verdict, _)| wanted(verdict)).map(|(_, days)| days)
    }
}

/// The rows of a dataset's charts: all events first, then the verdicts, if there are any to be told apart.
pub(super) fn series(activity: &Activity) -> Vec<Series> {
    let mut totals = BTreeMap::<&Verdict, u64>::new();
    for (verdict, days) in activity.months.values().flat_map(DayCounts::iter) {
        let total = totals.entry(verdict).or_default();
        *total = days.iter().fold(*total, |sum, events| sum.saturating_add(*events));
    }
    let is_own = |verdict: &&Verdict| matches!(verdict, Verdict::Named(_) | Verdict::Blank);
    let mut leading = totals.keys().copied().filter(is_own).collect::<Vec<_>>();
    leading.sort_by_key(|verdict| (Reverse(totals[verdict]), *verdict));
    leading.truncate(LEADING);
    let is_rest = |verdict: &&Verdict| is_own(verdict) && !leading.contains(verdict);
    let rest = totals.keys().copied().filter(is_rest).cloned().collect::<BTreeSet<_>>();
    let mut series = vec![Series::all()];
    if leading.is_empty() {
        return series;
    }
    let own = leading.into_iter().map(|verdict| Series {
        name: name(verdict),
        tone: tone(verdict),
        verdicts: BTreeSet::from([verdict.clone()]),
    });
    series.extend(own);
    if !rest.is_empty() {
        series.push(Series { name: "other".to_owned(), tone: "v-other", verdicts: rest });
    }
    if totals.contains_key(&Verdict::Unsplit) {
        let verdicts = BTreeSet::from([Verdict::Unsplit]);
        series.push(Series { name: name(&Verdict::Unsplit), tone: "v-other", verdicts });
    }
    series
}

fn name(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Named(name) => shown(name),
        Verdict::Blank => "(none)".to_owned(),
        Verdict::Unsplit => "not told apart".to_owned(),
    }
}

fn tone(verdict: &Verdict) -> &'static str {
    let Verdict::Named(name) = verdict else { return "v-other" };
    let name = name.to_lowercase();
    let known = TONES.iter().find(|(stems, _)| stems.iter().any(|stem| name.starts_with(stem)));
    known.map_or("v-plain", |(_, tone)| *tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(verdicts: &[(&str, u64)]) -> Activity {
        let mut counts = DayCounts::default();
        for (verdict, events) in verdicts {
            counts.add(&Verdict::of(Some(verdict)), 2, *events);
        }
        let month = "2025-03".parse().unwrap();
        Activity {
            columns: BTreeSet::from(["decision".to_owned()]),
            months: BTreeMap::from([(month, counts)]),
            unread: BTreeMap::new(),
        }
    }

    #[test]
    fn the_most_frequent_verdicts_come_first_and_the_rest_is_one_row() {
        let many = (0..20).map(|number| (format!("verdict {number:02}"), 100 - number)).collect::<Vec<_>>();
        let many = many.iter().map(|(name, events)| (name.as_str(), *events)).chain([("blocked", 500), ("", 300)]);
        let activity = activity(&many.collect::<Vec<_>>());
        let series = series(&activity);
        let names = series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>();
        let expected =
            ["all events", "blocked", "(none)", "verdict 00", "verdict 01", "verdict 02", "verdict 03", "other"];
        assert_eq!(names, expected);
        let month = "2025-03".parse().unwrap();
        let sums = series.iter().map(|series| series.month(&activity, month)).collect::<Vec<_>>();
        assert_eq!(sums[0], sums[1..].iter().sum::<u64>());
        assert_eq!((series[1].day(&activity, month, 2), series[1].day(&activity, month, 3)), (Some(500), Some(0)));
        assert_eq!(series[1].day(&activity, "2025-04".parse().unwrap(), 2), None);
    }

    #[test]
    fn verdicts_have_the_tones_of_their_meaning_however_they_are_spelled() {
        let tones = ["allow", "Allowed", "BLOCKED", "denied", "redacted", "escalate", "flagged", "unheard of"]
            .map(|verdict| tone(&Verdict::of(Some(verdict))));
        let expected = ["v-allow", "v-allow", "v-block", "v-block", "v-redact", "v-escalate", "v-flag", "v-plain"];
        assert_eq!(tones, expected);
    }

    #[test]
    fn without_a_column_there_is_one_row() {
        assert_eq!(series(&activity(&[])), [Series::all()]);
        let mut activity = activity(&[]);
        activity.months.values_mut().for_each(|counts| counts.add(&Verdict::Unsplit, 0, 1));
        assert_eq!(series(&activity), [Series::all()]);
    }

    #[test]
    fn months_without_verdicts_are_a_row_beside_those_that_have_some() {
        let mut activity = activity(&[("allowed", 3)]);
        let (march, april) = ("2025-03".parse().unwrap(), "2025-04".parse().unwrap());
        activity.months.entry(april).or_default().add(&Verdict::Unsplit, 0, 5);
        let rows = series(&activity);
        let rows = rows.iter().map(|row| (row.name.as_str(), [march, april].map(|month| row.month(&activity, month))));
        let expected = [("all events", [3, 5]), ("allowed", [3, 0]), ("not told apart", [0, 5])];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}

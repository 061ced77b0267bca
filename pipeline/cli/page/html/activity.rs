//! Events per day by verdict: a chart for each range of months, and its numbers as a table.

use super::{
    chart::{self, Chart, Row},
    periods::{ChartRange, chart_ranges, days},
    scrolled, shown,
};
use crate::page::DatasetPage;
use archive::{
    activity::{Activity, DayCounts, Days, Verdict},
    human::{count, month_ranges, percent, thousands},
};
use archive_formats::Month;
use maud::{Markup, html};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

pub(super) fn section(datasets: &[DatasetPage]) -> Markup {
    html! {
        section aria-labelledby="activity" {
            h2 id="activity" { "Events a day" }
            p { "Counted from the archived files, by the day in UTC on which an event happened. Each row has an axis of its own." }
            @for (index, dataset) in datasets.iter().enumerate() { (dataset_figures(dataset, index)) }
        }
    }
}

fn dataset_figures(dataset: &DatasetPage, index: usize) -> Markup {
    let (name, series) = (dataset.status.dataset.as_str(), series(&dataset.activity));
    let by = by(dataset);
    let figures = if dataset.activity.months.is_empty() { Vec::new() } else { chart_ranges(&dataset.status) };
    html! {
        h3 { (name) }
        @if figures.is_empty() { p { "No event of " (name) " could be counted." } }
        @for (number, range) in figures.iter().enumerate() {
            @let figure = Figure { dataset, range, series: &series, by: &by };
            figure {
                figcaption { strong { (name) ", " (range.name) } ": events a day" (by) }
                (figure.chart(format!("a{index}-{number}")).draw())
                details {
                    summary { "Numbers of this chart" }
                    (scrolled(&format!("Numbers of {name}, {}", range.name), &figure.table()))
                }
            }
        }
        @if !dataset.activity.unread.is_empty() { (unread(dataset)) }
    }
}

/// ` by decision`.
fn by(dataset: &DatasetPage) -> String {
    let columns = dataset.activity.columns.iter().map(|column| shown(column)).collect::<Vec<_>>();
    if columns.is_empty() { String::new() } else { format!(" by {}", columns.join(" or ")) }
}

fn unread(dataset: &DatasetPage) -> Markup {
    html! {
        p.bad { "Not counted:" }
        ul {
            @for (month, failure) in &dataset.activity.unread {
                li { strong { (month) } ": " (shown(&failure.message)) }
            }
        }
    }
}

struct Figure<'a> {
    dataset: &'a DatasetPage,
    range: &'a ChartRange,
    series: &'a [Series],
    by: &'a str,
}

impl Figure<'_> {
    fn chart(&self, id: String) -> Chart {
        let Self { dataset, range, series, by } = self;
        Chart {
            id,
            title: format!("{}, {}: events a day{by}", dataset.status.dataset, range.name),
            description: self.description(),
            slots: range.days(),
            ticks: range.ticks(),
            bands: range.bands(&dataset.status, &dataset.activity),
            rows: series.iter().map(|series| self.row(series)).collect(),
        }
    }

    fn row(&self, series: &Series) -> Row {
        let (events, all) = (self.events(series), self.events(&self.series[0]));
        let share = if *series == self.series[0] { String::new() } else { format!(" ({})", percent(events, all)) };
        let values = self.days().map(|(month, day)| series.day(&self.dataset.activity, month, day));
        let values = values.collect::<Vec<_>>();
        let top = chart::count(values.iter().flatten().copied().max().unwrap_or_default());
        let note = format!("{}{share}", thousands(events));
        Row { name: series.name.clone(), note, tone: series.tone, values, top }
    }

    fn events(&self, series: &Series) -> u64 {
        let months = self.range.months.iter().map(|month| series.month(&self.dataset.activity, *month));
        months.fold(0, u64::saturating_add)
    }

    /// The days of the range: month and day, counted from 0.
    fn days(&self) -> impl Iterator<Item = (Month, usize)> {
        self.range.months.iter().flat_map(|month| (0..days(*month)).map(move |day| (*month, day)))
    }

    fn description(&self) -> String {
        let (all, rest) = (&self.series[0], &self.series[1..]);
        let events = self.events(all);
        let busiest = self
            .days()
            .filter_map(|(month, day)| Some((all.day(&self.dataset.activity, month, day)?, Reverse((month, day)))));
        let busiest = busiest.max().filter(|(events, _)| *events > 0).map(|(events, at)| {
            let Reverse((month, day)) = at;
            format!(" The busiest day was {month}-{:02} with {}.", day + 1, count(events, "event"))
        });
        let shares = rest.iter().map(|series| (series, self.events(series))).filter(|(_, events)| *events > 0);
        let shares =
            shares.map(|(series, part)| format!("{} {} ({})", series.name, thousands(part), percent(part, events)));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let shares = if shares.is_empty() { shares } else { format!(" Of these: {shares}.") };
        let missing = self.dataset.status.missing().filter(|month| self.range.months.contains(month));
        let missing = month_ranges(missing);
        let missing = if missing.is_empty() { missing } else { format!(" Missing: {missing}.") };
        format!("{}.{}{shares}{missing}", count(events, "event"), busiest.unwrap_or_default())
    }

    fn table(&self) -> Markup {
        let activity = &self.dataset.activity;
        let counted = self.days().filter(|(month, _)| activity.months.contains_key(month));
        html! {
            table.numbers {
                caption { (self.dataset.status.dataset) ", " (self.range.name) ": events a day" (self.by) }
                thead {
                    tr { th scope="col" { "Day" } @for series in self.series { th scope="col" { (series.name) } } }
                }
                tbody {
                    @for (month, day) in counted {
                        tr {
                            th scope="row" { (month) "-" (format!("{:02}", day + 1)) }
                            @for series in self.series {
                                td data-head=(series.name) { (thousands(series.day(activity, month, day).unwrap_or_default())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Maximum number of verdicts with their own row.
const LEADING: usize = 6;

/// CSS classes of verdicts, by prefix of the name.
const TONES: [(&[&str], &str); 5] = [
    (&["allow", "pass", "permit"], "v-allow"),
    (&["block", "den", "reject"], "v-block"),
    (&["redact", "mask", "rewrit"], "v-redact"),
    (&["escalat"], "v-escalate"),
    (&["flag", "warn"], "v-flag"),
];

/// A row of a chart: a verdict, or several without their own row. No verdicts mean all events.
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

    /// The events of a day, counted from 0; `None` if the month was not counted.
    pub(super) fn day(&self, activity: &Activity, month: Month, day: usize) -> Option<u64> {
        let counts = activity.months.get(&month)?;
        Some(self.days(counts).filter_map(|days| days.get(day)).fold(0, |sum, events| sum.saturating_add(*events)))
    }

    /// The events of a month.
    pub(super) fn month(&self, activity: &Activity, month: Month) -> u64 {
        let days = activity.months.get(&month).into_iter().flat_map(|counts| self.days(counts));
        days.flatten().fold(0, |sum, events| sum.saturating_add(*events))
    }

    fn days<'a>(&'a self, counts: &'a DayCounts) -> impl Iterator<Item = &'a Days> {
        let wanted = |verdict: &Verdict| self.verdicts.is_empty() || self.verdicts.contains(verdict);
        counts.iter().filter(move |(verdict, _)| wanted(verdict)).map(|(_, days)| days)
    }
}

/// The rows of a dataset's charts: all events, then the verdicts by frequency, if they are known.
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
            counts.add(&Verdict::from_value(Some(verdict)), 2, *events);
        }
        let month = "2025-03".parse().unwrap();
        Activity {
            columns: BTreeSet::from(["decision".to_owned()]),
            months: BTreeMap::from([(month, counts)]),
            unread: BTreeMap::new(),
        }
    }

    #[test]
    fn frequent_verdicts_come_first_and_the_rest_is_one_row() {
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
    fn tones_match_verdicts_by_prefix_ignoring_case() {
        let tones = ["allow", "Allowed", "BLOCKED", "denied", "redacted", "escalate", "flagged", "unheard of"]
            .map(|verdict| tone(&Verdict::from_value(Some(verdict))));
        let expected = ["v-allow", "v-allow", "v-block", "v-block", "v-redact", "v-escalate", "v-flag", "v-plain"];
        assert_eq!(tones, expected);
    }

    #[test]
    fn datasets_without_verdicts_have_one_row() {
        assert_eq!(series(&activity(&[])), [Series::all()]);
        let mut activity = activity(&[]);
        activity.months.values_mut().for_each(|counts| counts.add(&Verdict::Unsplit, 0, 1));
        assert_eq!(series(&activity), [Series::all()]);
    }

    #[test]
    fn months_without_verdicts_have_their_own_row() {
        let mut activity = activity(&[("allowed", 3)]);
        let (march, april) = ("2025-03".parse().unwrap(), "2025-04".parse().unwrap());
        activity.months.entry(april).or_default().add(&Verdict::Unsplit, 0, 5);
        let rows = series(&activity);
        let rows = rows.iter().map(|row| (row.name.as_str(), [march, april].map(|month| row.month(&activity, month))));
        let expected = [("all events", [3, 5]), ("allowed", [3, 0]), ("not told apart", [0, 5])];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}

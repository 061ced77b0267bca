//! Months that share an axis of days.

use super::axis::{Absence, Band, Tick, bands, names, runs};
use archive::{
    activity::Activity,
    report::{DatasetStatus, MonthStatus, Presence},
};
use archive_formats::Month;
use std::collections::BTreeSet;

/// Months that are shown in one chart; with more, every year has a chart of its own.
const TOGETHER: usize = 12;

/// Consecutive months, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) months: Vec<Month>,
}

/// The spans of a dataset: its months until now, in one chart, or the whole years that they lie in. A year of which
/// nothing is archived has none: the calendar shows it.
pub(super) fn spans(status: &DatasetStatus) -> Vec<Span> {
    let months = status.months.iter().filter(|month| month.state != Presence::Open).map(|month| month.month);
    let months = months.collect::<Vec<_>>();
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return Vec::new() };
    if months.len() <= TOGETHER {
        let name = if first == last { first.to_string() } else { format!("{first} to {last}") };
        return vec![Span { name, months }];
    }
    let is_archived = |month: &&MonthStatus| month.state == Presence::Archived;
    let archived = status.months.iter().filter(is_archived).map(|month| month.month.year());
    let years = archived.collect::<BTreeSet<_>>().into_iter();
    years.map(|year| Span { name: year.to_string(), months: of_year(year) }).collect()
}

fn of_year(year: u16) -> Vec<Month> {
    (1..=12).filter_map(|number| Month::new(year, number).ok()).collect()
}

/// How many days a month has.
pub(super) fn days(month: Month) -> usize {
    usize::try_from(month.window().length().as_secs() / 86_400).unwrap_or_default()
}

impl Span {
    /// All days.
    pub(super) fn days(&self) -> usize {
        self.months.iter().copied().map(days).sum()
    }

    /// What the axis says: months, or the days of a single one.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        if let [month] = self.months.as_slice() {
            let days = (1..=days(*month)).filter(|day| *day == 1 || day.is_multiple_of(5));
            return days.map(|day| Tick { first: day - 1, slots: 1, what: day.to_string() }).collect();
        }
        let months = self.months.iter().copied();
        runs(months.clone().map(days).zip(names(months)))
    }

    /// The days without counts, and why there are none. Nothing is said of months outside of the range.
    pub(super) fn bands(&self, status: &DatasetStatus, activity: &Activity) -> Vec<Band> {
        let known = |month: Month| status.months.iter().find(|known| known.month == month);
        bands(self.months.iter().map(|month| (days(*month), known(*month).and_then(|known| absence(known, activity)))))
    }
}

/// Why a month has no counts.
fn absence(month: &MonthStatus, activity: &Activity) -> Option<Absence> {
    Absence::of(month).or_else(|| activity.unread.contains_key(&month.month).then_some(Absence::Unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::html::testing::month;

    fn status(first: &str, last: &str) -> DatasetStatus {
        let months = Month::range(first.parse().unwrap(), last.parse().unwrap());
        let months = months.map(|at| month(&at.to_string(), Presence::Archived)).collect();
        DatasetStatus { dataset: "events".parse().unwrap(), months, late: 0, prune: None, complete_until: None }
    }

    #[test]
    fn a_year_is_one_chart_and_more_are_a_chart_each() {
        let names = |first, last| spans(&status(first, last)).into_iter().map(|span| span.name).collect::<Vec<_>>();
        assert_eq!(names("2025-03", "2025-03"), ["2025-03"]);
        assert_eq!(names("2024-04", "2025-03"), ["2024-04 to 2025-03"]);
        assert_eq!(names("2024-03", "2025-03"), ["2024", "2025"]);
        assert_eq!(spans(&status("2024-03", "2025-03"))[0].days(), 366);
        let mut gap = status("2022-12", "2025-01");
        gap.months[1..13].iter_mut().for_each(|month| month.state = Presence::Missing);
        let names = spans(&gap).into_iter().map(|span| span.name);
        assert_eq!(names.collect::<Vec<_>>(), ["2022", "2024", "2025"], "nothing of 2023 is archived");
    }

    #[test]
    fn the_axis_says_days_months_or_months_with_their_years() {
        let labels = |first, last| {
            let ticks = spans(&status(first, last))[0].ticks().into_iter();
            ticks.map(|tick| (tick.first, tick.what)).collect::<Vec<_>>()
        };
        let expected = [(0, "1"), (4, "5"), (9, "10"), (14, "15"), (19, "20"), (24, "25")];
        assert_eq!(labels("2025-02", "2025-02"), expected.map(|(first, label)| (first, label.to_owned())));
        assert_eq!(labels("2025-01", "2025-02")[1], (31, "Feb".to_owned()));
        assert_eq!(labels("2024-12", "2025-01")[1], (31, "2025-01".to_owned()));
    }

    #[test]
    fn months_without_counts_say_why() {
        let mut status = status("2025-01", "2025-04");
        for (index, state) in [(1, Presence::Missing), (2, Presence::Missing), (3, Presence::Open)] {
            status.months[index].state = state;
        }
        let span = Span { name: "2025".to_owned(), months: of_year(2025) };
        let bands = span.bands(&status, &Activity::default());
        let bands = bands.iter().map(|band| (band.first, band.slots, band.what)).collect::<Vec<_>>();
        assert_eq!(bands, [(31, 59, Absence::Missing), (90, 30, Absence::NotOver)]);
    }
}

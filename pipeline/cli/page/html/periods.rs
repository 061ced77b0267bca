//! Time axes of the charts: months, or years of a long history, and the days of some months.

use super::chart::{Absence, Band, Tick, bands, names, runs};
use archive::{
    activity::Activity,
    status::{DatasetStatus, MonthStatus, Presence, Totals},
};
use archive_formats::Month;
use std::collections::BTreeSet;

/// Maximum number of bars; with more months, each bar is a year.
const MAX_BARS: usize = 180;

/// Maximum number of bars with a label each.
const NAMED: usize = 12;

/// The bars of a chart, each a slice of months.
#[derive(Clone, Debug)]
pub(super) struct Periods<'a>(Vec<&'a [MonthStatus]>);

impl<'a> Periods<'a> {
    /// A bar for each of `months`, or for each of their years.
    pub(super) fn new(months: &'a [MonthStatus]) -> Self {
        let one = months.chunks(1);
        Self(if months.len() <= MAX_BARS { one.collect() } else { by_year(months).collect() })
    }

    /// The period of a bar: `month` or `year`.
    pub(super) fn unit(&self) -> &'static str {
        if self.0.iter().any(|months| months.len() > 1) { "year" } else { "month" }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Totals of each bar; `None` if none of its months is archived.
    pub(super) fn totals(&self) -> impl Iterator<Item = Option<Totals>> {
        self.0.iter().map(|months| Some(Totals::from_months(*months)).filter(|totals| totals.archived > 0))
    }

    /// Names of months, of years, or of decades.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let firsts = self.0.iter().filter_map(|months| months.first()).map(|month| month.month);
        if self.len() <= NAMED {
            return runs(names(firsts).map(|name| (1, name)));
        }
        let by_decade = self.unit() == "year";
        runs(firsts.map(|month| {
            let year = month.year();
            (1, if by_decade { format!("{}s", year / 10 * 10) } else { year.to_string() })
        }))
    }

    /// The missing bars, with the reason.
    pub(super) fn bands(&self) -> Vec<Band> {
        bands(self.0.iter().map(|months| (1, absence(months))))
    }
}

fn by_year(months: &[MonthStatus]) -> impl Iterator<Item = &[MonthStatus]> {
    months.chunk_by(|one, next| one.month.year() == next.month.year())
}

/// The reason why a bar is missing, if all its months are missing for the same one.
fn absence(months: &[MonthStatus]) -> Option<Absence> {
    let first = months.first().and_then(Absence::from_state);
    first.filter(|_| months.iter().all(|month| Absence::from_state(month) == first))
}

/// Maximum number of months in one chart; with more, there is a chart per year.
const TOGETHER: usize = 12;

/// Consecutive months with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChartRange {
    pub(super) name: String,
    pub(super) months: Vec<Month>,
}

/// The charts of a dataset: one for a few months, else one per year. Years without an archived month have none, since
/// the calendar shows them.
pub(super) fn chart_ranges(status: &DatasetStatus) -> Vec<ChartRange> {
    let months = status.months.iter().filter(|month| month.state != Presence::Open).map(|month| month.month);
    let months = months.collect::<Vec<_>>();
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return Vec::new() };
    if months.len() <= TOGETHER {
        let name = if first == last { first.to_string() } else { format!("{first} to {last}") };
        return vec![ChartRange { name, months }];
    }
    let is_archived = |month: &&MonthStatus| month.state == Presence::Archived;
    let archived = status.months.iter().filter(is_archived).map(|month| month.month.year());
    let years = archived.collect::<BTreeSet<_>>().into_iter();
    let of = |year: u16| months.iter().copied().filter(move |month| month.year() == year).collect();
    years.map(|year| ChartRange { name: year.to_string(), months: of(year) }).collect()
}

/// The number of days of a month.
#[expect(clippy::expect_used, reason = "a month has at most 31 days")]
pub(super) fn days(month: Month) -> usize {
    usize::try_from(month.window().length().as_secs() / 86_400).expect("at most 31")
}

impl ChartRange {
    /// The number of days.
    pub(super) fn days(&self) -> usize {
        self.months.iter().copied().map(days).sum()
    }

    /// Labels of the axis: months, or days if there is one month.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        if let [month] = self.months.as_slice() {
            let days = (1..=days(*month)).filter(|day| *day == 1 || day.is_multiple_of(5));
            return days.map(|day| Tick { first: day - 1, slots: 1, what: day.to_string() }).collect();
        }
        let months = self.months.iter().copied();
        runs(months.clone().map(days).zip(names(months)))
    }

    /// The days without counts, with the reason. Months without a status have no band.
    pub(super) fn bands(&self, status: &DatasetStatus, activity: &Activity) -> Vec<Band> {
        let known = |month: Month| status.months.iter().find(|known| known.month == month);
        bands(
            self.months.iter().map(|month| (days(*month), known(*month).and_then(|known| uncounted(known, activity)))),
        )
    }
}

/// The reason why a month has no counts.
fn uncounted(month: &MonthStatus, activity: &Activity) -> Option<Absence> {
    Absence::from_state(month).or_else(|| activity.unread.contains_key(&month.month).then_some(Absence::Unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::html::testing::month;

    fn months(first: &str, last: &str) -> Vec<MonthStatus> {
        let months = Month::range(first.parse().unwrap(), last.parse().unwrap());
        months.map(|at| month(&at.to_string(), Presence::Archived)).collect()
    }

    fn labels(months: &[MonthStatus]) -> (usize, Vec<(usize, String)>) {
        let periods = Periods::new(months);
        (periods.len(), periods.ticks().into_iter().map(|tick| (tick.slots, tick.what)).collect())
    }

    #[test]
    fn bars_are_labelled_by_month_year_or_decade() {
        assert_eq!(labels(&months("2025-03", "2025-03")), (1, vec![(1, "Mar".to_owned())]));
        assert_eq!(labels(&months("2024-12", "2025-01")).1[1], (1, "2025-01".to_owned()));
        let five_years =
            [(2, "2021"), (12, "2022"), (12, "2023"), (3, "2024")].map(|(slots, year)| (slots, year.to_owned()));
        assert_eq!(labels(&months("2021-11", "2024-03")), (29, five_years.to_vec()));
        let (bars, ticks) = labels(&months("1999-01", "2025-12"));
        assert_eq!((bars, ticks.len(), ticks[1].clone()), (27, 4, (10, "2000s".to_owned())));
    }

    #[test]
    fn gaps_are_bands_and_have_no_bar() {
        let mut months = months("2025-01", "2025-04");
        for (index, state) in [(1, Presence::Missing), (2, Presence::Missing), (3, Presence::Open)] {
            months[index] = month(&months[index].month.to_string(), state);
        }
        let periods = Periods::new(&months);
        let bands = periods.bands().iter().map(|band| (band.first, band.slots, band.what)).collect::<Vec<_>>();
        assert_eq!(bands, [(1, 2, Absence::Missing), (3, 1, Absence::NotOver)]);
        assert_eq!(periods.totals().map(|totals| totals.is_some()).collect::<Vec<_>>(), [true, false, false, false]);
    }

    fn status(first: &str, last: &str) -> DatasetStatus {
        let months = Month::range(first.parse().unwrap(), last.parse().unwrap());
        let months = months.map(|at| month(&at.to_string(), Presence::Archived)).collect();
        DatasetStatus {
            dataset: "events".parse().unwrap(),
            sources: Vec::new(),
            months,
            late: 0,
            prune: None,
            complete_until: None,
        }
    }

    #[test]
    fn up_to_twelve_months_are_one_chart_and_more_are_one_per_year() {
        let names =
            |first, last| chart_ranges(&status(first, last)).into_iter().map(|range| range.name).collect::<Vec<_>>();
        assert_eq!(names("2025-03", "2025-03"), ["2025-03"]);
        assert_eq!(names("2024-04", "2025-03"), ["2024-04 to 2025-03"]);
        assert_eq!(names("2024-03", "2025-03"), ["2024", "2025"]);
        assert_eq!(chart_ranges(&status("2024-03", "2025-03"))[0].days(), 306, "a part of a year has the whole width");
        let mut gap = status("2022-12", "2025-01");
        gap.months[1..13].iter_mut().for_each(|month| month.state = Presence::Missing);
        let names = chart_ranges(&gap).into_iter().map(|range| range.name);
        assert_eq!(names.collect::<Vec<_>>(), ["2022", "2024", "2025"], "nothing of 2023 is archived");
    }

    #[test]
    fn axis_shows_days_or_months_or_months_with_years() {
        let labels = |first, last| {
            let ticks = chart_ranges(&status(first, last))[0].ticks().into_iter();
            ticks.map(|tick| (tick.first, tick.what)).collect::<Vec<_>>()
        };
        let expected = [(0, "1"), (4, "5"), (9, "10"), (14, "15"), (19, "20"), (24, "25")];
        assert_eq!(labels("2025-02", "2025-02"), expected.map(|(first, label)| (first, label.to_owned())));
        assert_eq!(labels("2025-01", "2025-02")[1], (31, "Feb".to_owned()));
        assert_eq!(labels("2024-12", "2025-01")[1], (31, "2025-01".to_owned()));
    }

    #[test]
    fn months_without_counts_have_a_reason() {
        let mut status = status("2025-01", "2025-04");
        for (index, state) in [(1, Presence::Missing), (2, Presence::Missing), (3, Presence::Open)] {
            status.months[index].state = state;
        }
        let range = ChartRange {
            name: "2025".to_owned(),
            months: Month::range("2025-01".parse().unwrap(), "2025-12".parse().unwrap()).collect(),
        };
        let bands = range.bands(&status, &Activity::default());
        let bands = bands.iter().map(|band| (band.first, band.slots, band.what)).collect::<Vec<_>>();
        assert_eq!(bands, [(31, 59, Absence::Missing), (90, 30, Absence::NotOver)]);
    }
}

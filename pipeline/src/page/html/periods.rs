//! Months, or in a very long history years, that share an axis of time.

use super::chart::{Band, NOT_OVER, Tick};
use crate::{
    calendar::MONTHS,
    report::{MonthStatus, Presence, Totals},
};

/// Bars that a chart has room for; with more months, each is a year.
const MOST_BARS: usize = 180;

/// Months whose names fit below their bars.
const NAMED: usize = 12;

/// The bars of a chart, each with its months.
#[derive(Clone, Debug)]
pub(super) struct Periods<'a>(Vec<&'a [MonthStatus]>);

impl<'a> Periods<'a> {
    /// A bar for each of `months`, or for each year that they lie in.
    pub(super) fn of(months: &'a [MonthStatus]) -> Self {
        let one = months.chunks(1);
        Self(if months.len() <= MOST_BARS { one.collect() } else { by_year(months).collect() })
    }

    /// What a bar is.
    pub(super) fn unit(&self) -> &'static str {
        if self.0.iter().any(|months| months.len() > 1) { "year" } else { "month" }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What the months of each bar add up to; none where none of them is archived.
    pub(super) fn totals(&self) -> impl Iterator<Item = Option<Totals>> {
        self.0.iter().map(|months| Some(Totals::of(*months)).filter(|totals| totals.archived > 0))
    }

    /// Names of months, of years, or of decades.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        let is_named = self.len() <= NAMED;
        let firsts = self.0.iter().filter_map(|months| months.first()).map(|month| month.month);
        let within_a_year =
            firsts.clone().map(archive_formats::Month::year).collect::<std::collections::BTreeSet<_>>().len() == 1;
        let by_decade = self.unit() == "year";
        for (first, month) in firsts.enumerate() {
            let label = match (is_named, within_a_year) {
                (true, true) => MONTHS[usize::from(month.number()) - 1].to_owned(),
                (true, false) => month.to_string(),
                _ if by_decade => format!("{}s", month.year() / 10 * 10),
                _ => month.year().to_string(),
            };
            match ticks.last_mut().filter(|last| last.label == label) {
                Some(last) => last.slots += 1,
                None => ticks.push(Tick { first, slots: 1, label }),
            }
        }
        ticks
    }

    /// The bars that are not there, and why.
    pub(super) fn bands(&self) -> Vec<Band> {
        let mut bands: Vec<Band> = Vec::new();
        for (first, months) in self.0.iter().enumerate() {
            let Some(label) = absence(months) else { continue };
            match bands.last_mut().filter(|last| last.label == label && last.first + last.slots == first) {
                Some(last) => last.slots += 1,
                None => bands.push(Band { first, slots: 1, label }),
            }
        }
        bands
    }
}

fn by_year(months: &[MonthStatus]) -> impl Iterator<Item = &[MonthStatus]> {
    months.chunk_by(|one, next| one.month.year() == next.month.year())
}

fn absence(months: &[MonthStatus]) -> Option<&'static str> {
    let all = |state| months.iter().all(|month| month.state == state);
    if all(Presence::Missing) {
        Some("missing")
    } else if all(Presence::Open) {
        Some(NOT_OVER)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::month;
    use archive_formats::Month;

    fn months(first: &str, last: &str) -> Vec<MonthStatus> {
        let months = Month::range(first.parse().unwrap(), last.parse().unwrap());
        months.map(|at| month(&at.to_string(), Presence::Archived)).collect()
    }

    fn labels(months: &[MonthStatus]) -> (usize, Vec<(usize, String)>) {
        let periods = Periods::of(months);
        (periods.len(), periods.ticks().into_iter().map(|tick| (tick.slots, tick.label)).collect())
    }

    #[test]
    fn bars_are_named_as_far_as_there_is_room() {
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
        let periods = Periods::of(&months);
        let bands = periods.bands().iter().map(|band| (band.first, band.slots, band.label)).collect::<Vec<_>>();
        assert_eq!(bands, [(1, 2, "missing"), (3, 1, "not over")]);
        assert_eq!(periods.totals().map(|totals| totals.is_some()).collect::<Vec<_>>(), [true, false, false, false]);
    }
}

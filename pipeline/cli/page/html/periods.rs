//! Months, or in a very long history years, that share an axis of time.

use super::axis::{Absence, Band, Tick, bands, names, runs};
use archive::report::{MonthStatus, Totals};

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

    /// The bars that are not there, and why.
    pub(super) fn bands(&self) -> Vec<Band> {
        bands(self.0.iter().map(|months| (1, absence(months))))
    }
}

fn by_year(months: &[MonthStatus]) -> impl Iterator<Item = &[MonthStatus]> {
    months.chunk_by(|one, next| one.month.year() == next.month.year())
}

/// Why a bar is not there: none of its months is, for the same reason.
fn absence(months: &[MonthStatus]) -> Option<Absence> {
    let first = months.first().and_then(Absence::of);
    first.filter(|_| months.iter().all(|month| Absence::of(month) == first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::html::testing::month;
    use archive::status::Presence;
    use archive_formats::Month;

    fn months(first: &str, last: &str) -> Vec<MonthStatus> {
        let months = Month::range(first.parse().unwrap(), last.parse().unwrap());
        months.map(|at| month(&at.to_string(), Presence::Archived)).collect()
    }

    fn labels(months: &[MonthStatus]) -> (usize, Vec<(usize, String)>) {
        let periods = Periods::of(months);
        (periods.len(), periods.ticks().into_iter().map(|tick| (tick.slots, tick.what)).collect())
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
        let bands = periods.bands().iter().map(|band| (band.first, band.slots, band.what)).collect::<Vec<_>>();
        assert_eq!(bands, [(1, 2, Absence::Missing), (3, 1, Absence::NotOver)]);
        assert_eq!(periods.totals().map(|totals| totals.is_some()).collect::<Vec<_>>(), [true, false, false, false]);
    }
}

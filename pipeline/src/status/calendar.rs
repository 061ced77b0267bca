//! Months as a calendar: one row per year, one column per month.

use super::report::{MonthStatus, Presence};

/// Column titles of a calendar.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A row of a calendar.
#[derive(Clone, Debug)]
pub struct Year<'a> {
    /// The year.
    pub year: u16,
    /// January to December; `None` outside the range.
    pub months: [Option<&'a MonthStatus>; 12],
}

/// Groups `months`, in ascending order, into a row for each year that has any of them.
pub fn years(months: &[MonthStatus]) -> Vec<Year<'_>> {
    let mut years: Vec<Year<'_>> = Vec::new();
    for status in months {
        let (year, index) = (status.month.year(), usize::from(status.month.number()) - 1);
        if years.last().is_none_or(|last| last.year != year) {
            years.push(Year { year, months: [None; 12] });
        }
        if let Some(last) = years.last_mut() {
            last.months[index] = Some(status);
        }
    }
    years
}

impl Year<'_> {
    /// The months of the range.
    pub fn shown(&self) -> impl Iterator<Item = &MonthStatus> {
        self.months.iter().flatten().copied()
    }

    /// Archived events of the year.
    pub fn events(&self) -> u64 {
        self.shown().filter_map(|month| month.events).fold(0, u64::saturating_add)
    }

    /// Total size of the year's files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.shown().filter_map(|month| month.bytes).fold(0, u64::saturating_add)
    }
}

/// Letter of a month's state. Colour only repeats it.
pub fn letter(month: &MonthStatus) -> char {
    match (month.state, month.events) {
        _ if month.damaged => 'D',
        (Presence::Archived, Some(0)) => '0',
        (Presence::Archived, _) => 'A',
        (Presence::Missing, _) => '!',
        (Presence::Open, _) => '.',
    }
}

/// Meaning of each letter.
pub const LEGEND: [(char, &str); 5] =
    [('A', "archived"), ('0', "archived, no events"), ('D', "DAMAGED"), ('!', "MISSING"), ('.', "not over")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::testing::month;

    #[test]
    fn calendar_has_a_row_per_year_and_no_months_outside_the_range() {
        let names = ["2023-12", "2024-01", "2024-02"];
        let months = names.map(|name| month(name, Presence::Archived)).to_vec();
        let years = years(&months);
        assert_eq!(
            years.iter().map(|year| (year.year, year.shown().count())).collect::<Vec<_>>(),
            [(2023, 1), (2024, 2)]
        );
        assert!(years[0].months[..11].iter().all(Option::is_none), "{years:?}");
        assert_eq!((years[1].events(), years[1].bytes()), (20_000, 2 << 20));
    }

    #[test]
    fn legend_explains_every_letter() {
        let mut empty = month("2025-01", Presence::Archived);
        empty.events = Some(0);
        let states = [Presence::Archived, Presence::Missing, Presence::Open];
        let damaged = MonthStatus { damaged: true, ..month("2025-01", Presence::Archived) };
        let months = states.map(|state| month("2025-01", state)).into_iter().chain([empty, damaged]);
        let letters = months.map(|month| letter(&month)).collect::<Vec<_>>();
        assert_eq!(letters, ['A', '!', '.', '0', 'D']);
        assert!(letters.iter().all(|letter| LEGEND.iter().any(|(known, _)| known == letter)));
    }
}

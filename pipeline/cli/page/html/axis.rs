//! What lies along an axis of time: runs of slots, named or empty.

use archive::{
    calendar::MONTHS,
    report::{MonthStatus, Presence},
};
use archive_formats::Month;

/// Consecutive slots of which the same is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run<T> {
    pub(super) first: usize,
    pub(super) slots: usize,
    pub(super) what: T,
}

/// A name for some slots.
pub(super) type Tick = Run<String>;

/// Slots without values.
pub(super) type Band = Run<Absence>;

/// Why there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is over, and not archived.
    Missing,
    /// It is archived, and could not be counted.
    Unread,
    /// It is not over: nothing is lost.
    NotOver,
}

impl Absence {
    /// Why `month` has nothing to show, if it has not.
    pub(super) const fn of(month: &MonthStatus) -> Option<Self> {
        match month.state {
            Presence::Missing => Some(Self::Missing),
            Presence::Open => Some(Self::NotOver),
            Presence::Archived => None,
        }
    }

    /// In a word or two.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unread => "unread",
            Self::NotOver => "not over",
        }
    }

    /// The class of its drawing.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Missing | Self::Unread => "gap lost",
            Self::NotOver => "gap",
        }
    }
}

/// What is said of slots one after the other, each with their number, as runs: neighbours of which the same is said are
/// one.
pub(super) fn runs<T: PartialEq>(parts: impl IntoIterator<Item = (usize, T)>) -> Vec<Run<T>> {
    let (mut runs, mut first): (Vec<Run<T>>, usize) = (Vec::new(), 0);
    for (slots, what) in parts {
        match runs.last_mut().filter(|last| last.what == what) {
            Some(last) => last.slots += slots,
            None => runs.push(Run { first, slots, what }),
        }
        first += slots;
    }
    runs
}

/// The runs without values.
pub(super) fn bands(parts: impl IntoIterator<Item = (usize, Option<Absence>)>) -> Vec<Band> {
    let absent = |Run { first, slots, what }| Some(Run { first, slots, what: what? });
    runs(parts).into_iter().filter_map(absent).collect()
}

/// The names of `months`, with their years unless they are all of one.
pub(super) fn names(months: impl Iterator<Item = Month> + Clone) -> impl Iterator<Item = String> {
    let is_a_year = months.clone().zip(months.clone().skip(1)).all(|(one, next)| one.year() == next.year());
    let name = |month: Month| MONTHS[usize::from(month.number()) - 1].to_owned();
    months.map(move |month| if is_a_year { name(month) } else { month.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_are_absent_for_the_same_reason_are_one_band() {
        let (missing, open) = (Some(Absence::Missing), Some(Absence::NotOver));
        let parts = [(31, None), (28, missing), (31, missing), (30, None), (31, missing), (30, open)];
        let found = bands(parts).into_iter().map(|band| (band.first, band.slots, band.what));
        let expected = [(31, 59, Absence::Missing), (120, 31, Absence::Missing), (151, 30, Absence::NotOver)];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn months_have_their_years_where_there_are_several() {
        let names = |first: &str, last: &str| {
            let months = Month::range(first.parse().unwrap(), last.parse().unwrap()).collect::<Vec<_>>();
            names(months.into_iter()).collect::<Vec<_>>()
        };
        assert_eq!(names("2025-02", "2025-03"), ["Feb", "Mar"]);
        assert_eq!(names("2024-12", "2025-01"), ["2024-12", "2025-01"]);
        assert_eq!(names("2025-02", "2025-01"), [] as [&str; 0]);
    }

    #[test]
    fn what_is_not_over_is_not_lost() {
        let classes = [Absence::Missing, Absence::Unread, Absence::NotOver].map(|why| (why.label(), why.class()));
        assert_eq!(classes, [("missing", "gap lost"), ("unread", "gap lost"), ("not over", "gap")]);
    }
}

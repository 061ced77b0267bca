//! How a month is marked: by a class, a letter and words that say the same.

use crate::page::DatasetPage;
use archive::{
    calendar::letter,
    report::{MonthStatus, Presence},
};

/// Of a month whose files were found damaged.
pub(super) const DAMAGED: (&str, char, &str) = ("m-missing", 'D', "damaged");

/// Class, letter and state of a month.
pub(super) fn mark(dataset: &DatasetPage, month: &MonthStatus) -> (&'static str, char, &'static str) {
    if dataset.is_damaged(month.month) { DAMAGED } else { (class(month), letter(month), state(month)) }
}

/// The class of a month, which is that of its letter.
pub(super) fn class(month: &MonthStatus) -> &'static str {
    match letter(month) {
        'A' => "m-archived",
        '0' => "m-empty",
        '!' => "m-missing",
        _ => "m-open",
    }
}

/// The state of a month in words.
pub(super) const fn state(month: &MonthStatus) -> &'static str {
    match month.state {
        Presence::Archived if matches!(month.events, Some(0)) => "archived, no events",
        Presence::Archived => "archived",
        Presence::Missing => "missing",
        Presence::Open => "not over",
    }
}

//! The calendar of every dataset: a row per year, and a letter and a colour per month.

use super::{scrolled, shown};
use crate::page::DatasetPage;
use archive::{
    human::{count, month_ranges, size, thousands},
    status::{
        MonthStatus, Presence,
        calendar::{self, LEGEND, MONTHS, Year, letter},
    },
};
use maud::{Markup, html};

pub(super) fn section(datasets: &[DatasetPage]) -> Markup {
    html! {
        section aria-labelledby="coverage" {
            h2 id="coverage" { "Coverage" }
            @if datasets.is_empty() { p { "Nothing is archived yet." } }
            @for dataset in datasets { (dataset_calendar(dataset)) }
            @if !datasets.is_empty() { (legend(datasets)) }
        }
    }
}

fn dataset_calendar(dataset: &DatasetPage) -> Markup {
    let status = &dataset.status;
    let damaged = month_ranges(status.months.iter().map(|month| month.month).filter(|it| dataset.is_damaged(*it)));
    let name = status.dataset.as_str();
    let totals = status.totals();
    let gaps = month_ranges(status.missing());
    html! {
        h3 { (name) }
        p {
            (count(totals.archived, "month")) " archived, " (count(totals.events, "event")) ", " (size(totals.bytes)) ". "
            @if status.months.is_empty() { "Nothing of it is archived in this range." }
            @else if gaps.is_empty() { "No gaps." }
            @else { strong.bad { "Missing: " (gaps) "." } }
            @if !damaged.is_empty() { " " strong.bad { "Damaged: " (damaged) "." } }
        }
        @if totals.rejected > 0 {
            p { strong.warn { (count(totals.rejected, "row")) " could not become events, and " } "are kept as rejected rows." }
        }
        @for source in &status.sources {
            p { "Source: " (shown(&source.source.sentence())) "." }
        }
        @for sentence in &dataset.transforms { p { (shown(sentence)) } }
        @if !status.months.is_empty() { (scrolled(&format!("Calendar of {name}"), &table(dataset))) }
    }
}

fn table(dataset: &DatasetPage) -> Markup {
    let status = &dataset.status;
    html! {
        table.calendar {
            caption.aside { "Months of " (status.dataset) " by year" }
            thead {
                tr {
                    th scope="col" { "Year" }
                    @for month in MONTHS { th scope="col" { (month) } }
                    th.sum scope="col" { "Events" }
                    th.sum scope="col" { "Size" }
                }
            }
            tbody { @for year in calendar::years(&status.months) { (row(dataset, &year)) } }
        }
    }
}

fn row(dataset: &DatasetPage, year: &Year<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { (format!("{:04}", year.year)) }
            @for month in year.months { td { @if let Some(month) = month { (cell(dataset, month)) } } }
            td.sum data-unit=" events" { (thousands(year.events())) }
            td.sum data-unit="" { (size(year.bytes())) }
        }
    }
}

fn cell(dataset: &DatasetPage, month: &MonthStatus) -> Markup {
    let events = month.events.map_or_else(String::new, |events| format!(", {}", count(events, "event")));
    let (class, letter, state) = mark(dataset, month);
    let words = format!("{state}{events}");
    html! {
        span class=(class) title=(format!("{}: {words}", month.month)) {
            span aria-hidden="true" { (letter) }
            span.aside { (words) }
        }
    }
}

/// The meaning of the letters that occur.
fn legend(datasets: &[DatasetPage]) -> Markup {
    let months = || datasets.iter().flat_map(|dataset| &dataset.status.months);
    let others = LEGEND.iter().filter(|(letter, _)| *letter != DAMAGED.1);
    let used = others.filter_map(|(known, _)| months().find(|month| letter(month) == *known));
    let used = used.map(|month| (class(month), letter(month), state(month)));
    let is_damaged = datasets.iter().any(|dataset| months().any(|month| dataset.is_damaged(month.month)));
    html! {
        ul.legend {
            @for (class, letter, state) in used.chain(is_damaged.then_some(DAMAGED)) {
                li { span class=(class) aria-hidden="true" { (letter) } " " (state) }
            }
        }
    }
}

/// Class, letter and state of a month with damaged files.
pub(super) const DAMAGED: (&str, char, &str) = ("m-missing", 'D', "damaged");

/// Class, letter and state of a month.
pub(super) fn mark(dataset: &DatasetPage, month: &MonthStatus) -> (&'static str, char, &'static str) {
    if dataset.is_damaged(month.month) { DAMAGED } else { (class(month), letter(month), state(month)) }
}

/// The CSS class of a month, by its letter.
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

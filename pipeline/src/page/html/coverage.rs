//! The calendar of every dataset: years down, months across, a letter and a colour for each.

use super::{
    scrolled,
    sizes::{class, state},
};
use crate::{
    calendar::{self, LEGEND, MONTHS, Year, letter},
    month_ranges,
    numbers::{count, size, thousands},
    page::DatasetPage,
    report::{DatasetStatus, MonthStatus},
};
use maud::{Markup, html};

pub(super) fn section(datasets: &[DatasetPage]) -> Markup {
    html! {
        section aria-labelledby="coverage" {
            h2 id="coverage" { "Coverage" }
            @if datasets.is_empty() { p { "Nothing is archived yet." } }
            @for dataset in datasets { (of_dataset(&dataset.status)) }
            @if !datasets.is_empty() { (legend(datasets)) }
        }
    }
}

fn of_dataset(status: &DatasetStatus) -> Markup {
    let name = status.dataset.as_str();
    let totals = status.totals();
    let gaps = month_ranges::spell(status.missing());
    html! {
        h3 { (name) }
        p {
            (count(totals.archived, "month")) " archived, " (count(totals.events, "event")) ", " (size(totals.bytes)) ". "
            @if gaps.is_empty() { "No gaps." } @else { strong.bad { "Missing: " (gaps) "." } }
        }
        @if !status.months.is_empty() { (scrolled(&format!("Calendar of {name}"), &table(status))) }
    }
}

fn table(status: &DatasetStatus) -> Markup {
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
            tbody { @for year in calendar::years(&status.months) { (row(&year)) } }
        }
    }
}

fn row(year: &Year<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { (format!("{:04}", year.year)) }
            @for month in year.months { td { @if let Some(month) = month { (cell(month)) } } }
            td.sum { (thousands(year.events())) }
            td.sum { (size(year.bytes())) }
        }
    }
}

fn cell(month: &MonthStatus) -> Markup {
    let events = month.events.map_or_else(String::new, |events| format!(", {}", count(events, "event")));
    let words = format!("{}{events}", state(month));
    html! {
        span class=(class(month)) title=(format!("{}: {words}", month.month)) {
            span aria-hidden="true" { (letter(month)) }
            span.aside { (words) }
        }
    }
}

/// The letters that are there, and what they mean.
fn legend(datasets: &[DatasetPage]) -> Markup {
    let months = || datasets.iter().flat_map(|dataset| &dataset.status.months);
    let used = LEGEND.iter().filter_map(|(known, _)| months().find(|month| letter(month) == *known));
    html! {
        ul.legend {
            @for month in used { li { span class=(class(month)) aria-hidden="true" { (letter(month)) } " " (state(month)) } }
        }
    }
}

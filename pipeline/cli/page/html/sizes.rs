//! Sizes and compression: a chart for each dataset, and its months as a table.

use super::{
    chart::{self, Chart, Row, Top},
    coverage::mark,
    periods::Periods,
    scrolled, time,
};
use crate::page::DatasetPage;
use archive::{
    human::{count, ratio, size, thousands, to_one},
    status::{MonthStatus, Totals},
};
use maud::{Markup, html};

/// Minimum number of slots, so that a few bars are not wider than those of a year.
const MIN_SLOTS: usize = 12;

pub(super) fn section(datasets: &[DatasetPage]) -> Markup {
    html! {
        section aria-labelledby="sizes" {
            h2 id="sizes" { "Sizes and compression" }
            p {
                "The size of a month is that of its files, in all the formats that it is archived in. "
                "“Delivered” is the size of what the source sent for it, where that is known."
            }
            @for (index, dataset) in datasets.iter().enumerate() { (dataset_figure(dataset, index)) }
        }
    }
}

fn dataset_figure(dataset: &DatasetPage, index: usize) -> Markup {
    let name = dataset.status.dataset.as_str();
    html! {
        h3 { (name) }
        @if dataset.status.totals().archived == 0 {
            p { "No month of " (name) " is archived." }
        } @else {
            figure {
                figcaption { strong { (name) } ": size and compression by " (Periods::new(&dataset.status.months).unit()) }
                (chart(dataset, format!("s{index}")).draw())
            }
            details open {
                summary { "Months of " (name) }
                (scrolled(&format!("Months of {name}"), &table(dataset)))
            }
        }
    }
}

fn chart(dataset: &DatasetPage, id: String) -> Chart {
    let (status, periods) = (&dataset.status, Periods::new(&dataset.status.months));
    Chart {
        id,
        title: format!("{}: size and compression by {}", status.dataset, periods.unit()),
        description: description(&status.totals(), &status.months),
        slots: periods.len().max(MIN_SLOTS),
        ticks: periods.ticks(),
        bands: periods.bands(),
        rows: rows(&status.totals(), &periods),
    }
}

fn rows(totals: &Totals, periods: &Periods<'_>) -> Vec<Row> {
    let row = |name: &str, note: String, value: &dyn Fn(&Totals) -> Option<u64>, top: &dyn Fn(u64) -> Top| {
        let values = periods.totals().map(|totals| totals.as_ref().and_then(value)).collect::<Vec<_>>();
        let top = top(values.iter().flatten().copied().max().unwrap_or_default());
        Row { name: name.to_owned(), note, tone: "v-all", values, top }
    };
    let mut rows = vec![row("size", size(totals.bytes), &|totals| Some(totals.bytes), &chart::bytes)];
    if totals.events > 0 {
        let note = format!("{} on average", ratio(totals.bytes, totals.events));
        rows.push(row("bytes an event", note, &|totals| totals.bytes.checked_div(totals.events), &chart::count));
    }
    if let Some((delivered, archived)) = totals.delivered {
        let tenths = |totals: &Totals| totals.delivered.map(|(delivered, archived)| tenths(delivered, archived));
        let top = |most: u64| {
            let Top { value, label } = chart::count(most.div_ceil(10));
            Top { value: value.saturating_mul(10), label: format!("{label} : 1") }
        };
        rows.push(row("delivered : archived", to_one(delivered, archived), &tenths, &top));
    }
    rows
}

/// `whole / part` in tenths. Saturates, since it is only drawn.
fn tenths(whole: u64, part: u64) -> u64 {
    u64::try_from(u128::from(whole) * 10 / u128::from(part.max(1))).unwrap_or(u64::MAX)
}

fn description(totals: &Totals, months: &[MonthStatus]) -> String {
    let largest = months.iter().filter_map(|month| Some((month.bytes?, month.month))).max();
    let largest = largest.map(|(bytes, month)| format!(" The largest is {month} with {}.", size(bytes)));
    let delivered = totals.delivered.map(|(delivered, archived)| {
        format!(" {} were delivered for what are {} here.", size(delivered), size(archived))
    });
    let (all, largest, delivered) =
        (count(totals.archived, "month"), largest.unwrap_or_default(), delivered.unwrap_or_default());
    format!("{all} of {} in all.{largest}{delivered}", size(totals.bytes))
}

fn table(dataset: &DatasetPage) -> Markup {
    let (name, months) = (dataset.status.dataset.as_str(), &dataset.status.months);
    // Most sources do not report the delivered size.
    let is_compared = months.iter().any(|month| month.source_bytes.is_some());
    html! {
        table.numbers {
            caption { (name) ": every month of the range" }
            thead {
                tr {
                    @for title in ["Month", "State", "Events", "Size", "Bytes an event"] { th scope="col" { (title) } }
                    @if is_compared { @for title in ["Delivered", "Ratio"] { th scope="col" { (title) } } }
                    @for title in ["Committed", "Manifest"] { th scope="col" { (title) } }
                }
            }
            tbody { @for month in months { (row(dataset, month, is_compared)) } }
        }
    }
}

fn row(dataset: &DatasetPage, month: &MonthStatus, is_compared: bool) -> Markup {
    let (class, _, state) = mark(dataset, month);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let an_event = month.bytes.zip(month.events).filter(|(_, events)| *events > 0);
    let compared = month.source_bytes.zip(month.bytes);
    html! {
        tr {
            th scope="row" { (month.month) }
            td.state data-head="State" { span class=(class) { (state) } }
            td data-head="Events" { (or_dash(month.events.map(thousands))) }
            td data-head="Size" { (or_dash(month.bytes.map(size))) }
            td data-head="Bytes an event" { (or_dash(an_event.map(|(bytes, events)| ratio(bytes, events)))) }
            @if is_compared {
                td data-head="Delivered" { (or_dash(month.source_bytes.map(size))) }
                td data-head="Ratio" { (or_dash(compared.map(|(delivered, bytes)| to_one(delivered, bytes)))) }
            }
            td data-head="Committed" { (or_dash(month.committed_at.map(time))) }
            td data-head="Manifest" { (or_dash(month.sequence.map(thousands))) }
        }
    }
}

//! Events a day by verdict: a chart for each span of months, and its numbers as a table.

use super::{
    chart::{Chart, Row},
    scale, scrolled,
    series::{Series, series},
    span::{Span, days, spans},
    text::shown,
};
use crate::page::DatasetPage;
use archive::{
    month_ranges,
    numbers::{count, percent, thousands},
};
use archive_formats::Month;
use maud::{Markup, html};

pub(super) fn section(datasets: &[DatasetPage]) -> Markup {
    html! {
        section aria-labelledby="activity" {
            h2 id="activity" { "Events a day" }
            p { "Counted from the archived files, by the day in UTC on which an event happened. Each row has an axis of its own." }
            @for (index, dataset) in datasets.iter().enumerate() { (of_dataset(dataset, index)) }
        }
    }
}

fn of_dataset(dataset: &DatasetPage, index: usize) -> Markup {
    let (name, series) = (dataset.status.dataset.as_str(), series(&dataset.activity));
    let by = by(dataset);
    let figures = if dataset.activity.months.is_empty() { Vec::new() } else { spans(&dataset.status) };
    html! {
        h3 { (name) }
        @if figures.is_empty() { p { "No event of " (name) " could be counted." } }
        @for (number, span) in figures.iter().enumerate() {
            @let figure = Figure { dataset, span, series: &series, by: &by };
            figure {
                figcaption { strong { (name) ", " (span.name) } ": events a day" (by) }
                (scrolled(&format!("Chart of {name}, {}", span.name), &figure.chart(format!("a{index}-{number}")).draw()))
                details {
                    summary { "Numbers of this chart" }
                    (scrolled(&format!("Numbers of {name}, {}", span.name), &figure.table()))
                }
            }
        }
        @if !dataset.activity.unread.is_empty() { (unread(dataset)) }
    }
}

/// ` by decision`.
fn by(dataset: &DatasetPage) -> String {
    let columns = dataset.activity.columns.iter().map(|column| shown(column)).collect::<Vec<_>>();
    if columns.is_empty() { String::new() } else { format!(" by {}", columns.join(" or ")) }
}

fn unread(dataset: &DatasetPage) -> Markup {
    html! {
        p.bad { "Not counted:" }
        ul {
            @for (month, failure) in &dataset.activity.unread {
                li { strong { (month) } ": " (shown(&failure.message)) }
            }
        }
    }
}

struct Figure<'a> {
    dataset: &'a DatasetPage,
    span: &'a Span,
    series: &'a [Series],
    by: &'a str,
}

impl Figure<'_> {
    fn chart(&self, id: String) -> Chart {
        let Self { dataset, span, series, by } = self;
        Chart {
            id,
            title: format!("{}, {}: events a day{by}", dataset.status.dataset, span.name),
            description: self.description(),
            slots: span.days(),
            ticks: span.ticks(),
            bands: span.bands(&dataset.status, &dataset.activity),
            rows: series.iter().map(|series| self.row(series)).collect(),
        }
    }

    fn row(&self, series: &Series) -> Row {
        let (events, all) = (self.events(series), self.events(&self.series[0]));
        let share = if *series == self.series[0] { String::new() } else { format!(" ({})", percent(events, all)) };
        let values = self.days().map(|(month, day)| series.day(&self.dataset.activity, month, day));
        let values = values.collect::<Vec<_>>();
        let top = scale::count(values.iter().flatten().copied().max().unwrap_or_default());
        let note = format!("{}{share}", thousands(events));
        Row { name: series.name.clone(), note, tone: series.tone, values, top }
    }

    fn events(&self, series: &Series) -> u64 {
        let months = self.span.months.iter().map(|month| series.month(&self.dataset.activity, *month));
        months.fold(0, u64::saturating_add)
    }

    /// The days of the span, by month and number, of which 0 is the first.
    fn days(&self) -> impl Iterator<Item = (Month, usize)> {
        self.span.months.iter().flat_map(|month| (0..days(*month)).map(move |day| (*month, day)))
    }

    fn description(&self) -> String {
        let (all, rest) = (&self.series[0], &self.series[1..]);
        let events = self.events(all);
        let busiest = self.days().filter_map(|(month, day)| {
            Some((all.day(&self.dataset.activity, month, day)?, std::cmp::Reverse((month, day))))
        });
        let busiest = busiest.max().filter(|(events, _)| *events > 0).map(|(events, at)| {
            let std::cmp::Reverse((month, day)) = at;
            format!(" The busiest day was {month}-{:02} with {}.", day + 1, count(events, "event"))
        });
        let shares = rest.iter().map(|series| (series, self.events(series))).filter(|(_, events)| *events > 0);
        let shares =
            shares.map(|(series, part)| format!("{} {} ({})", series.name, thousands(part), percent(part, events)));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let shares = if shares.is_empty() { shares } else { format!(" Of these: {shares}.") };
        let missing = self.dataset.status.missing().filter(|month| self.span.months.contains(month));
        let missing = month_ranges::spell(missing);
        let missing = if missing.is_empty() { missing } else { format!(" Missing: {missing}.") };
        format!("{}.{}{shares}{missing}", count(events, "event"), busiest.unwrap_or_default())
    }

    fn table(&self) -> Markup {
        let activity = &self.dataset.activity;
        let counted = self.days().filter(|(month, _)| activity.months.contains_key(month));
        html! {
            table.numbers {
                caption { (self.dataset.status.dataset) ", " (self.span.name) ": events a day" (self.by) }
                thead {
                    tr { th scope="col" { "Day" } @for series in self.series { th scope="col" { (series.name) } } }
                }
                tbody {
                    @for (month, day) in counted {
                        tr {
                            th scope="row" { (month) "-" (format!("{:02}", day + 1)) }
                            @for series in self.series {
                                td { (thousands(series.day(activity, month, day).unwrap_or_default())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

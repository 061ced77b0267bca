//! The top of the page: title, points that need attention, and totals.

use super::{
    attention::{Point, Weight, points},
    proof::{extent, result},
    shown, time,
};
use crate::page::Page;
use archive::{
    human::{bytes_an_event, count, date, short_head, size, thousands, to_one},
    replicate::ReplicaState,
    status::Totals,
};
use archive_formats::Month;
use maud::{Markup, html};

pub(super) fn header(page: &Page) -> Markup {
    html! {
        header {
            p.kind { (page.organisation.as_deref().map_or_else(|| "Archive".to_owned(), shown)) ": AI-governance events" }
            h1 { (shown(&page.archive)) }
            @if page.is_damaged() { p { strong.bad { "This archive is damaged." } } }
            @if page.datasets.iter().flat_map(|dataset| &dataset.status.sources).any(|source| source.invented) {
                p { strong.bad { "Invented events, made up for a trial: this is an archive of nothing that happened." } }
            }
            p { (range(page)) "Made on " (time(page.made_at)) " by kt-archive " (page.version) "." }
        }
    }
}

/// `events, traces from 2023-01 to 2025-03. `
fn range(page: &Page) -> String {
    let months = || page.datasets.iter().flat_map(|dataset| &dataset.status.months).map(|month| month.month);
    let names = page.datasets.iter().map(|dataset| dataset.status.dataset.as_str()).collect::<Vec<_>>().join(", ");
    let spell = |(first, last): (Month, Month)| {
        if first == last { format!("{names} of {first}. ") } else { format!("{names} from {first} to {last}. ") }
    };
    months().min().zip(months().max()).map(spell).unwrap_or_default()
}

pub(super) fn summary(page: &Page) -> Markup {
    html! {
        section aria-labelledby="summary" {
            h2 id="summary" { "Summary" }
            (attention(&points(page)))
            dl.cards { @for card in cards(page) { (card.draw()) } }
        }
    }
}

fn attention(points: &[Point]) -> Markup {
    if points.is_empty() {
        return html! { p.verdict.well { span aria-hidden="true" { "✓" } " Nothing needs attention." } };
    }
    let number = count(points.len() as u64, "point");
    let class = if points.iter().any(|point| point.weight == Weight::Bad) { "verdict broken" } else { "verdict" };
    html! {
        div class=(class) {
            p { (number) @if points.len() == 1 { " needs" } @else { " need" } " attention" }
            ul {
                @for Point { weight, text } in points {
                    li { @match weight {
                        Weight::Bad => strong.bad { "Problem: " },
                        Weight::Warn => strong.warn { "Note: " },
                    } (text) }
                }
            }
        }
    }
}

struct Card {
    name: &'static str,
    value: String,
    note: String,
}

impl Card {
    fn draw(&self) -> Markup {
        html! { div { dt { (self.name) } dd { (self.value) } dd.note { (self.note) } } }
    }
}

fn cards(page: &Page) -> Vec<Card> {
    let totals = Totals::from_months(page.datasets.iter().flat_map(|dataset| &dataset.status.months));
    let Totals { archived, missing, events, bytes, delivered, .. } = totals;
    let gaps = if missing == 0 { "no gaps".to_owned() } else { format!("{} missing", thousands(missing)) };
    let datasets = count(page.datasets.len() as u64, "dataset");
    let rejected =
        if totals.rejected == 0 { String::new() } else { format!(", {} rejected", count(totals.rejected, "row")) };
    let mut cards = vec![
        Card { name: "Months archived", value: thousands(archived), note: gaps },
        Card { name: "Events", value: thousands(events), note: datasets + &rejected },
    ];
    let compared = delivered.map(|(whole, part)| format!("{}, delivered to archived", to_one(whole, part)));
    let note = compared.or_else(|| bytes_an_event(bytes, events)).unwrap_or_else(|| "no events".to_owned());
    cards.push(Card { name: "Size", value: size(bytes), note });
    cards.push(match page.head {
        Some(head) => Card { name: "Chain head", value: thousands(head.sequence), note: short_head(&head) },
        None => Card { name: "Chain head", value: "none".to_owned(), note: "nothing is committed".to_owned() },
    });
    cards.push(verified(page));
    cards.push(Card { name: "Changes", value: page.protection.short().to_owned(), note: page.protection.note() });
    cards.extend(replicas(page));
    cards.extend(prune(page));
    cards
}

fn verified(page: &Page) -> Card {
    let name = "Last verification";
    match &page.verified.last {
        Some(last) => {
            let note = format!("{}: {}", date(last.verification.finished_at), extent(&last.verification));
            let is_damaged = page.is_damaged();
            let value = if is_damaged { "damage".to_owned() } else { result(&last.verification).to_lowercase() };
            Card { name, value, note }
        }
        None => Card { name, value: "none".to_owned(), note: "not on record on this host".to_owned() },
    }
}

fn replicas(page: &Page) -> Option<Card> {
    let current = page.replicas.iter().filter(|replica| replica.state == ReplicaState::Current).count();
    let all = page.replicas.len();
    let note = if current == all { "all of them current" } else { "current" };
    (all > 0).then(|| Card { name: "Replicas", value: format!("{current} of {all}"), note: note.to_owned() })
}

/// The nearest deadline of a month that is not archived.
fn prune(page: &Page) -> Option<Card> {
    let deadlines = page.datasets.iter().filter_map(|dataset| Some((dataset.status.prune?, &dataset.status.dataset)));
    let (prune, dataset) = deadlines.min_by_key(|(prune, _)| prune.at)?;
    let value = match prune.days {
        ..0 => "past".to_owned(),
        0 => "less than 1".to_owned(),
        days => thousands(days.unsigned_abs()),
    };
    let note = format!("{dataset} {} is pruned from {} on", prune.month, date(prune.at));
    Some(Card { name: "Days to prune", value, note })
}

//! [`Page`] -> HTML. Pure and deterministic: the same page has the same bytes.
//!
//! maud escapes text and closes tags. Values of the archive also pass through [`shown`].

mod activity;
mod attention;
mod backups;
mod chart;
mod coverage;
mod periods;
mod proof;
mod sizes;
mod summary;

use super::Page;
use archive_formats::{Timestamp, printable};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style sheet for light and dark screens and for print.
const STYLE: &str = include_str!("style.css");

/// Forbids loading and running anything, in case a value of the archive became markup.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Renders the page.
pub(crate) fn render(page: &Page) -> String {
    let title = format!("Archive report: {}", shown(&page.archive));
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#summary" { "Skip to the summary" }
                (summary::header(page))
                (contents(page.backups.is_some()))
                main {
                    (summary::summary(page))
                    (coverage::section(&page.datasets))
                    (activity::section(&page.datasets))
                    (sizes::section(&page.datasets))
                    (proof::sections(page))
                    @if let Some(backups) = &page.backups { (backups::section(backups)) }
                }
                (footer(page))
            }
        }
    };
    document.into_string() + "\n"
}

fn contents(has_backups: bool) -> Markup {
    let backups = has_backups.then_some(("backups", "Backups"));
    let sections = [
        ("summary", "Summary"),
        ("coverage", "Coverage"),
        ("activity", "Events a day"),
        ("sizes", "Sizes"),
        ("chain", "Chain head"),
        ("verification", "Verification"),
        ("replicas", "Replicas"),
    ];
    let sections = sections.into_iter().chain(backups);
    html! { nav aria-label="Sections" { ul { @for (id, name) in sections { li { a href=(format!("#{id}")) { (name) } } } } } }
}

fn footer(page: &Page) -> Markup {
    html! {
        footer {
            p {
                "Months, days and times are in UTC. Coverage, sizes and the chain come from the manifests of the archive; "
                "events a day are counted from its files, each after its bytes were compared with its digest. "
                "Of every file it was seen for this page that it is there with its size; the bytes of what was counted "
                "for an earlier page were not read again. "
                "This page proves nothing by itself: " code { "kt-archive verify" } " reads every byte and does."
            }
            p { "kt-archive " (page.version) ", " (time(page.made_at)) }
        }
    }
}

/// Wide content in a region that scrolls by itself, also with the keyboard.
fn scrolled(name: &str, content: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(name) tabindex="0" { (content) } }
}

#[cfg(test)]
mod testing {
    use archive::status::{MonthStatus, Presence};

    /// A month; if archived, with 10,000 events in 1 MiB.
    pub(super) fn month(month: &str, state: Presence) -> MonthStatus {
        let archived = state == Presence::Archived;
        MonthStatus {
            month: month.parse().unwrap(),
            state,
            events: archived.then_some(10_000),
            bytes: archived.then_some(1 << 20),
            source_bytes: None,
            rejected: None,
            committed_at: archived.then(|| "2025-05-01T02:03:04.567890Z".parse().unwrap()),
            sequence: archived.then_some(1),
            damaged: false,
        }
    }
}

/// Escapes hidden characters, which can make one value look like another.
pub(super) fn shown(text: &str) -> String {
    printable(text).into_owned()
}

/// Truncates `text` to a label of `most` characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let text = shown(text);
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `2025-04-10 03:00:00 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_seconds_string();
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) => format!("{date} {time} UTC"),
        None => text,
    }
}

#[cfg(test)]
mod tests;

//! Evidence: the chain, the last verification, and the replicas.

use super::{scrolled, shown, time};
use crate::page::{Page, Since, VerificationRecord, Verified};
use archive::{
    human::{self, count, size, thousands},
    replicate::{ReplicaState, ReplicaStatus},
    verify::{Finding, Severity, Verification},
};
use archive_formats::Head;
use maud::{Markup, html};

pub(super) fn sections(page: &Page) -> Markup {
    html! {
        section aria-labelledby="chain" {
            h2 id="chain" { "Chain head" }
            (chain(page))
        }
        section aria-labelledby="verification" {
            h2 id="verification" { "Last verification" }
            (verification(&page.verified))
            (known(page))
        }
        section aria-labelledby="replicas" {
            h2 id="replicas" { "Replicas" }
            (replicas(&page.replicas))
        }
    }
}

fn chain(page: &Page) -> Markup {
    html! {
        @match page.head {
            None => p { "Nothing is committed yet." },
            Some(Head { sequence, sha256 }) => {
                p {
                    "Every commit names the SHA-256 of the one before it, so this digest covers all of them. "
                    "Keep it to detect later whether the archive was truncated or replaced:"
                }
                code.command { "kt-archive verify --expect-head " (sequence) ":" (sha256) }
                dl.facts {
                    dt { "Manifest" } dd { (thousands(sequence)) }
                    dt { "SHA-256" } dd { code { (sha256) } }
                    @if let Some(at) = page.committed_at { dt { "Committed" } dd { (time(at)) } }
                    dt { "Archive" } dd { code { (shown(&page.uuid)) } }
                    dt { "Since" } dd { (time(page.created_at)) }
                }
            }
        }
    }
}

fn verification(verified: &Verified) -> Markup {
    let Some(last) = &verified.last else {
        return html! {
            p.warn { "No verification is on record on the host that made this page." }
            p { code { "kt-archive verify" } " reads the archive back and puts what it finds on record." }
        };
    };
    let whole = verified.whole.as_ref().filter(|whole| whole.verification != last.verification);
    html! {
        (details(last))
        @if let Some(whole) = whole {
            h3 { "Last verification of everything" }
            (details(whole))
        } @else if verified.whole.is_none() {
            p.warn { "No verification of every byte of every month is on record." }
        }
    }
}

/// Damage on record, also where the last verification did not look for it.
fn known(page: &Page) -> Markup {
    let records = [&page.verified.last, &page.verified.whole].into_iter().flatten();
    let shown = records.flat_map(|record| &record.verification.findings).collect::<Vec<_>>();
    let damage = page.damage.iter().filter(|damage| !shown.contains(damage)).cloned().collect::<Vec<_>>();
    html! {
        @if !damage.is_empty() {
            h3 { "Other known damage" }
            (table("Other known damage", &damage[..damage.len().min(MAX_LISTED)], damage.len() as u64))
        }
    }
}

/// Known damage that the page lists.
const MAX_LISTED: usize = 200;

fn details(record: &VerificationRecord) -> Markup {
    let Verification { finished_at, manifests, files, events, bytes, findings, .. } = &record.verification;
    let Verification { damage, warnings, .. } = &record.verification;
    let checked = [count(*manifests, "manifest"), count(*files, "file"), count(*events, "event"), size(*bytes)];
    html! {
        p class=(if *damage > 0 { "bad" } else { "good" }) { (result(&record.verification)) }
        dl.facts {
            dt { "When" } dd { (time(*finished_at)) }
            dt { "What" } dd { (extent(&record.verification)) }
            dt { "Checked" } dd { (checked.join(", ")) }
            dt { "Head" } dd {
                @match record.verification.head {
                    Some(head) => code { (head.sequence) ":" (head.sha256) },
                    None => "none",
                }
            }
            dt { "Since then" } dd { (since(record.since)) }
        }
        @if !findings.is_empty() { (table("Findings of the verification", findings, damage + warnings)) }
    }
}

/// The result of a verification as text.
pub(super) fn result(verification: &Verification) -> String {
    match (verification.damage, verification.warnings) {
        (0, 0) => "No findings".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (damage, 0) => format!("{} of damage", count(damage, "finding")),
        (damage, warnings) => format!("{} of damage, {}", count(damage, "finding"), count(warnings, "warning")),
    }
}

/// The level and the months of a verification as text.
pub(super) fn extent(verification: &Verification) -> String {
    human::extent(verification.level, verification.range)
}

fn since(since: Since) -> Markup {
    html! {
        @match since {
            Since::Commits(0) => "nothing was committed",
            Since::Commits(number) => (format!("{} came after it, not verified yet", count(number, "commit"))),
            Since::Gone => strong.bad { "the chain does not hold that head any more: it was cut back or exchanged" },
        }
    }
}

fn table(caption: &str, findings: &[Finding], all: u64) -> Markup {
    let shown_ones = findings.len() as u64;
    let table = html! {
        table {
            caption.aside { (caption) }
            thead { tr { @for title in ["Code", "Severity", "Object", "Finding"] { th scope="col" { (title) } } } }
            tbody {
                @for Finding { code, severity, path, message } in findings {
                    tr {
                        th scope="row" { (code.as_str()) }
                        td data-head="Severity" { @match severity { Severity::Damage => strong.bad { "damage" }, Severity::Warning => "warning" } }
                        td.wide data-head="Object" { code { (shown(path)) } }
                        td.wide data-head="Finding" { (shown(message)) }
                    }
                }
            }
        }
    };
    html! {
        (scrolled(caption, &table))
        @if all > shown_ones { p { "These are the first " (thousands(shown_ones)) " of " (thousands(all)) " findings." } }
    }
}

fn replicas(replicas: &[ReplicaStatus]) -> Markup {
    if replicas.is_empty() {
        return html! { p { "No replica was named for this page." } };
    }
    let table = html! {
        table {
            caption.aside { "Replicas of the archive" }
            thead { tr { @for title in ["Replica", "State", "Behind", "Note"] { th scope="col" { (title) } } } }
            tbody {
                @for replica in replicas {
                    tr {
                        th scope="row" { code { (shown(&replica.url)) } }
                        td data-head="State" { @match replica.state {
                            ReplicaState::Current => span.good { "current" },
                            ReplicaState::Behind => strong.warn { "behind" },
                            ReplicaState::Failed => strong.bad { "failed" },
                        } }
                        td data-head="Behind" { (replica.behind.map_or_else(|| "–".to_owned(), |behind| count(behind, "commit"))) }
                        td.wide data-head="Note" { @if let Some(error) = &replica.error { (shown(&error.message)) } }
                    }
                }
            }
        }
    };
    html! {
        p { "A replica that is current holds the archive’s chain. To check every byte, verify the replica." }
        (scrolled("Replicas of the archive", &table))
    }
}

//! Points that need attention, problems first.

use super::shown;
use crate::page::{DatasetPage, Page, Since};
use archive::{
    human::{count, date, month_ranges},
    replicate::ReplicaState,
    status::{DatasetStatus, PruneDeadline, Urgency},
};
use archive_formats::Timestamp;
use std::time::Duration;

/// A sentence with its weight. Points sort by weight, problems first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    pub(super) weight: Weight,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A problem.
    Bad,
    /// A note.
    Warn,
}

/// Maximum age of a verification: one a month, a few days late.
const MAX_VERIFICATION_AGE: Duration = Duration::from_secs(40 * 86_400);

/// All points, problems first.
pub(super) fn points(page: &Page) -> Vec<Point> {
    let mut points = page.datasets.iter().flat_map(dataset_points).collect::<Vec<_>>();
    points.extend(page.head.is_none().then(|| bad("no month is archived".to_owned())));
    points.extend(damage(page));
    points.extend(verification(page));
    points.extend(replicas(page));
    points.sort();
    points
}

fn bad(text: String) -> Point {
    Point { weight: Weight::Bad, text }
}

fn warn(text: String) -> Point {
    Point { weight: Weight::Warn, text }
}

fn dataset_points(dataset: &DatasetPage) -> Vec<Point> {
    let DatasetStatus { dataset: name, late, prune, .. } = &dataset.status;
    let gaps = month_ranges(dataset.status.missing());
    let missing = (!gaps.is_empty()).then(|| {
        let text = format!("{name}: missing {gaps}");
        if *late > 0 { bad(text) } else { warn(format!("{text}, over for less than three days")) }
    });
    let unread = |damaged: bool| {
        let months = dataset.activity.unread.keys().copied().filter(|month| dataset.is_damaged(*month) == damaged);
        Some(month_ranges(months)).filter(|months| !months.is_empty())
    };
    let damaged = unread(true).map(|months| bad(format!("{name}: files of {months} are damaged")));
    let uncounted = unread(false)
        .map(|months| warn(format!("{name}: {months} is archived in no format whose events can be counted")));
    let prune = prune.as_ref().and_then(|prune| deadline(name.as_str(), prune));
    [missing, damaged, uncounted, prune].into_iter().flatten().collect()
}

/// Days are relative to the time of the page, which may be read much later.
fn deadline(name: &str, prune: &PruneDeadline) -> Option<Point> {
    let weigh = match prune.urgency() {
        Urgency::Past => bad,
        Urgency::Soon => warn,
        Urgency::Later => return None,
    };
    Some(weigh(format!("{name}: {}", prune.sentence("after this page was made"))))
}

/// What is damaged stays on the page until a verification as thorough as the one that found it clears it.
fn damage(page: &Page) -> Vec<Point> {
    let known = page.damage.len() as u64;
    let damaged = (known > 0).then(|| {
        let are = if known == 1 { "is" } else { "are" };
        bad(format!("{} of the archive {are} damaged or missing, listed below", count(known, "object")))
    });
    let unlooked = page.unlooked.as_ref();
    let unlooked = unlooked.map(|failure| bad(format!("the files were not looked at: {}", shown(&failure.message))));
    damaged.into_iter().chain(unlooked).collect()
}

fn verification(page: &Page) -> Vec<Point> {
    let Some(last) = &page.verified.last else {
        return vec![warn("no verification is on record on this host".to_owned())];
    };
    let mut points = Vec::new();
    points.extend(page.verified.is_more_damaged.then(|| bad("more damage is on record than can be listed".to_owned())));
    if last.since == Since::Gone || page.verified.whole.as_ref().is_some_and(|whole| whole.since == Since::Gone) {
        points.push(bad("the chain does not hold the head of the last verification any more".to_owned()));
    }
    points.extend(match &page.verified.whole {
        None => Some(warn("no verification of every byte of every month is on record".to_owned())),
        Some(whole) if is_old(whole.verification.finished_at, page.made_at) => {
            Some(warn(format!("everything was last verified on {}", date(whole.verification.finished_at))))
        }
        Some(_) => None,
    });
    points
}

fn is_old(at: Timestamp, now: Timestamp) -> bool {
    at.plus(MAX_VERIFICATION_AGE) < now
}

fn replicas(page: &Page) -> Vec<Point> {
    let points = page.replicas.iter().filter_map(|replica| {
        let url = shown(&replica.url);
        match replica.state {
            ReplicaState::Current => None,
            ReplicaState::Behind => Some(warn(format!(
                "the replica {url} is {} behind",
                count(replica.behind.unwrap_or_default(), "commit")
            ))),
            ReplicaState::Failed => {
                let why =
                    replica.error.as_ref().map_or_else(String::new, |error| format!(": {}", shown(&error.message)));
                Some(bad(format!("the replica {url} cannot be compared with the archive{why}")))
            }
        }
    });
    points.collect()
}

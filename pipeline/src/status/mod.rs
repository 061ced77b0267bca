//! The state of an archive: archived and missing months.

pub mod calendar;
mod check;
pub(crate) mod report;
mod text;

#[cfg(test)]
pub(crate) use report::testing;
pub use report::{
    DatasetStatus, LastVerification, Layout, MonthStatus, Presence, PruneDeadline, StatusReport, Totals, Urgency,
};

use crate::{
    Archive,
    backup::backup_status,
    plan::Rules,
    provenance::{self, EventSource},
    replicate,
    settings::Settings,
    verify::KnownDamage,
};
use archive_connectors::{Clock, ErrorKind, Result};
use archive_formats::{Chain, Dataset, Entry, Month, Timestamp};
use serde_json::Value;
use std::time::Duration;

/// The parameters of `status`.
#[derive(Clone, Debug, Default)]
pub struct StatusRequest {
    /// First month; default: the first archived one.
    pub from: Option<Month>,
    /// Last month; default: the last one that is over.
    pub to: Option<Month>,
    /// Datasets; empty for all.
    pub datasets: Vec<Dataset>,
    /// Text layout of the months.
    pub layout: Layout,
    /// Whether the exit code tells of damage and gaps.
    pub is_check: bool,
    /// Whether a named dataset that the archive does not have is a mistake.
    pub refuses_unknown: bool,
    /// Whether there may be no archive, since backups alone are asked for.
    pub may_lack_archive: bool,
}

/// Time after which a missing month counts as late: a cron job tries on the first three days.
const LATE_AFTER: Duration = Duration::from_secs(3 * 86_400);
const DAY: i64 = 86_400_000_000;

/// Reads the state of the archive of `settings`, and of its replicas. An unreadable replica is not an error.
pub async fn status(settings: &Settings, request: &StatusRequest, clock: &dyn Clock) -> Result<StatusReport> {
    replicate::check_options(&settings.replicas)?;
    let backups = backup_status(settings, clock.now()).await;
    let archive = match Archive::open(&settings.archive).await {
        Err(error) if error.kind() == ErrorKind::NoArchive && request.may_lack_archive && backups.is_some() => {
            return Ok(StatusReport { backups, is_check: request.is_check, ..StatusReport::default() });
        }
        opened => opened?,
    };
    if request.refuses_unknown {
        archive.expect_datasets(&request.datasets)?;
    }
    let known = KnownDamage::of(&archive, settings).await;
    Ok(StatusReport {
        archive: Some(archive.url().to_owned()),
        head: archive.head(),
        datasets: datasets(archive.chain(), request, settings, clock.now(), &known)?,
        replicas: replicate::replica_statuses(&archive, settings).await,
        backups,
        verification: known.verifications.last.as_ref().map(LastVerification::from),
        is_more_damaged: known.verifications.unlisted.is_some(),
        damage: known.findings,
        unlooked: known.unlooked,
        layout: request.layout,
        is_check: request.is_check,
    })
}

/// The state of every requested month of `chain` at `now`, of which this damage is `known`.
pub fn datasets(
    chain: &Chain,
    request: &StatusRequest,
    settings: &Settings,
    now: Timestamp,
    known: &KnownDamage,
) -> Result<Vec<DatasetStatus>> {
    let (formats, retention) = (settings.formats.clone(), settings.monitoring.platform_retention);
    let rules = &Rules { formats, transforms: Vec::new(), grace: settings.grace, now };
    let wanted = |dataset: &&Dataset| request.datasets.is_empty() || request.datasets.contains(dataset);
    // A requested dataset is shown even if none of its months is archived.
    let datasets = chain.datasets().into_iter().filter(wanted).chain(&request.datasets);
    let datasets = datasets.collect::<std::collections::BTreeSet<_>>();
    let datasets = datasets.into_iter().map(|dataset| {
        let months = range(chain, dataset, request, rules)?.map(|month| MonthStatus {
            damaged: known.concerns(dataset, month),
            ..month_status(chain, dataset, month, rules)
        });
        let months = months.collect::<Vec<_>>();
        let late = months.iter().filter(|month| month.state == Presence::Missing && is_late(month.month, rules.now));
        Ok(DatasetStatus {
            dataset: dataset.clone(),
            sources: provenance::sources(chain, dataset).into_iter().map(EventSource::from).collect(),
            late: late.count() as u64,
            complete_until: chain.span(dataset).map(|(first, _)| gap(chain, dataset, first).window().from()),
            prune: retention.map(|retention| prune_deadline(chain, dataset, retention, rules)).transpose()?,
            months,
        })
    });
    datasets.collect()
}

fn is_late(month: Month, now: Timestamp) -> bool {
    month.window().to().plus(LATE_AFTER) <= now
}

/// Independent of the requested range: the deadline applies to the dataset.
fn prune_deadline(chain: &Chain, dataset: &Dataset, retention: Duration, rules: &Rules) -> Result<PruneDeadline> {
    let first = chain.span(dataset).map_or(rules.last_closed()?, |(first, _)| first);
    let month = gap(chain, dataset, first);
    let at = month.window().from().plus(retention);
    Ok(PruneDeadline { month, at, days: (at.as_micros() - rules.now.as_micros()).div_euclid(DAY) })
}

/// The first month from `month` on that is not archived.
fn gap(chain: &Chain, dataset: &Dataset, mut month: Month) -> Month {
    while chain.month(dataset, month).is_some() {
        month = month.next();
    }
    month
}

fn range(
    chain: &Chain,
    dataset: &Dataset,
    request: &StatusRequest,
    rules: &Rules,
) -> Result<impl Iterator<Item = Month>> {
    let last_closed = rules.last_closed()?;
    let (first, last) = chain.span(dataset).unwrap_or((last_closed.next(), last_closed));
    let to = request.to.unwrap_or_else(|| last.max(last_closed));
    Ok(Month::range(request.from.unwrap_or_else(|| first.min(to.next())), to))
}

fn month_status(chain: &Chain, dataset: &Dataset, month: Month, rules: &Rules) -> MonthStatus {
    match chain.month(dataset, month) {
        Some(entry) => MonthStatus {
            month,
            state: Presence::Archived,
            events: Some(entry.manifest.events.archived),
            bytes: Some(entry.manifest.bytes()),
            rejected: Some(entry.manifest.events.rejected),
            source_bytes: source_bytes(entry),
            committed_at: Some(entry.manifest.committed_at),
            sequence: Some(entry.manifest.sequence),
            damaged: false,
        },
        None => MonthStatus {
            month,
            state: if rules.is_closed(month) { Presence::Missing } else { Presence::Open },
            events: None,
            bytes: None,
            rejected: None,
            source_bytes: None,
            committed_at: None,
            sequence: None,
            damaged: false,
        },
    }
}

/// Bytes delivered by the exports API, as recorded in the manifest.
fn source_bytes(entry: &Entry) -> Option<u64> {
    let jobs = entry.manifest.source.detail.get("jobs").and_then(Value::as_array)?;
    let bytes = jobs.iter().map(|job| job.get("artifact_bytes").and_then(Value::as_u64));
    bytes.sum::<Option<u64>>().filter(|bytes| *bytes > 0)
}

//! The metrics of a run and of its archive.

use super::{super::Finished, Family, Sample, Value};
use crate::{
    replicate::ReplicaStatus,
    run::{MonthReport, MonthState},
    status::{DatasetStatus, StatusReport, Totals},
    verify::KnownDamage,
};
use archive_formats::{Timestamp, manifest::EventCounts};
use std::collections::BTreeSet;

/// The input of all metrics, at the end of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot<'a> {
    /// The archive's URL, without secrets.
    pub(crate) archive: &'a str,
    pub(crate) finished: &'a Finished,
    /// The end of the last successful run, this one or an earlier one, if known.
    pub(crate) last_success: Option<Timestamp>,
    /// The state of the archive after the run; `None` if it could not be read.
    pub(crate) status: Option<&'a StatusReport>,
}

/// Every metric that has a value, in a fixed order.
pub(crate) fn families(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let mut families = attempt(snapshot);
    families.extend(run(snapshot));
    families.extend(snapshot.status.into_iter().flat_map(archive));
    families.retain(|family| !family.samples.is_empty());
    families
}

/// Start of the last attempt. Written before the work, so that killed and stuck runs show.
pub(super) const LAST_ATTEMPT: &str = "kt_archive_last_attempt_timestamp_seconds";
/// Exit code of the last attempt; absent while it runs.
pub(super) const EXIT_CODE: &str = "kt_archive_last_attempt_exit_code";
/// End of the last successful attempt; failed attempts keep it.
pub(super) const LAST_SUCCESS: &str = "kt_archive_last_success_timestamp_seconds";

fn attempt(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let &Snapshot { archive, finished, last_success, .. } = snapshot;
    let success = last_success.map(|at| Sample::new(archive, at));
    vec![
        Family {
            name: "kt_archive_info",
            help: "The version of kt-archive that wrote these metrics; always 1.",
            samples: vec![Sample::new(archive, 1).with("version", env!("CARGO_PKG_VERSION"))],
        },
        Family {
            name: LAST_SUCCESS,
            help: "When the last run or backfill with exit code 0 ended, in seconds since 1970.",
            samples: success.into_iter().collect(),
        },
        last_attempt(archive, finished.attempt.started),
        exit_code(archive, finished.exit.code()),
    ]
}

/// The metric of an attempt that begins.
pub(super) fn last_attempt(archive: &str, at: Timestamp) -> Family {
    Family {
        name: LAST_ATTEMPT,
        help: "When the last run or backfill began, in seconds since 1970.",
        samples: vec![Sample::new(archive, at)],
    }
}

/// The metric of an attempt that ended.
pub(super) fn exit_code(archive: &str, exit: u8) -> Family {
    Family {
        name: EXIT_CODE,
        help: "Exit code of the last run or backfill; absent while it runs, and after it was killed.",
        samples: vec![Sample::new(archive, u64::from(exit))],
    }
}

fn run(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let (archive, finished) = (snapshot.archive, snapshot.finished);
    let duration = finished.ended.distance(finished.attempt.started).as_secs_f64();
    let stages = finished
        .work
        .stages
        .iter()
        .map(|(stage, time)| Sample::new(archive, Value::Real(time.as_secs_f64())).with("stage", stage.name()));
    let retries = finished.work.retries;
    let retries = [("source", retries.source), ("store", retries.store)];
    let mut families = vec![
        Family {
            name: "kt_archive_run_duration_seconds",
            help: "How long the last run or backfill took.",
            samples: vec![Sample::new(archive, Value::Real(duration))],
        },
        Family {
            name: "kt_archive_run_stage_seconds",
            help: "Time that months of the last run spent in each stage, summed over concurrent months.",
            samples: stages.collect(),
        },
        Family {
            name: "kt_archive_run_retries",
            help: "Calls that the last run retried, to the source or to the stores of archive and replicas.",
            samples: retries.map(|(server, count)| Sample::new(archive, count).with("server", server)).to_vec(),
        },
    ];
    families.extend(finished.report.iter().flat_map(|report| months(snapshot, &report.months)));
    families
}

fn months(snapshot: &Snapshot<'_>, months: &[MonthReport]) -> Vec<Family> {
    // A dataset without work has zeros, so that its graphs have no gaps.
    let known = snapshot.status.into_iter().flat_map(|status| &status.datasets).map(|status| &status.dataset);
    let datasets = months.iter().map(|month| &month.dataset).chain(known).collect::<BTreeSet<_>>();
    let sum = |of: &dyn Fn(&MonthReport) -> u64| {
        let samples = datasets.iter().map(|dataset| {
            let total = months.iter().filter(|month| month.dataset == **dataset).map(of).sum::<u64>();
            Sample::new(snapshot.archive, total).with("dataset", dataset.as_str())
        });
        samples.collect::<Vec<_>>()
    };
    let is = |state: MonthState| move |month: &MonthReport| u64::from(month.state == state);
    let archived = is(MonthState::Archived);
    let events = |of: fn(&EventCounts) -> u64| {
        move |month: &MonthReport| month.events.as_ref().map_or(0, |events| archived(month) * of(events))
    };
    vec![
        Family {
            name: "kt_archive_run_months_archived",
            help: "Months that the last run committed.",
            samples: sum(&archived),
        },
        Family {
            name: "kt_archive_run_months_failed",
            help: "Months that the last run could not commit.",
            samples: sum(&is(MonthState::Failed)),
        },
        Family {
            name: "kt_archive_run_events",
            help: "Events that the last run archived.",
            samples: sum(&events(|events| events.archived)),
        },
        Family {
            name: "kt_archive_run_rejected_rows",
            help: "Rows that the last run rejected in the months that it committed.",
            samples: sum(&events(|events| events.rejected)),
        },
        Family {
            name: "kt_archive_run_bytes",
            help: "Size of the files that the last run committed.",
            samples: sum(&|month| archived(month) * month.bytes),
        },
    ]
}

fn archive(status: &StatusReport) -> Vec<Family> {
    let head = status.head.as_ref().map_or(0, |head| head.sequence);
    let mut families = vec![Family {
        name: "kt_archive_head_sequence",
        help: "Number of the archive's last manifest; 0 while there is none.",
        samples: vec![Sample::new(status.archive(), head)],
    }];
    families.extend(evidence(status.archive(), &Evidence::from(status)));
    families.extend(datasets(status));
    families.extend(replicas(status));
    families
}

/// What is known of damage, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Number of damaged objects, if it is known.
    damaged: Option<u64>,
    /// When the last verification ended.
    verified_at: Option<Timestamp>,
}

impl Evidence {
    /// An archive that was not looked at has no number of zero, which would reassure.
    fn new(damaged: usize, is_looked_at: bool, verified_at: Option<Timestamp>) -> Self {
        Self { damaged: Some(damaged as u64).filter(|damaged| is_looked_at || *damaged > 0), verified_at }
    }
}

impl From<&StatusReport> for Evidence {
    fn from(status: &StatusReport) -> Self {
        let verified_at = status.verification.map(|last| last.finished_at);
        Self::new(status.damage.len(), status.unlooked.is_none(), verified_at)
    }
}

impl From<&KnownDamage> for Evidence {
    fn from(known: &KnownDamage) -> Self {
        let verified_at = known.verifications.last.as_ref().map(|last| last.finished_at);
        Self::new(known.findings.len(), known.unlooked.is_none(), verified_at)
    }
}

/// Objects that are known to be damaged.
pub(super) const DAMAGED: &str = "kt_archive_damaged_objects";
/// End of the last verification.
pub(super) const LAST_VERIFICATION: &str = "kt_archive_last_verification_timestamp_seconds";

/// The metrics of what is known of damage.
pub(super) fn evidence(archive: &str, evidence: &Evidence) -> Vec<Family> {
    let damage = evidence.damaged.map(|damaged| Sample::new(archive, damaged));
    let verification = evidence.verified_at.map(|at| Sample::new(archive, at));
    vec![
        Family {
            name: DAMAGED,
            help: "Objects that are missing or have another size now, or were found damaged and not verified since.",
            samples: damage.into_iter().collect(),
        },
        Family {
            name: LAST_VERIFICATION,
            help: "When the last verification on this host ended, in seconds since 1970.",
            samples: verification.into_iter().collect(),
        },
    ]
}

fn datasets(status: &StatusReport) -> Vec<Family> {
    let each = |of: &dyn Fn(&DatasetStatus) -> Option<Value>| {
        let samples = status.datasets.iter().filter_map(|dataset| {
            Some(Sample::new(status.archive(), of(dataset)?).with("dataset", dataset.dataset.as_str()))
        });
        samples.collect::<Vec<_>>()
    };
    let total = |of: fn(&Totals) -> u64| each(&|dataset| Some(of(&dataset.totals()).into()));
    vec![
        Family {
            name: "kt_archive_months_archived",
            help: "Months that are archived.",
            samples: total(|totals| totals.archived),
        },
        Family {
            name: "kt_archive_months_missing",
            help: "Months since the first archived one that have ended and are not archived.",
            samples: total(|totals| totals.missing),
        },
        Family {
            name: "kt_archive_months_late",
            help: "Missing months that ended at least three days ago.",
            samples: each(&|dataset| Some(dataset.late.into())),
        },
        Family {
            name: "kt_archive_complete_until_timestamp_seconds",
            help: "End of the months archived without a gap since the first one, in seconds since 1970.",
            samples: each(&|dataset| dataset.complete_until.map(Value::from)),
        },
        Family {
            name: "kt_archive_prune_timestamp_seconds",
            help: "When the platform begins to prune the oldest month that is not archived, in seconds since 1970.",
            samples: each(&|dataset| dataset.prune.map(|prune| prune.at.into())),
        },
        Family { name: "kt_archive_events", help: "Events in the archive.", samples: total(|totals| totals.events) },
        Family {
            name: "kt_archive_rejected_rows",
            help: "Rejected rows, which are kept beside their months.",
            samples: total(|totals| totals.rejected),
        },
        Family {
            name: "kt_archive_bytes",
            help: "Size of the archive's files.",
            samples: total(|totals| totals.bytes),
        },
    ]
}

fn replicas(status: &StatusReport) -> Vec<Family> {
    let each = |of: fn(&ReplicaStatus) -> Option<u64>| {
        let samples = status.replicas.iter().filter_map(|replica| {
            Some(Sample::new(status.archive(), of(replica)?).with("replica", replica.url.as_str()))
        });
        samples.collect::<Vec<_>>()
    };
    vec![
        Family {
            name: "kt_archive_replica_usable",
            help: "Whether the replica is reachable and belongs to this archive: 1 or 0.",
            samples: each(|replica| Some(replica.error.is_none().into())),
        },
        Family {
            name: "kt_archive_replica_behind_manifests",
            help: "Manifests of the archive that the replica lacks.",
            samples: each(|replica| replica.behind),
        },
    ]
}

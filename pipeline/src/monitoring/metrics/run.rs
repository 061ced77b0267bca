//! What the last run did, and how long it took.

use super::{Family, Sample, Snapshot, Value};
use crate::report::{MonthReport, MonthState};
use archive_formats::manifest::EventCounts;
use std::collections::BTreeSet;

pub(super) fn families(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let (archive, finished) = (snapshot.archive, snapshot.finished);
    let duration = finished.ended.distance(finished.attempt.started).as_secs_f64();
    let stages = finished
        .work
        .stages
        .iter()
        .map(|(stage, time)| Sample::of(archive, Value::Real(time.as_secs_f64())).with("stage", stage.name()));
    let retries = finished.work.retries;
    let retries = [("source", retries.source), ("store", retries.store)];
    let mut families = vec![
        Family {
            name: "kt_archive_run_duration_seconds",
            help: "How long the last run or backfill took.",
            samples: vec![Sample::of(archive, Value::Real(duration))],
        },
        Family {
            name: "kt_archive_run_stage_seconds",
            help: "How long months were in each stage of the last run; months that were in it at once are added up.",
            samples: stages.collect(),
        },
        Family {
            name: "kt_archive_run_retries",
            help: "Calls that the last run had to repeat, to the source or to the stores of archive and replicas.",
            samples: retries.map(|(server, count)| Sample::of(archive, count).with("server", server)).to_vec(),
        },
    ];
    families.extend(finished.report.iter().flat_map(|report| months(snapshot, &report.months)));
    families
}

fn months(snapshot: &Snapshot<'_>, months: &[MonthReport]) -> Vec<Family> {
    // A dataset of which nothing was to be done has zeros, so that no line of a graph ends.
    let standing = snapshot.status.into_iter().flat_map(|status| &status.datasets).map(|status| &status.dataset);
    let datasets = months.iter().map(|month| &month.dataset).chain(standing).collect::<BTreeSet<_>>();
    let sum = |of: &dyn Fn(&MonthReport) -> u64| {
        let samples = datasets.iter().map(|dataset| {
            let total = months.iter().filter(|month| month.dataset == **dataset).map(of).sum::<u64>();
            Sample::of(snapshot.archive, total).with("dataset", dataset.as_str())
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
            help: "Rows that the last run could not read as events, and kept beside the months that it committed.",
            samples: sum(&events(|events| events.rejected)),
        },
        Family {
            name: "kt_archive_run_bytes",
            help: "Size of the files that the last run committed.",
            samples: sum(&|month| archived(month) * month.bytes),
        },
    ]
}

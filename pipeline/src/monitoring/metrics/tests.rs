use super::*;
use crate::{
    replicate::{ReplicaState, ReplicaStatus},
    run::{MonthReport, MonthState, RunReport},
    status::{DatasetStatus, MonthStatus, Presence, PruneDeadline},
};
use archive_connectors::progress::Step;
use archive_formats::{Head, Sha256, manifest::EventCounts};
use std::collections::BTreeSet;

const ARCHIVE: &str = "/srv/archive";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_lenient(text).unwrap()
}

fn failure(exit: ExitCode) -> Failure {
    Failure { message: "no answer".to_owned(), hint: "do this".to_owned(), exit }
}

fn worked_on(dataset: &str, month: &str, state: MonthState) -> MonthReport {
    let events = EventCounts { read: 105, archived: 100, rejected: 5, ..EventCounts::default() };
    MonthReport {
        dataset: dataset.parse().unwrap(),
        month: month.parse().unwrap(),
        state,
        sequence: None,
        manifest_sha256: None,
        events: (state != MonthState::Failed).then_some(events),
        files: 1,
        bytes: 1_000,
        seconds: 1.0,
        error: None,
        is_tried: true,
    }
}

fn finished(months: Option<Vec<MonthReport>>) -> Finished {
    let report = |months| RunReport { archive: Some(ARCHIVE.to_owned()), months, ..RunReport::default() };
    Finished {
        attempt: Attempt { command: "run", tier: crate::monitoring::Tier::Events, started: at("2025-04-01T04:00:00Z") },
        ended: at("2025-04-01T04:01:30Z"),
        exit: ExitCode::Partial,
        error: None,
        report: months.map(report),
        summary: None,
        work: Work {
            stages: vec![(Step::Wait, Duration::from_millis(1_500))],
            retries: RetryCounts { source: 2, store: 3 },
        },
    }
}

fn month_status(month: &str, state: Presence) -> MonthStatus {
    let archived = state == Presence::Archived;
    MonthStatus {
        month: month.parse().unwrap(),
        state,
        events: archived.then_some(100),
        bytes: archived.then_some(1_000),
        rejected: archived.then_some(5),
        source_bytes: None,
        committed_at: None,
        sequence: None,
        damaged: false,
    }
}

fn status() -> StatusReport {
    let events = DatasetStatus {
        dataset: "events".parse().unwrap(),
        sources: Vec::new(),
        months: vec![
            month_status("2025-01", Presence::Archived),
            month_status("2025-02", Presence::Missing),
            month_status("2025-03", Presence::Archived),
            month_status("2025-04", Presence::Open),
        ],
        late: 1,
        complete_until: Some(at("2025-02-01")),
        prune: Some(PruneDeadline { month: "2025-02".parse().unwrap(), at: at("2026-02-01"), days: 306 }),
    };
    let new = DatasetStatus {
        dataset: "traces".parse().unwrap(),
        sources: Vec::new(),
        months: Vec::new(),
        late: 0,
        complete_until: None,
        prune: None,
    };
    let replica = |url: &str, behind: Option<u64>| ReplicaStatus {
        url: url.to_owned(),
        state: ReplicaState::Current,
        behind,
        error: behind.is_none().then(|| failure(ExitCode::Store)),
    };
    StatusReport {
        archive: Some(ARCHIVE.to_owned()),
        head: Some(Head { sequence: 2, sha256: Sha256::digest(b"abc") }),
        datasets: vec![events, new],
        replicas: vec![replica("s3://copy/a", Some(1)), replica("/mnt/nas", None)],
        ..StatusReport::default()
    }
}

/// Each sample as `name{labels without archive} value`.
fn rendered(finished: &Finished, status: Option<&StatusReport>) -> Vec<String> {
    let last_success = Some(at("2025-03-01T04:00:00.5Z"));
    let families = families(&Snapshot { archive: ARCHIVE, finished, last_success, status });
    let names = families.iter().map(|family| family.name).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), families.len(), "names are unique");
    let samples = families.iter().flat_map(|family| {
        assert!(family.help.ends_with('.'), "{}", family.help);
        family.samples.iter().map(|sample| {
            assert_eq!(sample.labels[0], ("archive", ARCHIVE.to_owned()), "{}", family.name);
            let labels = sample.labels[1..].iter().map(|(label, value)| format!("{label}={value}"));
            let labels = labels.collect::<Vec<_>>().join(",");
            format!("{}{{{labels}}} {}", family.name.strip_prefix("kt_archive_").unwrap(), sample.value)
        })
    });
    samples.collect()
}

#[track_caller]
fn assert_contains(found: &[String], expected: &[&str]) {
    for line in expected {
        assert!(found.iter().any(|found| found == line), "no {line} in {found:#?}");
    }
}

#[test]
fn run_metrics_are_by_dataset() {
    let months = vec![
        worked_on("events", "2025-01", MonthState::Already),
        worked_on("events", "2025-02", MonthState::Failed),
        worked_on("events", "2025-03", MonthState::Archived),
        worked_on("escalations", "2025-03", MonthState::Archived),
    ];
    let found = rendered(&finished(Some(months)), None);
    assert_contains(
        &found,
        &[
            "last_success_timestamp_seconds{} 1740801600.5",
            "last_attempt_timestamp_seconds{} 1743480000",
            "last_attempt_exit_code{} 3",
            "run_duration_seconds{} 90",
            "run_stage_seconds{stage=wait} 1.5",
            "run_retries{server=source} 2",
            "run_retries{server=store} 3",
            "run_months_archived{dataset=events} 1",
            "run_months_archived{dataset=escalations} 1",
            "run_months_failed{dataset=events} 1",
            "run_months_failed{dataset=escalations} 0",
            "run_events{dataset=events} 100",
            "run_rejected_rows{dataset=events} 5",
            "run_bytes{dataset=events} 1000",
        ],
    );
}

#[test]
fn archive_metrics_are_by_dataset_and_replica() {
    let found = rendered(&finished(Some(Vec::new())), Some(&status()));
    assert_contains(
        &found,
        &[
            "head_sequence{} 2",
            "months_archived{dataset=events} 2",
            "months_archived{dataset=traces} 0",
            "months_missing{dataset=events} 1",
            "months_late{dataset=events} 1",
            "complete_until_timestamp_seconds{dataset=events} 1738368000",
            "prune_timestamp_seconds{dataset=events} 1769904000",
            "events{dataset=events} 200",
            "rejected_rows{dataset=events} 10",
            "bytes{dataset=events} 2000",
            "replica_usable{replica=s3://copy/a} 1",
            "replica_usable{replica=/mnt/nas} 0",
            "replica_behind_manifests{replica=s3://copy/a} 1",
            // The run had no work for this dataset.
            "run_months_archived{dataset=traces} 0",
        ],
    );
    for unknown in ["replica_behind_manifests{replica=/mnt/nas", "complete_until_timestamp_seconds{dataset=traces"] {
        assert!(!found.iter().any(|line| line.starts_with(unknown)), "{found:#?}");
    }
}

#[test]
fn run_without_report_has_no_metrics_of_months_or_archive() {
    let found = rendered(&finished(None), None);
    let names = found.iter().map(|line| line.split('{').next().unwrap()).collect::<BTreeSet<_>>();
    let expected = [
        "info",
        "last_attempt_exit_code",
        "last_attempt_timestamp_seconds",
        "last_success_timestamp_seconds",
        "run_duration_seconds",
        "run_retries",
        "run_stage_seconds",
    ];
    assert_eq!(names, BTreeSet::from(expected));
}

use super::*;
use archive_formats::{
    Sha256,
    manifest::{CommitKind, DataFile, EventCounts, FORMAT, Link, SourceRecord, Tool},
};

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn events() -> Dataset {
    "events".parse().unwrap()
}

fn rules(now: &str) -> Rules {
    let formats = [FileFormat::Parquet].into();
    Rules { formats, transforms: Vec::new(), grace: Duration::from_secs(3600), now: now.parse().unwrap() }
}

fn backfill(from: &str, to: &str) -> Request {
    Request::Backfill { from: month(from), to: month(to), dry_run: false }
}

/// A chain in which these months of events are committed as Parquet.
fn chain(months: &[&str]) -> Chain {
    let mut chain = Chain::new("a".to_owned());
    for name in months {
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            archive: "a".to_owned(),
            sequence: chain.next_sequence(),
            previous: chain.head().map(|head| Link { sequence: head.sequence, sha256: head.sha256 }),
            kind: CommitKind::Month,
            dataset: events(),
            month: month(name),
            window: month(name).window(),
            committed_at: month(name).window().to(),
            source_clock: None,
            tool: Tool { name: "kt-archive".to_owned(), version: "0".to_owned() },
            source: SourceRecord { kind: "demo".to_owned(), url: "demo:".to_owned(), detail: Value::Null },
            schema: None,
            transforms: Vec::new(),
            events: EventCounts { read: 1, archived: 1, ..EventCounts::default() },
            files: vec![DataFile {
                path: "p".to_owned(),
                format: FileFormat::Parquet,
                rows: 1,
                bytes: 1,
                sha256: Sha256::of(b""),
                first: None,
                last: None,
            }],
        };
        chain.push(Entry { sha256: Sha256::of(&manifest.to_bytes()), manifest }).unwrap();
    }
    chain
}

fn planned(request: Request, committed: &[&str], now: &str) -> Vec<(String, Action)> {
    let planned = plan(request, &events(), Some(&chain(committed)), &rules(now)).unwrap();
    planned.into_iter().map(|planned| (planned.month.to_string(), planned.action)).collect()
}

#[test]
fn a_first_run_archives_the_last_calendar_month() {
    for (now, expected) in [
        ("2025-03-30T12:00:00Z", "2025-02"),
        ("2025-03-31T23:59:59Z", "2025-02"),
        ("2025-05-31T12:00:00Z", "2025-04"),
        ("2025-01-01T04:00:00Z", "2024-12"),
        ("2024-03-29T00:00:00Z", "2024-02"),
    ] {
        assert_eq!(planned(Request::Due, &[], now), [(expected.to_owned(), Action::Archive)], "at {now}");
    }
}

#[test]
fn a_run_closes_the_gaps_since_the_first_archived_month() {
    let plan = planned(Request::Due, &["2025-01", "2025-03"], "2025-06-02T00:00:00Z");
    let expected = ["2025-02", "2025-04", "2025-05"].map(|month| (month.to_owned(), Action::Archive));
    assert_eq!(plan, expected);
}

#[test]
fn a_run_says_that_the_last_month_is_there_already() {
    let plan = planned(Request::Due, &["2025-01", "2025-02"], "2025-03-02T00:00:00Z");
    assert_eq!(plan, [("2025-02".to_owned(), Action::Nothing)]);
}

#[test]
fn a_month_that_ended_within_the_grace_period_waits_when_it_is_due() {
    let plan = planned(Request::Due, &[], "2025-03-01T00:59:59Z");
    assert_eq!(plan, [("2025-02".to_owned(), Action::Wait)]);
    let plan = planned(Request::Due, &[], "2025-03-01T01:00:00Z");
    assert_eq!(plan, [("2025-02".to_owned(), Action::Archive)]);
}

#[test]
fn a_month_that_is_not_over_is_refused_when_it_is_named() {
    for name in ["2025-02", "2025-03", "2030-01"] {
        let request = Request::Month(month(name));
        let error = plan(request, &events(), Some(&chain(&[])), &rules("2025-03-01T00:30:00Z")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
    }
    let range = backfill("2025-01", "2025-02");
    assert!(plan(range, &events(), Some(&chain(&[])), &rules("2025-02-15T00:00:00Z")).is_err());
}

#[test]
fn a_backfill_asks_only_for_what_is_missing() {
    let range = backfill("2025-01", "2025-03");
    let actions = planned(range, &["2025-02"], "2025-05-01T00:00:00Z").into_iter().map(|(_, action)| action);
    assert_eq!(actions.collect::<Vec<_>>(), [Action::Archive, Action::Nothing, Action::Archive]);
}

#[test]
fn a_format_that_a_committed_month_lacks_is_named() {
    let rules = Rules { formats: [FileFormat::Parquet, FileFormat::Csv].into(), ..rules("2025-05-01T00:00:00Z") };
    let error = plan(Request::Month(month("2025-02")), &events(), Some(&chain(&["2025-02"])), &rules).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("without the format csv"), "{error}");
}

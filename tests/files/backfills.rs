//! A file that holds several months serves a backfill of them.

use super::{Desk, ids, months};
use crate::support::{
    archive::sha256,
    events::{self, Event},
    platform::gzip,
};
use serde_json::json;

const MONTHS: [&str; 3] = ["2025-01", "2025-02", "2025-03"];

#[track_caller]
fn assert_all(desk: &Desk, events: &[Event]) {
    let archive = desk.archive();
    archive.check();
    assert_eq!(archive.months(), MONTHS);
    for month in MONTHS {
        assert_eq!(archive.ids(month), ids(events, month), "{month}");
        let counts = &archive.month(month)["events"];
        let archived = ids(events, month).len();
        assert_eq!(counts["read"], events.len());
        assert_eq!(counts["source_count"], events.len());
        assert_eq!(counts["outside_window"], events.len() - archived);
    }
}

#[test]
fn one_file_of_several_months_becomes_these_months() {
    let events = months(&MONTHS, 400);
    let bytes = events::csv(&events);
    let desk = Desk::new(&[("events.csv", bytes.clone())]);
    desk.backfill("events.csv", "2025-01", "2025-03").expect(0);
    assert_all(&desk, &events);
    let source = desk.archive().month("2025-02")["source"].clone();
    let file = json!({
        "name": "events.csv", "kind": "csv", "gzip": false, "bytes": bytes.len(), "sha256": sha256(&bytes), "rows": 1200,
    });
    assert_eq!(source, json!({"type": "file", "url": "exports/events.csv", "detail": {"files": [file]}}));
}

#[test]
fn a_large_file_whose_months_are_mixed_is_cut_into_its_months() {
    // Several chunks, and every one of them with events of all months.
    let mut events = months(&MONTHS, 9000);
    events.sort_by_key(|event| sha256(event.id().as_bytes()));
    let bytes = events::csv(&events);
    assert!(bytes.len() > 5 << 20);
    for (name, bytes) in [("events.csv.gz", gzip(&bytes)), ("events.csv", bytes)] {
        let desk = Desk::new(&[(name, bytes)]);
        desk.backfill(name, "2025-01", "2025-03").expect(0);
        assert_all(&desk, &events);
    }
}

#[test]
fn the_same_events_make_the_same_files_however_they_are_packed() {
    let events = months(&MONTHS, 7000);
    let archive = |name: &str, bytes: Vec<u8>| {
        let desk = Desk::new(&[(name, bytes)]);
        desk.backfill(name, "2025-01", "2025-03").expect(0);
        let mut files = desk.archive().data_snapshot();
        files.retain(|path, _| path.contains("/csv/"));
        files
    };
    let bytes = events::csv(&events);
    let plain = archive("events.csv", bytes.clone());
    assert_eq!(archive("events.csv.gz", gzip(&bytes)), plain);
    // gzip is known by its first bytes, whatever the name says.
    assert_eq!(archive("packed.csv", gzip(&bytes)), plain);
    assert_eq!(archive("plain.csv.gz", bytes), plain);
}

#[test]
fn a_pattern_takes_its_files_in_the_order_of_their_names() {
    let [first, second, third] = MONTHS.map(|month| events::csv(&months(&[month], 50)));
    let files = [("b/events_2.csv", second), ("c/events_1.csv.gz", gzip(&third)), ("a/events_3.csv", first)];
    let desk = Desk::new(&files);
    desk.write("a/notes.txt", b"not an export");
    desk.backfill("**/events_*.csv*", "2025-01", "2025-03").expect(0);
    assert_all(&desk, &months(&MONTHS, 50));
    let detail = &desk.archive().month("2025-01")["source"]["detail"]["files"];
    let names = detail.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["a/events_3.csv", "b/events_2.csv", "c/events_1.csv.gz"]);
    assert!(!desk.archive().month("2025-01").to_string().contains(desk.host.path("").to_str().unwrap()));
}

#[test]
fn a_file_url_names_a_file() {
    let events = months(&MONTHS, 10);
    let desk = Desk::new(&[("my events.csv", events::csv(&events))]);
    let url = format!("file://{}", desk.host.path("exports/my%20events.csv").display());
    let outcome = desk.host.run(&["backfill", "--source", &url, "--from", "2025-01", "--to", "2025-03", "--jobs", "3"]);
    outcome.expect(0);
    assert_eq!(desk.archive().months(), MONTHS);
    assert_eq!(desk.archive().month("2025-01")["source"]["url"], url);
}

#[test]
fn a_second_run_finds_its_months_archived_and_the_files_are_left_alone() {
    let desk = Desk::new(&[("events.csv", events::csv(&months(&MONTHS, 10)))]);
    desk.backfill("events.csv", "2025-01", "2025-03").expect(0);
    let before = desk.archive().snapshot();
    let outcome = desk.backfill("events.csv", "2025-01", "2025-03").expect(0);
    assert!(outcome.json()["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"));
    assert_eq!(desk.archive().snapshot(), before);
    assert!(desk.host.path("exports/events.csv").is_file());
}

//! Backfills from files: months within a file, several files, and their columns.

use super::{FileWorld, ids, months};
use crate::support::{
    archive::{Archive, Row, sha256},
    events::{self, Event},
    platform::gzip,
    world::identify,
};
use serde_json::json;

const MONTHS: [&str; 3] = ["2025-01", "2025-02", "2025-03"];

#[track_caller]
fn assert_all(world: &FileWorld, events: &[Event]) {
    let archive = world.archive();
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
fn file_of_several_months_is_archived_by_month() {
    let events = months(&MONTHS, 400);
    let bytes = events::csv(&events);
    let world = FileWorld::new(&[("events.csv", bytes.clone())]);
    world.backfill("events.csv", "2025-01", "2025-03").expect(0);
    assert_all(&world, &events);
    let source = world.archive().month("2025-02")["source"].clone();
    let file = json!({
        "name": "events.csv", "kind": "csv", "gzip": false, "bytes": bytes.len(), "sha256": sha256(&bytes), "rows": 1200,
    });
    assert_eq!(source, json!({"type": "file", "url": "exports/events.csv", "detail": {"files": [file]}}));
}

#[test]
fn large_file_of_mixed_months_is_archived_by_month() {
    // Several chunks, each with events of all months.
    let mut events = months(&MONTHS, 9000);
    events.sort_by_key(|event| sha256(event.id().as_bytes()));
    let bytes = events::csv(&events);
    assert!(bytes.len() > 5 << 20);
    for (name, bytes) in [("events.csv.gz", gzip(&bytes)), ("events.csv", bytes)] {
        let world = FileWorld::new(&[(name, bytes)]);
        world.backfill(name, "2025-01", "2025-03").expect(0);
        assert_all(&world, &events);
    }
}

#[test]
fn same_events_make_the_same_files_however_compressed() {
    let events = months(&MONTHS, 7000);
    let archive = |name: &str, bytes: Vec<u8>| {
        let world = FileWorld::new(&[(name, bytes)]);
        world.backfill(name, "2025-01", "2025-03").expect(0);
        let mut files = world.archive().data_snapshot();
        files.retain(|path, _| path.contains("/csv/"));
        files
    };
    let bytes = events::csv(&events);
    let plain = archive("events.csv", bytes.clone());
    assert_eq!(archive("events.csv.gz", gzip(&bytes)), plain);
    // gzip is detected by its first bytes, not by the extension.
    assert_eq!(archive("packed.csv", gzip(&bytes)), plain);
    assert_eq!(archive("plain.csv.gz", bytes), plain);
}

#[test]
fn same_events_make_the_same_files_on_any_number_of_cores() {
    // More than a row group, a member of gzip, and a chunk.
    let events = [months(&["2025-01"], 130_000), months(&MONTHS[1..], 300)].concat();
    let world = FileWorld::new(&[("events.csv", events::csv(&events))]);
    let archive = |name: &str, cores: &[&str], jobs: &str| {
        identify(&world.host.path(name));
        let to = world.host.path(name).display().to_string();
        let range = ["backfill", "--source", "exports/events.csv", "--from", "2025-01", "--to", "2025-03"];
        let options = ["--jobs", jobs, "--archive", &to, "--json"];
        world.host.run_under(cores, &[&range[..], &options].concat()).expect(0);
        Archive::at(to).data_snapshot()
    };
    let one = archive("one", &["taskset", "--cpu-list", "0"], "1");
    assert!(one.keys().any(|path| path.ends_with(".parquet")) && one.keys().any(|path| path.ends_with(".csv.gz")));
    assert_eq!(archive("all", &[], "1"), one);
    assert_eq!(archive("months", &[], "3"), one);
}

#[test]
fn pattern_reads_files_in_name_order() {
    let [first, second, third] = MONTHS.map(|month| events::csv(&months(&[month], 50)));
    let files = [("b/events_2.csv", second), ("c/events_1.csv.gz", gzip(&third)), ("a/events_3.csv", first)];
    let world = FileWorld::new(&files);
    world.write("a/notes.txt", b"not an export");
    world.backfill("**/events_*.csv*", "2025-01", "2025-03").expect(0);
    assert_all(&world, &months(&MONTHS, 50));
    let detail = &world.archive().month("2025-01")["source"]["detail"]["files"];
    let names = detail.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["a/events_3.csv", "b/events_2.csv", "c/events_1.csv.gz"]);
    assert!(!world.archive().month("2025-01").to_string().contains(world.host.path("").to_str().unwrap()));
}

#[test]
fn file_url_is_a_source() {
    let events = months(&MONTHS, 10);
    let world = FileWorld::new(&[("my events.csv", events::csv(&events))]);
    let url = format!("file://{}", world.host.path("exports/my%20events.csv").display());
    let outcome =
        world.host.run(&["backfill", "--source", &url, "--from", "2025-01", "--to", "2025-03", "--jobs", "3"]);
    outcome.expect(0);
    assert_eq!(world.archive().months(), MONTHS);
    assert_eq!(world.archive().month("2025-01")["source"]["url"], url);
}

#[test]
fn second_backfill_changes_nothing() {
    let world = FileWorld::new(&[("events.csv", events::csv(&months(&MONTHS, 10)))]);
    world.backfill("events.csv", "2025-01", "2025-03").expect(0);
    let before = world.archive().snapshot();
    let outcome = world.backfill("events.csv", "2025-01", "2025-03").expect(0);
    assert!(outcome.json()["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"));
    assert_eq!(world.archive().snapshot(), before);
    assert!(world.host.path("exports/events.csv").is_file());
}

#[track_caller]
fn row(world: &FileWorld, month: &str, id: &str) -> Row {
    world.archive().rows(month).into_iter().find(|row| row["id"] == id).unwrap()
}

fn csv(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn columns_of_a_month_are_united_by_name_and_missing_ones_are_null() {
    let world = FileWorld::new(&[
        ("1.csv", csv("id,timestamp,decision\na,2025-03-01T10:00:00Z,allowed\n")),
        ("2.csv", csv("cost_usd,timestamp,id\n0.5,2025-03-02T10:00:00Z,b\n0.25,2025-04-02T10:00:00Z,c\n")),
        ("3.csv", csv("id,timestamp,region\nd,2025-04-03T10:00:00Z,eu\n")),
    ]);
    world.backfill("*.csv", "2025-03", "2025-04").expect(0);
    world.archive().check();
    let columns = |month: &str| {
        let manifest = world.archive().month(month);
        let columns = manifest["schema"]["columns"].as_array().unwrap().clone();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(columns("2025-03"), ["id", "timestamp", "decision", "cost_usd"]);
    assert_eq!(columns("2025-04"), ["cost_usd", "timestamp", "id", "region"]);
    let (first, second) = (row(&world, "2025-03", "a"), row(&world, "2025-03", "b"));
    assert_eq!((first["decision"].as_str(), first["cost_usd"].as_str()), ("allowed", ""));
    assert_eq!((second["decision"].as_str(), second["cost_usd"].as_str()), ("", "0.5"));
    assert_eq!(row(&world, "2025-04", "d")["region"], "eu");
}

#[test]
fn files_with_different_id_columns_fail_their_month_only() {
    let world = FileWorld::new(&[
        ("1.csv", csv("id,timestamp\na,2025-03-01T10:00:00Z\nb,2025-04-01T10:00:00Z\n")),
        ("2.csv", csv("event_id,timestamp\nc,2025-04-02T10:00:00Z\n")),
    ]);
    let outcome = world.backfill("*.csv", "2025-03", "2025-04").expect(3);
    assert!(outcome.output().contains("1.csv, 2.csv") && outcome.output().contains("--id-column"));
    assert_eq!(world.archive().months(), ["2025-03"]);
}

#[test]
fn key_columns_can_be_named() {
    let world =
        FileWorld::new(&[("events.csv", csv("ref,seen,timestamp\na,2025-03-01T10:00:00Z,2025-04-01T10:00:00Z\n"))]);
    let source = ["--source", "exports/events.csv", "--id-column", "ref", "--time-column", "seen"];
    world.host.run(&[&["run", "--month", "2025-03"], source.as_slice()].concat()).expect(0);
    assert_eq!(world.archive().month("2025-03")["schema"]["time"], "seen");
    world.run("events.csv", "2025-05").expect(6);
}

//! Sources of files that are refused, and rows of files that are rejected.

use super::{FileWorld, months};
use crate::support::{
    events::{self, Event},
    platform::gzip,
    together,
};

const MONTH: &str = "2025-03";

#[test]
fn source_without_files_exits_with_2() {
    let world = FileWorld::new(&[("a.csv", events::header()), ("notes.txt", Vec::new()), ("folder/b.csv", Vec::new())]);
    let sources = [
        "exports/missing.csv",
        "exports/*.json",
        "exports",
        "exports/*",
        "exports/notes.txt",
        "s3://b/x.csv",
        "kt_ak_x",
    ];
    together(sources, |source| {
        let outcome = world.host.run(&["run", "--month", MONTH, "--source", source, "--json"]).expect(2);
        assert!(outcome.json()["error"]["hint"].is_string(), "{source}");
        assert!(!outcome.output().contains("kt_ak_x"), "{}", outcome.output());
    });
    assert!(!world.host.path("archive").is_dir(), "an archive was created");
}

#[test]
fn files_of_several_datasets_exit_with_2() {
    let world = FileWorld::new(&[("a.csv", events::csv(&months(&[MONTH], 3)))]);
    let run = ["run", "--month", MONTH, "--source", "exports/a.csv", "--dataset", "events,traces", "--json"];
    world.host.run(&run).expect(2);
    assert!(!world.host.path("archive").is_dir(), "an archive was created");
}

#[test]
fn content_that_contradicts_its_extension_is_refused() {
    let files = [
        ("page.csv", b"<!doctype html><title>502</title>".to_vec()),
        ("error.csv", br#"{"error": "expired"}"#.to_vec()),
        ("rows.json", events::csv(&months(&[MONTH], 3))),
        ("page.json", b"<html>".to_vec()),
        ("text.csv", b"upstream connect error\n".to_vec()),
        ("zeros.csv.gz", gzip(&[0; 100])),
        ("cut.csv.gz", gzip(&events::csv(&months(&[MONTH], 300)))[..1000].to_vec()),
        ("open.csv", [events::header(), b"\"open,2025-03-01T00:00:00Z\n".to_vec()].concat()),
    ];
    together(files, |(name, bytes)| {
        let world = FileWorld::new(&[(name, bytes)]);
        let outcome = world.run(name, MONTH).expect(6);
        assert!(outcome.output().contains(name), "{}", outcome.output());
        assert_eq!(world.archive().sequences(), [] as [u64; 0]);
    });
}

#[test]
fn unreadable_file_fails_every_month() {
    let world = FileWorld::new(&[("a.csv", events::csv(&months(&[MONTH], 10))), ("b.csv", b"<html>".to_vec())]);
    world.backfill("*.csv", "2025-03", "2025-04").expect(6);
    assert_eq!(world.archive().sequences(), [] as [u64; 0]);
}

#[test]
fn file_without_rows_has_no_months() {
    let files = [("header.csv", events::header()), ("brackets.json", b" [ ] ".to_vec())];
    let world = FileWorld::new(&files);
    for (name, _) in &files {
        let outcome = world.run(name, MONTH).expect(5);
        assert!(outcome.stderr.contains("no rows") && outcome.stderr.contains(name), "{}", outcome.stderr);
    }
    world.write("rows.csv", &events::csv(&months(&[MONTH], 10)));
    world.run("*.csv", MONTH).expect(0);
}

#[test]
fn file_without_content_is_refused_even_if_months_may_be_empty() {
    let rows = events::csv(&months(&[MONTH], 10));
    let empty = [("0.csv", b"".as_slice()), ("0.jsonl", b""), ("0.json", b"\n \r\n"), ("0.csv.gz", &gzip(b""))];
    for (name, bytes) in empty {
        let mut world = FileWorld::new(&[(name, bytes.to_vec()), ("rows.csv", rows.clone())]);
        world.host.set("KT_ARCHIVE_ALLOW_EMPTY", "true");
        for source in [name, "*"] {
            let outcome = world.run(source, MONTH).expect(5);
            assert!(outcome.output().contains(name), "{}", outcome.output());
        }
        assert_eq!(world.archive().sequences(), [] as [u64; 0]);
    }
}

#[test]
fn file_whose_lines_end_with_cr_alone_is_refused() {
    let lines = |rows: &str| format!("id,timestamp,decision\r{rows}").into_bytes();
    let mut world = FileWorld::new(&[
        ("1.csv", lines("x,2025-03-05T10:00:00Z,allowed\r")),
        ("2.csv", lines("a,2025-03-01T10:00:00Z,allowed\rb,2025-03-01T10:00:01Z,blocked\r")),
        ("3.csv", events::csv(&months(&[MONTH], 10))),
    ]);
    world.host.set("KT_ARCHIVE_ALLOW_EMPTY", "true");
    for (source, name) in [("1.csv", "1.csv"), ("[23].csv", "2.csv")] {
        let outcome = world.run(source, MONTH).expect(6);
        let error = outcome.json()["error"].clone();
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("LF"), "{error}");
    }
    assert_eq!(world.archive().sequences(), [] as [u64; 0]);
}

#[test]
fn one_page_of_several_is_refused() {
    let event = r#"{"id": "a", "timestamp": "2025-03-01T10:00:00Z", "decision": "allowed"}"#;
    for (name, member) in
        [("0", r#""has_more": true"#), ("1", r#""meta": {"total": 5}"#), ("2", r#""nextPageToken": "x""#)]
    {
        let name = format!("page-{name}.json");
        let world = FileWorld::new(&[(&name, format!(r#"{{"events": [{event}], {member}}}"#).into_bytes())]);
        let outcome = world.run(&name, MONTH).expect(5);
        assert!(outcome.output().contains(&name), "{}", outcome.output());
        assert_eq!(world.archive().sequences(), [] as [u64; 0]);
    }
}

const QUARTER: [&str; 3] = ["2025-01", "2025-02", "2025-03"];

fn world(bad: &Event) -> FileWorld {
    let mut events = months(&QUARTER, 10);
    events.insert(15, bad.clone());
    FileWorld::new(&[("a.csv", events::csv(&events)), ("b.csv", events::csv(&months(&["2025-04"], 10)))])
}

#[test]
fn row_with_a_time_is_rejected_in_its_month_only() {
    let world = world(&Event::at("bad", "2025-02-10T00:00:00Z").with("input_tokens", "many"));
    let outcome = world.backfill("*.csv", "2025-01", "2025-04").expect(3);
    assert_eq!(world.archive().months(), ["2025-01", "2025-03", "2025-04"]);
    assert!(outcome.output().contains("a.csv line 17, column input_tokens"), "{}", outcome.output());
    let counts = world.archive().month("2025-01")["events"].clone();
    assert_eq!((&counts["read"], &counts["outside_window"]), (&41.into(), &31.into()));
}

#[test]
fn row_without_a_time_is_rejected_in_every_month_of_its_file() {
    let world = world(&Event::at("bad", "yesterday"));
    let outcome = world.backfill("*.csv", "2025-01", "2025-04").expect(3);
    assert_eq!(world.archive().months(), ["2025-04"]);
    let failed = outcome.json()["months"].as_array().unwrap().clone();
    let messages = failed.iter().filter_map(|month| month["error"]["message"].as_str()).collect::<Vec<_>>();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.contains("a.csv line 17, column timestamp")), "{messages:?}");
    assert!(!outcome.output().contains("yesterday"));
}

#[test]
fn file_without_any_time_fails_every_month() {
    let lost = [Event::at("a", "yesterday"), Event::at("b", "")];
    let world = FileWorld::new(&[("a.csv", events::csv(&lost)), ("b.csv", events::csv(&months(&["2025-04"], 10)))]);
    world.run("*.csv", "2025-04").expect(5);
    world.run("b.csv", "2025-04").expect(0);
}

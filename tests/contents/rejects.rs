//! Rows that are not events are reported, and kept on request.

use crate::support::{
    archive::files,
    events::{self, Event},
    foreign::verify,
    script::Script,
    world::World,
};
use serde_json::{Value, json};

const MONTH: &str = "2025-03";

fn event(id: &str) -> Event {
    Event::at(id, "2025-03-10T10:00:00.000000Z")
}

/// An artifact with these encoded rows.
fn artifact(rows: &[Vec<u8>]) -> Vec<u8> {
    [events::header(), rows.concat()].concat()
}

fn row(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    events::write_row(&mut bytes, event).unwrap();
    bytes
}

/// The invalid column of a row, and the row.
type BadRow = (&'static str, Vec<u8>);

/// Rows that are not events, each for another reason.
fn bad_rows() -> Vec<BadRow> {
    let mut invalid = row(&event("e7").with("note", "#"));
    invalid.iter_mut().filter(|byte| **byte == b'#').for_each(|byte| *byte = 0xff);
    vec![
        ("", b"e3,2025-03-10T10:00:00Z,allowed\r\n".to_vec()),
        ("id", row(&event(""))),
        ("timestamp", row(&event("e5").with("timestamp", "yesterday"))),
        ("input_tokens", row(&event("e6").with("input_tokens", "many"))),
        ("note", invalid),
        ("cost_usd", row(&event("e8").with("cost_usd", "0.1234567890123456789"))),
        ("timestamp", row(&event("e9").with("timestamp", "2025-03-10T10:00:00.1234567Z"))),
    ]
}

/// An artifact with a good row in line 2, followed by the bad ones.
fn damaged() -> Vec<u8> {
    let bad = bad_rows().into_iter().map(|(_, row)| row);
    artifact(&[row(&event("e2"))].into_iter().chain(bad).collect::<Vec<_>>())
}

#[test]
fn bad_rows_are_reported_and_nothing_is_committed() {
    let world = World::new(Script::from_bytes(damaged()));
    let outcome = world.archive_month(MONTH).expect(5);
    world.assert_nothing_committed();
    let said = outcome.output();
    for (line, (column, _)) in (3..).zip(bad_rows()).take(5) {
        assert!(said.contains(&format!("line {line}")), "line {line} is not named: {said}");
        assert!(said.contains(column), "column {column} is not named: {said}");
    }
    assert!(!said.contains("line 8"), "more than the first five are named: {said}");
    assert!(said.contains("--rejects keep"), "{said}");
    for value in ["yesterday", "many", "0.1234567890123456789"] {
        assert!(!said.contains(value), "a value of an event was printed: {said}");
    }
}

/// Asserts that `kept` is the line of a rejects file for `row` in `line`.
#[track_caller]
fn assert_kept(kept: &Value, line: u64, column: &str, row: &[u8]) {
    assert_eq!(kept["line"], line, "{kept}");
    assert_eq!(kept["column"].as_str().unwrap_or_default(), column, "{kept}");
    assert!(kept["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{kept}");
    match std::str::from_utf8(row.strip_suffix(b"\r\n").unwrap()) {
        Ok(text) => assert_eq!((&kept["row"], kept.get("row_base64")), (&json!(text), None)),
        Err(_) => assert!(kept.get("row").is_none() && kept["row_base64"].is_string(), "{kept}"),
    }
}

#[test]
fn kept_rejects_are_stored_byte_for_byte() {
    let world = World::new(Script::from_bytes(damaged()));
    let arguments = ["run", "--month", MONTH, "--rejects", "keep", "--json"];
    let report = world.run(&arguments).expect(5).json();
    let month = &report["months"][0];
    assert_eq!((&month["state"], &month["events"]["rejected"]), (&json!("archived"), &json!(7)));
    assert!(month["error"]["message"].as_str().unwrap().contains("7 of 8 rows"), "{month}");
    assert_eq!(report["error"]["message"], format!("events {MONTH}: {}", month["error"]["message"].as_str().unwrap()));
    let archive = world.archive();
    archive.check();
    assert_eq!(archive.ids(MONTH), ["e2"]);
    let file = archive.file(MONTH, "rejects");
    assert!(file.starts_with("events/rejects/month=2025-03/part-00000-") && file.ends_with(".jsonl.gz"), "{file}");
    let kept = archive.rejects(MONTH);
    assert_eq!(kept.len(), 7);
    for ((line, kept), (column, row)) in (3..).zip(&kept).zip(bad_rows()) {
        assert_kept(kept, line, column, &row);
    }
    world.run(&["verify", "--json"]).expect(0);
    assert_eq!(verify(&archive)["findings"], json!([]));
    let range = ["status", "--from", MONTH, "--to", MONTH];
    let text = world.run(&range).expect(0).stdout;
    assert!(text.contains("\n7 rows could not become events and are kept: 2025-03\n"), "{text}");
    let list = world.run(&[&range[..], &["--list"]].concat()).expect(0).stdout;
    assert!(list.contains(" REJECTED ") && list.contains("         7  20"), "{list}");
    let status = world.run(&[&range[..], &["--json"]].concat()).expect(0).json();
    assert_eq!(status["datasets"][0]["months"][0]["rejected"], 7);
}

#[test]
fn month_with_rejects_is_archived_once() {
    let world = World::new(Script::from_bytes(damaged()));
    let arguments = ["run", "--month", MONTH, "--rejects", "keep", "--json"];
    world.run(&arguments).expect(5);
    let before = world.archive().snapshot();
    let again = world.run(&arguments).expect(0).json();
    assert_eq!((&again["months"][0]["state"], &again["error"]), (&json!("already"), &Value::Null));
    world.archive_month(MONTH).expect(0);
    assert_eq!(world.archive().snapshot(), before);
}

#[test]
fn good_months_beside_rejects_exit_with_3() {
    let good = events::month("2025-02", 5);
    let bad = event("bad").with("input_tokens", "many");
    let world = World::new(Script::new([good, vec![event("good"), bad]].concat()));
    let arguments = ["backfill", "--from", "2025-02", "--to", MONTH, "--rejects", "keep", "--json"];
    let report = world.run(&arguments).expect(3).json();
    assert_eq!(report["months"].as_array().unwrap().iter().filter(|month| month["state"] == "archived").count(), 2);
    assert_eq!(world.archive().months(), ["2025-02", MONTH]);
    let human = world.run(&arguments[..arguments.len() - 1]).expect(0);
    assert!(human.stdout.contains("already"), "{}", human.stdout);
}

#[test]
fn reject_files_are_split_at_the_part_size_and_reproducible() {
    let rows = |index: u32| {
        let note = events::digits(index, 4_096);
        row(&event(&format!("e{index}")).with("note", note).with("latency_ms", if index == 7 { "3" } else { "slow" }))
    };
    let bytes = artifact(&(0..2_000).map(rows).collect::<Vec<_>>());
    let arguments = ["run", "--month", MONTH, "--rejects", "keep", "--part-size", "1MiB", "--json"];
    let snapshots = [(), ()].map(|()| {
        let world = World::identified(Script::from_bytes(bytes.clone()));
        world.run(&arguments).expect(5);
        let archive = world.archive();
        archive.check();
        let manifest = archive.month(MONTH);
        let parts = files(&manifest).filter(|file| file["format"] == "rejects").count();
        assert!(parts > 2, "{parts} parts");
        assert_eq!(archive.rejects(MONTH).len(), 1_999);
        world.run(&["verify"]).expect(0);
        archive.data_snapshot()
    });
    assert_eq!(snapshots[0], snapshots[1]);
}

#[test]
fn repeated_rejects_do_not_change_event_counts() {
    let bad = row(&event("bad").with("input_tokens", "many"));
    let rows = [row(&event("one")), bad.clone(), row(&event("two")), row(&event("one")), bad];
    let world = World::new(Script::from_bytes(artifact(&rows)));
    world.run(&["run", "--month", MONTH, "--rejects", "keep"]).expect(5);
    let counts = world.archive().month(MONTH)["events"].clone();
    let found = ["read", "archived", "duplicates", "rejected"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(found, [5, 2, 1, 2]);
    assert_eq!(world.archive().rejects(MONTH).iter().map(|kept| &kept["line"]).collect::<Vec<_>>(), [3, 6]);
    world.archive().check();
}

#[test]
fn month_of_only_rejects_needs_allow_empty() {
    let bad = row(&event("bad").with("input_tokens", "many"));
    let world = World::new(Script::from_bytes(artifact(&[bad])));
    let refused = world.run(&["run", "--month", MONTH, "--rejects", "keep"]).expect(5);
    assert!(refused.stderr.contains("--allow-empty"), "{}", refused.stderr);
    world.assert_nothing_committed();
    world.run(&["run", "--month", MONTH, "--rejects", "keep", "--allow-empty"]).expect(5);
    let archive = world.archive();
    archive.check();
    let manifest = archive.month(MONTH);
    assert_eq!((&manifest["schema"], &manifest["events"]["archived"]), (&Value::Null, &json!(0)));
    assert_eq!(files(&manifest).map(|file| &file["format"]).collect::<Vec<_>>(), ["rejects"]);
    world.run(&["verify"]).expect(0);
    assert_eq!(verify(&archive)["findings"], json!([]));
}

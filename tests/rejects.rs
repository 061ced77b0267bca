//! Rows that cannot become events are named, and never lost or guessed at.

use crate::support::{
    events::{self, Event},
    script::Script,
    world::World,
};

const MONTH: &str = "2025-03";

fn event(id: &str) -> Event {
    Event::at(id, "2025-03-10T10:00:00.000000Z")
}

/// The rows of an artifact as they are on the wire, after its header.
fn artifact(rows: &[Vec<u8>]) -> Vec<u8> {
    [events::header(), rows.concat()].concat()
}

fn row(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    events::write_row(&mut bytes, event).unwrap();
    bytes
}

/// Line of a bad row, and the column that it is bad in.
type BadRow = (u64, &'static str);

/// An artifact with one good row, in line 2, and then bad ones.
fn damaged() -> (Vec<u8>, Vec<BadRow>) {
    let mut invalid = row(&event("e7").with("note", "#"));
    invalid.iter_mut().filter(|byte| **byte == b'#').for_each(|byte| *byte = 0xff);
    let bad = [
        ("", b"e3,2025-03-10T10:00:00Z,allowed\r\n".to_vec()),
        ("id", row(&event(""))),
        ("timestamp", row(&event("e5").with("timestamp", "yesterday"))),
        ("input_tokens", row(&event("e6").with("input_tokens", "many"))),
        ("note", invalid),
        ("cost_usd", row(&event("e8").with("cost_usd", "0.1234567890123456789"))),
        ("timestamp", row(&event("e9").with("timestamp", "2025-03-10T10:00:00.1234567Z"))),
    ];
    let mut rows = vec![row(&event("e2"))];
    rows.extend(bad.iter().map(|(_, bytes)| bytes.clone()));
    let lines = (3..).zip(bad).map(|(line, (column, _))| (line, column));
    (artifact(&rows), lines.collect())
}

#[test]
fn bad_rows_are_named_and_nothing_is_committed() {
    let (bytes, bad) = damaged();
    let world = World::new(Script::of_bytes(bytes));
    let outcome = world.archive_month(MONTH).expect(5);
    world.assert_nothing_committed();
    let said = outcome.output();
    for (line, column) in bad.iter().take(5) {
        assert!(said.contains(&format!("line {line}")), "line {line} is not named: {said}");
        assert!(said.contains(column), "column {column} is not named: {said}");
    }
    assert!(!said.contains("line 8"), "more than the first five are named: {said}");
    for value in ["yesterday", "many", "0.1234567890123456789"] {
        assert!(!said.contains(value), "a value of an event was printed: {said}");
    }
}

#[test]
fn exact_duplicates_are_dropped_and_counted() {
    let rows = [row(&event("one")), row(&event("two")), row(&event("one")), row(&event("one"))];
    let world = World::new(Script::of_bytes(artifact(&rows)));
    world.archive_month(MONTH).expect(0);
    assert_eq!(world.archive().ids(MONTH), ["one", "two"]);
    assert_eq!(world.archive().month(MONTH)["events"]["duplicates"], 2);
    world.archive().check();
}

#[test]
fn an_id_with_two_contents_is_a_conflict_and_nothing_is_committed() {
    let rows = [row(&event("one")), row(&event("one").with("decision", "blocked"))];
    let world = World::new(Script::of_bytes(artifact(&rows)));
    let outcome = world.archive_month(MONTH).expect(5);
    assert!(outcome.output().contains("conflict"), "{}", outcome.output());
    world.assert_nothing_committed();
}

//! Events that need an option: conflicts, months without events, columns of another type.

use crate::support::{
    cli::Outcome,
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

fn run(world: &World, flags: &[&str]) -> Outcome {
    world.run(&[&["run", "--month", MONTH, "--json"], flags].concat())
}

#[test]
fn exact_duplicates_are_dropped_and_counted() {
    let events = ["one", "two", "one", "one"].map(event);
    let world = World::new(Script::from_bytes(events::csv(&events)));
    world.archive_month(MONTH).expect(0);
    assert_eq!(world.archive().ids(MONTH), ["one", "two"]);
    assert_eq!(world.archive().month(MONTH)["events"]["duplicates"], 2);
    world.archive().check();
}

/// Events of which two share an id, one of these twice.
fn conflict() -> World {
    let events = [event("one"), event("one").with("decision", "blocked"), event("two"), event("one")];
    World::new(Script::from_bytes(events::csv(&events)))
}

#[test]
fn id_with_two_contents_is_a_conflict_and_nothing_is_committed() {
    let world = conflict();
    let outcome = world.archive_month(MONTH).expect(5);
    assert!(outcome.output().contains("conflict"), "{}", outcome.output());
    assert!(outcome.output().contains("--conflicts keep"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn kept_conflicts_are_archived_and_counted() {
    let world = conflict();
    let report = run(&world, &["--conflicts", "keep"]).expect(5).json();
    let month = &report["months"][0];
    assert_eq!((&month["state"], &month["events"]["conflicts"]), (&json!("archived"), &json!(2)));
    assert!(month["error"]["message"].as_str().unwrap().contains("2 events share an id"), "{month}");
    assert_eq!(world.archive().ids(MONTH), ["one", "one", "two"]);
    assert_eq!(world.archive().month(MONTH)["events"]["duplicates"], 1);
    world.archive().check();
    world.run(&["verify"]).expect(0);
    assert_eq!(verify(&world.archive())["findings"], json!([]));
    assert_eq!(run(&world, &["--conflicts", "keep"]).expect(0).json()["months"][0]["state"], "already");
}

#[test]
fn empty_month_is_committed_when_allowed() {
    let world = World::new(Script::new(events::month("2025-02", 3)));
    let refused = run(&world, &[]).expect(5);
    assert!(refused.output().contains("--allow-empty"), "{}", refused.output());
    for formats in ["parquet,csv", "artifact"] {
        let report = run(&world, &["--allow-empty", "--format", formats]).expect(0).json();
        assert_eq!((&report["months"][0]["error"], &report["months"][0]["files"]), (&Value::Null, &json!(0)));
    }
    let manifest = world.archive().month(MONTH);
    assert_eq!((&manifest["schema"], &manifest["files"]), (&Value::Null, &json!([])));
    world.archive().check();
    world.run(&["verify", "--from", MONTH, "--to", MONTH]).expect(0);
    assert_eq!(verify(&world.archive())["findings"], json!([]));
    // The last types of the dataset are those of a month that had events.
    world.archive_month("2025-02").expect(0);
    assert_eq!(world.run(&["status", "--json"]).expect(0).json()["datasets"][0]["months"][1]["events"], 0);
}

/// An export in which a text column has become a decimal.
fn retyped() -> World {
    let world =
        World::new(Script::from_bytes("id,timestamp,occurred_at\n1,2025-02-03T00:00:00Z,2025-02-03T00:00:00Z\n"));
    world.run(&["run", "--month", "2025-02", "--time-column", "timestamp"]).expect(0);
    world
        .platform
        .behave(|_| Script::from_bytes("id,timestamp,occurred_at\n2,2025-03-03T00:00:00Z,2025-03-03T00:00:00Z\n"));
    world
}

/// Pseudonyms are text in place of any type.
fn with_pseudonyms(world: &World) -> Vec<String> {
    let key = world.host.path("key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    ["--pseudonymise", "occurred_at", "--pseudonym-key-file", key.to_str().unwrap()].map(str::to_owned).to_vec()
}

#[test]
fn column_of_another_type_is_refused_until_accepted() {
    let world = retyped();
    let flags = with_pseudonyms(&world);
    let flags = flags.iter().map(String::as_str).collect::<Vec<_>>();
    let refused = run(&world, &flags).expect(5);
    for said in ["occurred_at", "timestamp(us,UTC)", "text", "--accept-schema-change"] {
        assert!(refused.output().contains(said), "{said}: {}", refused.output());
    }
    assert_eq!(world.archive().months(), ["2025-02"]);
    run(&world, &[&flags[..], &["--accept-schema-change"]].concat()).expect(0);
    assert_eq!(world.archive().months(), ["2025-02", MONTH]);
    world.archive().check();
    world.run(&["verify"]).expect(0);
}

#[test]
fn added_and_missing_columns_are_no_type_change() {
    let world = retyped();
    world.platform.behave(|_| Script::from_bytes("id,timestamp,other\n2,2025-03-03T00:00:00Z,x\n"));
    run(&world, &[]).expect(0);
}

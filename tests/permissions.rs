//! The least that each user of a bucket needs: the policies of `examples/iam` on a real S3 server.

use crate::support::{events, s3::Place, script::Script, world::World};

fn events() -> Vec<events::Event> {
    ["2025-02", "2025-03"].iter().flat_map(|month| events::month(month, 40)).collect()
}

/// A world whose host is in the place of a user with one of the policies.
fn world(place: &Place, policy: &str) -> World {
    let mut world = World::new(Script::of(events()));
    place.admit_as(&mut world.host, policy);
    world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
    world
}

const BACKFILL: [&str; 6] = ["backfill", "--from", "2025-02", "--to", "2025-03", "--json"];
const READING: [&[&str]; 3] = [
    &["status", "--json"],
    &["verify", "--json"],
    &["pull", "--from", "2025-02-20", "--to", "2025-03-10", "--format", "csv", "--output", "slice.csv", "--json"],
];

#[test]
fn the_writer_archives_and_verifies_but_removes_nothing() {
    for place in [Place::plain("writer"), Place::locked("writer")] {
        let world = world(&place, "writer");
        world.run(&["doctor", "--json"]).expect(0);
        world.run(&BACKFILL).expect(0);
        world.run(&["verify", "--json"]).expect(0);
        let again = world.run(&BACKFILL).expect(0).json();
        assert!(again["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"), "{again}");
    }
}

#[test]
fn the_writer_cannot_write_elsewhere() {
    let (place, other) = (Place::plain("writer"), Place::plain("other"));
    let mut world = world(&place, "writer");
    world.host.set("KT_ARCHIVE_ARCHIVE", other.url());
    world.run(&BACKFILL).expect(9);
    assert_eq!(other.versions(), 0);
}

#[test]
fn the_reader_reads_and_writes_nothing() {
    let place = Place::plain("reader");
    world(&place, "writer").run(&["run", "--month", "2025-02", "--json"]).expect(0);
    let before = place.download(tempfile::tempdir().unwrap().keep()).snapshot();
    let reader = world(&place, "reader");
    reader.archive_month("2025-03").expect(9);
    assert_eq!(place.download(tempfile::tempdir().unwrap().keep()).snapshot(), before);
    reader.run(&["run", "--month", "2025-02", "--json"]).expect(0);
    for command in &READING[..2] {
        reader.run(command).expect(0);
    }
    reader.run(&[READING[2], &["--allow-gaps"]].concat()).expect(0);
}

#[test]
fn the_pruner_removes_what_it_can_neither_read_nor_write() {
    let place = Place::plain("pruner");
    world(&place, "writer").run(&BACKFILL).expect(0);
    let pruner = world(&place, "pruner");
    for command in READING {
        pruner.run(command).expect(9);
    }
    pruner.run(&BACKFILL).expect(9);
    place.empty_as("pruner");
    assert_eq!(place.versions(), 0);
}

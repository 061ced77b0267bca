//! The content of manifests.

use crate::support::{
    archive::manifest_path,
    events::{self, Event},
    script::Script,
    world::World,
};
use std::fs;

const MONTH: &str = "2025-03";

/// The keys of a JSON document in order, each with its depth.
fn keys(document: &str) -> Vec<(usize, &str)> {
    // The documents are indented by two spaces for each level, and no value holds a line feed.
    let lines = document.lines().map(|line| (line.len() - line.trim_start().len(), line.trim_start()));
    let keys = lines.filter_map(|(indent, line)| Some((indent / 2, line.strip_prefix('"')?.split_once("\": ")?.0)));
    keys.collect()
}

#[test]
fn manifest_has_all_keys_in_order() {
    let world = World::new(Script::new(events::month(MONTH, 20)));
    world.run(&["run", "--month", MONTH, "--format", "csv", "--json"]).expect(0);
    let manifest = fs::read_to_string(world.archive().path(&manifest_path(1))).unwrap();
    let found = keys(&manifest);
    let joined = |depth: usize, below: &str| {
        let inside = found.iter().skip_while(|(_, name)| *name != below).skip(1);
        let inside = inside.take_while(|(level, _)| *level >= depth).filter(|(level, _)| *level == depth);
        inside.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        joined(1, "format"),
        "archive sequence previous kind dataset month window committed_at source_clock tool source schema \
         transforms events files archive_sha256"
    );
    assert_eq!(joined(2, "window"), "from to");
    assert_eq!(joined(2, "tool"), "name version");
    assert_eq!(joined(2, "source"), "type url detail");
    assert_eq!(joined(2, "schema"), "sha256 id time columns");
    assert!(joined(4, "columns").starts_with("name type source_type nullable name type"), "{manifest}");
    assert_eq!(
        joined(2, "events"),
        "read archived outside_window duplicates conflicts rejected source_count first last"
    );
    assert_eq!(joined(3, "files"), "path format rows bytes sha256 first last");
    for null in ["\"previous\": null", "\"source_type\": null"] {
        assert!(manifest.contains(null), "{null} is missing: {manifest}");
    }
}

#[test]
fn first_and_last_are_times_of_archived_events() {
    let world = World::new(Script::new([events::edges(MONTH).to_vec(), events::month(MONTH, 20)].concat()));
    world.archive_month(MONTH).expect(0);
    let manifest = world.archive().month(MONTH);
    let span = ["2025-03-01T00:00:00.000000Z", "2025-03-31T23:59:59.999999Z"];
    for part in [&manifest["events"], &manifest["files"][0], &manifest["files"][1]] {
        assert_eq!([part["first"].as_str().unwrap(), part["last"].as_str().unwrap()], span, "{part}");
    }
}

/// Between the duplicates are more events than a chunk of the decoder holds.
#[test]
fn distant_duplicates_are_dropped_and_counted() {
    let once = events::month(MONTH, 6_000);
    let twice = [once.as_slice(), &once[..5_000], &once[4_000..]].concat();
    let world = World::new(Script::from_bytes(events::csv(&twice)));
    world.archive_month(MONTH).expect(0);
    let archive = world.archive();
    archive.check();
    let counts = archive.month(MONTH)["events"].clone();
    assert_eq!([&counts["read"], &counts["archived"], &counts["duplicates"]], [13_000, 6_000, 7_000]);
    let kept = archive.rows(MONTH).into_iter().map(|row| row["id"].clone());
    assert!(kept.eq(once.iter().map(|event| event.id().to_owned())), "not the first of each was kept");
    world.run(&["verify", "--json"]).expect(0);
}

#[test]
fn month_with_events_only_outside_the_window_is_empty() {
    let margin = [Event::at("early", "2025-02-28T23:30:00.000000Z"), Event::at("late", "2025-04-01T00:30:00.000000Z")];
    let world = World::new(Script::new(margin.to_vec()));
    world.archive_month(MONTH).expect(5);
    world.assert_nothing_committed();
}

//! Metrics of verifications: damage shows before the next run, and stays while the archive cannot be read.

use super::{metrics, watched};
use crate::support::{archive::Archive, events, script::Script, world::World};
use std::{fs, path::PathBuf};

const MONTH: &str = "2025-03";

fn world() -> (World, PathBuf, Archive) {
    let mut world =
        World::new(Script::new(["2025-02", MONTH].iter().flat_map(|month| events::month(month, 40)).collect()));
    let file = watched(&mut world);
    world.archive_month("2025-02").expect(0);
    world.archive_month(MONTH).expect(0);
    let archive = world.archive();
    (world, file, archive)
}

#[test]
fn damage_shows_right_after_it_was_found_and_until_it_is_cleared() {
    let (world, file, archive) = world();
    let before = metrics(&file);
    before.assert(&[("damaged_objects", "0")]);
    let path = archive.path(&archive.file("2025-02", "parquet"));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, vec![b'x'; whole.len()]).unwrap();
    world.run(&["verify", "--quiet"]).expect(4);
    let found = metrics(&file);
    found.assert(&[("damaged_objects", "1"), ("last_attempt_exit_code", "0")]);
    let changed = found.0.keys().filter(|name| before.0.get(*name) != found.0.get(*name));
    assert_eq!(changed.collect::<Vec<_>>(), ["damaged_objects", "last_verification_timestamp_seconds"]);
    assert!(before.0.keys().all(|name| found.0.contains_key(name)), "{found:#?}");
    world.archive_month(MONTH).expect(4);
    metrics(&file).assert(&[("damaged_objects", "1"), ("last_attempt_exit_code", "4")]);
    fs::write(&path, whole).unwrap();
    world.run(&["verify", "--quiet"]).expect(0);
    metrics(&file).assert(&[("damaged_objects", "0"), ("last_attempt_exit_code", "4")]);
    world.archive_month(MONTH).expect(0);
    metrics(&file).assert(&[("damaged_objects", "0"), ("last_attempt_exit_code", "0")]);
}

#[test]
fn damage_of_the_chain_is_counted_and_stays_while_the_archive_cannot_be_read() {
    let (world, file, archive) = world();
    fs::remove_file(archive.path("manifests/00000001.json")).unwrap();
    world.run(&["verify", "--quiet"]).expect(4);
    let found = metrics(&file).number("damaged_objects");
    assert!(found > 0.0);
    world.archive_month(MONTH).expect(4);
    let after = metrics(&file);
    assert!(!after.names().contains("head_sequence"), "{after:#?}");
    assert!(
        (after.number("damaged_objects") - found).abs() < 0.1
            && after.names().contains("last_verification_timestamp_seconds")
    );
}

#[test]
fn verification_makes_the_file_and_a_foreign_one_stays() {
    let (world, file, _) = world();
    fs::remove_file(&file).unwrap();
    world.run(&["verify", "--level", "quick", "--quiet"]).expect(0);
    metrics(&file).assert(&[("damaged_objects", "0")]);
    fs::write(&file, "a token").unwrap();
    let outcome = world.run(&["verify", "--level", "quick"]).expect(0);
    assert!(outcome.stderr.contains("was not written by kt-archive"), "{}", outcome.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"a token");
}

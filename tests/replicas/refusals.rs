//! Locations that are no replica of the archive are refused and left unchanged.

use super::{Copies, assert_contains, states};
use crate::support::archive::{Archive, manifest_path, sums_path};
use std::fs;

/// Asserts that `replicate`, `replicate --repair` and a run leave the replica unchanged and print `words`.
#[track_caller]
fn assert_refused(copies: &Copies, code: i32, words: &[&str]) {
    let before = copies.replica.snapshot();
    for options in [&[][..], &["--repair"]] {
        let outcome = copies.replicate(options).expect(code);
        assert_eq!(states(&outcome), ["failed"]);
        assert_contains(&outcome, words);
        assert!(outcome.json()["replicas"][0]["error"]["hint"].is_string());
    }
    let replica = copies.replica.root().display().to_string();
    let run = copies.host.run(&["run", "--month", "2025-01", "--json", "--replica", &replica]).expect(3);
    assert_contains(&run, words);
    assert_eq!(copies.replica.snapshot(), before, "a foreign location was written to");
}

/// Archives months into the replica's folder, as an archive of its own.
fn archive_into(copies: &Copies, from: &str, to: &str, source: &str) {
    let replica = copies.replica.root().display().to_string();
    copies.backfill(from, to, &["--archive", &replica, "--source", source]).expect(0);
}

#[test]
fn replica_of_another_archive_is_refused() {
    let copies = Copies::new();
    archive_into(&copies, "2025-01", "2025-01", "demo:?events=10");
    assert_refused(&copies, 2, &["another archive"]);
    fs::remove_file(copies.replica.path("archive.json")).unwrap();
    assert_refused(&copies, 2, &["another archive", &manifest_path(1)]);
}

#[test]
fn other_archive_without_manifests_is_refused() {
    let copies = Copies::new();
    archive_into(&copies, "2025-01", "2025-01", "demo:?events=10");
    fs::remove_dir_all(copies.replica.path("manifests")).unwrap();
    assert_refused(&copies, 2, &["another archive"]);
    fs::write(copies.replica.path("archive.json"), "{}").unwrap();
    assert_refused(&copies, 2, &["archive.json"]);
}

#[test]
fn diverged_chain_is_refused_and_the_manifest_named() {
    let copies = Copies::current();
    copies.backfill("2025-04", "2025-05", &[]).expect(0);
    archive_into(&copies, "2025-04", "2025-04", "demo:?events=10");
    assert_refused(&copies, 4, &["manifest 4 differs"]);
}

#[test]
fn longer_chain_is_refused() {
    let copies = Copies::current();
    archive_into(&copies, "2025-04", "2025-04", "demo:?events=10");
    assert_refused(&copies, 4, &["manifest 4 is in the replica alone"]);
}

#[test]
fn archive_behind_its_replica_is_not_continued() {
    let copies = Copies::current();
    for object in [manifest_path(3), sums_path(3)] {
        fs::remove_file(copies.archive.path(&object)).unwrap();
    }
    let before = (copies.archive.snapshot(), copies.replica.snapshot());
    let replica = copies.replica.root().display().to_string();
    let outcome = copies.backfill("2025-03", "2025-04", &["--replica", &replica]).expect(4);
    assert_contains(&outcome, &["manifest 3 is in the replica alone"]);
    assert_eq!((copies.archive.snapshot(), copies.replica.snapshot()), before);
    copies.backfill("2025-03", "2025-04", &["--replica", "/proc/nowhere"]).expect(3);
}

#[test]
fn lost_archive_is_not_recreated_beside_its_replica() {
    let copies = Copies::current();
    fs::remove_dir_all(copies.archive.root()).unwrap();
    let replica = copies.replica.root().display().to_string();
    let outcome = copies.backfill("2025-03", "2025-04", &["--replica", &replica]).expect(2);
    assert_contains(&outcome, &["holds an archive, and that of KT_ARCHIVE_ARCHIVE none yet"]);
    assert!(!copies.archive.root().is_dir());
}

#[test]
fn diverged_chain_without_archive_json_is_refused() {
    let copies = Copies::current();
    copies.backfill("2025-04", "2025-04", &[]).expect(0);
    archive_into(&copies, "2025-04", "2025-04", "demo:?events=10");
    for object in ["archive.json".to_owned(), sums_path(4)] {
        fs::remove_file(copies.replica.path(&object)).unwrap();
    }
    assert_refused(&copies, 4, &["manifest 4 differs"]);
}

#[test]
fn unreadable_manifests_are_not_overwritten() {
    let copies = Copies::new();
    fs::create_dir_all(copies.replica.path("manifests")).unwrap();
    fs::write(copies.replica.path(&manifest_path(1)), "a list of passengers").unwrap();
    assert_refused(&copies, 2, &["nothing shows"]);
}

#[test]
fn replica_at_the_archive_location_is_refused() {
    let copies = Copies::new();
    let before = copies.archive.snapshot();
    std::os::unix::fs::symlink(copies.archive.root(), copies.host.path("link")).unwrap();
    for place in ["archive", "./archive/", "link", "archive/replica", "."] {
        let outcome = copies.replicate_to(place, &[]).expect(2);
        assert_contains(&outcome, &["a replica and the archive have the same location"]);
    }
    assert_eq!(copies.archive.snapshot(), before);
}

#[test]
fn duplicate_replica_is_refused() {
    let copies = Copies::new();
    let outcome = copies.replicate_to("replica,./replica", &[]).expect(2);
    assert_eq!(states(&outcome), ["failed", "failed"]);
    assert!(!copies.replica.root().is_dir());
}

#[test]
fn refused_replica_does_not_stop_the_next() {
    let copies = Copies::new();
    let outcome = copies.replicate_to("archive,replica", &[]).expect(3);
    assert_eq!(states(&outcome), ["failed", "current"]);
    copies.assert_same();
}

#[test]
fn missing_replica_or_archive_is_refused() {
    let copies = Copies::new();
    assert_contains(&copies.host.run(&["replicate", "--json"]).expect(2), &["--replica"]);
    let nowhere = Archive::at(copies.host.path("nowhere"));
    let outcome = copies.replicate(&["--archive", &nowhere.root().display().to_string()]).expect(7);
    assert_contains(&outcome, &["no archive here"]);
    assert_eq!(outcome.json()["replicas"], serde_json::json!([]));
    assert!(!copies.replica.root().is_dir());
}

#[test]
fn invalid_locations_are_refused_before_any_work() {
    let copies = Copies::new();
    for (replica, words) in [("s3:bucket", "s3://bucket"), ("az://key:canary@box", "AZURE_"), ("ftp://x", "gs://")] {
        let outcome = copies.backfill("2025-04", "2025-04", &["--replica", replica]).expect(2);
        assert_contains(&outcome, &[words]);
        assert!(!outcome.output().contains("canary"), "{}", outcome.output());
    }
    assert_eq!(copies.archive.months().len(), 3);
}

#[test]
fn commands_without_replicas_ignore_a_malformed_one() {
    let mut copies = Copies::new();
    copies.host.set("KT_ARCHIVE_REPLICA", "s3:bucket");
    copies.host.run(&["verify", "--json"]).expect(0);
    copies.host.run(&["status", "--json"]).expect(2);
}

#[test]
fn broken_chain_is_not_copied() {
    let copies = Copies::current();
    fs::remove_file(copies.archive.path(&manifest_path(2))).unwrap();
    let before = copies.replica.snapshot();
    for options in [&[][..], &["--repair"]] {
        copies.replicate(options).expect(4);
    }
    assert_eq!(copies.replica.snapshot(), before);
}

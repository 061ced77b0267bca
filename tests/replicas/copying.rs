//! Updates of replicas by `run`, `backfill` and `replicate`.

use super::{Copies, assert_contains, states};
use crate::support::archive::{Archive, manifest_path, sums_path};
use serde_json::json;
use std::{fs, thread, time::Duration};

#[test]
fn run_updates_every_replica_after_its_commits() {
    let copies = Copies::new();
    let other = Archive::at(copies.host.path("deep/er/other"));
    let list = format!("{},{}", copies.replica.root().display(), other.root().display());
    let outcome = copies.backfill("2025-04", "2025-04", &["--replica", &list]).expect(0);
    let expected = json!([
        {"url": copies.replica.root(), "state": "current", "error": null},
        {"url": other.root(), "state": "current", "error": null},
    ]);
    assert_eq!(outcome.json()["replicas"], expected);
    copies.assert_same();
    assert_eq!(other.snapshot(), copies.archive.snapshot());
}

#[test]
fn archive_and_replica_can_swap() {
    let copies = Copies::current();
    let replica = copies.replica.root().display().to_string();
    copies.host.run(&["run", "--month", "2025-04", "--archive", &replica, "--json"]).expect(0);
    let original = copies.archive.root().display().to_string();
    copies.host.run(&["replicate", "--archive", &replica, "--replica", &original, "--json"]).expect(0);
    copies.assert_same();
    assert_eq!(copies.archive.months().len(), 4);
}

#[test]
fn unreachable_replica_exits_with_3_and_is_updated_later() {
    let mut copies = Copies::current();
    // A file, below which not even root can write.
    fs::write(copies.host.path("mount"), "").unwrap();
    let down = Archive::at(copies.host.path("mount/replica"));
    let list = format!("{},{}", down.root().display(), copies.replica.root().display());
    copies.host.set("KT_ARCHIVE_REPLICA", list);
    let outcome = copies.backfill("2025-04", "2025-04", &[]).expect(3);
    assert_eq!(states(&outcome), ["failed", "current"]);
    assert_eq!(outcome.json()["months"][0]["state"], "archived");
    assert!(outcome.json()["replicas"][0]["error"]["message"].is_string());
    copies.assert_same();
    // The replica is still down, and no month is missing.
    for _ in 0..2 {
        let outcome = copies.backfill("2025-01", "2025-04", &[]).expect(3);
        assert_eq!(states(&outcome), ["failed", "current"]);
    }
    fs::remove_file(copies.host.path("mount")).unwrap();
    let outcome = copies.backfill("2025-01", "2025-04", &[]).expect(0);
    assert!(outcome.json()["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"));
    assert_eq!(down.snapshot(), copies.archive.snapshot());
}

#[test]
fn current_replica_does_not_soften_a_failed_month() {
    let copies = Copies::current();
    let replica = copies.replica.root().display().to_string();
    let run = ["run", "--month", "2025-04", "--json", "--source", "demo:?events=0", "--replica", &replica];
    assert_eq!(states(&copies.host.run(&run).expect(5)), ["current"]);
}

#[test]
fn dry_run_writes_to_no_replica() {
    let copies = Copies::new();
    let replica = copies.replica.root().display().to_string();
    copies.backfill("2025-01", "2025-05", &["--dry-run", "--replica", &replica]).expect(0);
    assert!(!copies.replica.root().is_dir());
}

#[test]
fn objects_missed_by_a_crash_are_added() {
    let copies = Copies::current();
    let (file, last) = (copies.replica.file("2025-03", "csv"), manifest_path(3));
    for left_out in [&[sums_path(3)][..], &[sums_path(3), last.clone()], &[sums_path(3), last, file]] {
        for object in left_out {
            fs::remove_file(copies.replica.path(object)).unwrap();
        }
        copies.replicate(&[]).expect(0);
        copies.assert_same();
    }
}

#[test]
fn foreign_files_do_not_prevent_a_replica() {
    let copies = Copies::new();
    fs::create_dir_all(copies.replica.path("photos")).unwrap();
    fs::write(copies.replica.path("photos/cat.jpg"), "miaow").unwrap();
    copies.replicate(&[]).expect(0);
    assert_eq!(fs::read_to_string(copies.replica.path("photos/cat.jpg")).unwrap(), "miaow");
    fs::remove_dir_all(copies.replica.path("photos")).unwrap();
    copies.assert_same();
}

#[test]
fn kill_leaves_a_replica_that_the_next_call_completes() {
    for milliseconds in (0..60).step_by(4) {
        let copies = Copies::new();
        let replica = copies.replica.root().display().to_string();
        let running = copies.host.start(&["replicate", "--json", "--replica", &replica]);
        thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        copies.replicate(&[]).expect(0);
        copies.assert_same();
    }
}

#[test]
fn signal_reports_a_replica_left_behind() {
    let copies = Copies::new();
    copies.backfill("2020-01", "2024-12", &[]).expect(0);
    let replica = copies.replica.root().display().to_string();
    let running = copies.host.start(&["replicate", "--json", "--replica", &replica]);
    while !copies.replica.root().join("manifests").is_dir() {
        thread::sleep(Duration::from_millis(1));
    }
    running.signal("TERM");
    let outcome = running.wait().expect(143);
    assert_eq!(states(&outcome), ["behind"]);
    copies.replicate(&[]).expect(0);
    copies.assert_same();
}

#[test]
fn concurrent_calls_make_one_replica() {
    let copies = Copies::new();
    let replica = copies.replica.root().display().to_string();
    let command = ["replicate", "--json", "--replica", &replica];
    let running = [(); 4].map(|()| copies.host.start(&command));
    let archiving = copies.host.start(&["run", "--month", "2025-04", "--json", "--replica", &replica]);
    for running in running {
        running.wait().expect(0);
    }
    archiving.wait().expect(0);
    copies.assert_same();
}

#[test]
fn table_shows_the_state_of_each_replica() {
    let copies = Copies::new();
    let replica = copies.replica.root().display().to_string();
    let outcome = copies.host.run(&["replicate", "--replica", &replica]).expect(0);
    assert_contains(&outcome, &["STATE", "current", "3 months", &replica]);
}

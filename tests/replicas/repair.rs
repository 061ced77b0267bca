//! `replicate --repair` restores the archive's bytes.

use super::{Copies, assert_contains, states};
use crate::support::{
    archive::{manifest_path, sums_path},
    together,
};
use std::fs;

/// Damage to an object.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Remove,
    Flip,
    Truncate,
    Empty,
    Grow,
}

use Harm::{Empty, Flip, Grow, Remove, Truncate};

const EVERY: [Harm; 5] = [Remove, Flip, Truncate, Empty, Grow];

impl Copies {
    /// Damages an object of the replica.
    fn harm(&self, object: &str, harm: Harm) {
        if matches!(harm, Remove) {
            return fs::remove_file(self.replica.path(object)).unwrap();
        }
        Self::change(&self.replica, object, |bytes| {
            let middle = bytes.len() / 2;
            match harm {
                Flip => bytes[middle] ^= 1,
                Truncate => bytes.truncate(middle),
                Empty => bytes.clear(),
                Grow => bytes.push(b'\n'),
                Remove => unreachable!(),
            }
        });
    }

    #[track_caller]
    fn assert_mended(&self, objects: u64) {
        let outcome = self.replicate(&["--repair"]).expect(0);
        assert_eq!(outcome.json()["replicas"][0]["mended"], objects, "{}", outcome.stdout);
        self.assert_same();
        assert_eq!(self.replicate(&["--repair"]).expect(0).json()["replicas"][0]["mended"], 0);
    }
}

#[test]
fn any_damaged_object_is_repaired() {
    let names = Copies::current();
    let objects = [
        names.archive.file("2025-02", "parquet"),
        names.archive.file("2025-03", "csv"),
        "archive.json".to_owned(),
        manifest_path(1),
        manifest_path(3),
        sums_path(2),
        sums_path(3),
    ];
    drop(names);
    together(0..objects.len(), |index| {
        let copies = Copies::current();
        for harm in EVERY {
            let objects = [
                copies.archive.file("2025-02", "parquet"),
                copies.archive.file("2025-03", "csv"),
                "archive.json".to_owned(),
                manifest_path(1),
                manifest_path(3),
                sums_path(2),
                sums_path(3),
            ];
            copies.harm(&objects[index], harm);
            copies.assert_mended(1);
        }
    });
}

#[test]
fn whole_month_is_repaired_in_one_call() {
    let copies = Copies::current();
    for object in [copies.archive.file("2025-01", "csv"), manifest_path(1), "archive.json".to_owned()] {
        copies.harm(&object, Flip);
    }
    copies.harm(&copies.archive.file("2025-01", "parquet"), Remove);
    copies.assert_mended(4);
}

#[test]
fn replica_with_only_sums_is_rebuilt() {
    let copies = Copies::current();
    for object in copies.replica.objects().into_iter().filter(|object| !object.ends_with("SUMS")) {
        fs::remove_file(copies.replica.path(&object)).unwrap();
    }
    copies.assert_mended(10);
}

#[test]
fn repair_also_adds_missing_months() {
    let copies = Copies::current();
    copies.backfill("2025-04", "2025-04", &[]).expect(0);
    copies.harm(&manifest_path(2), Empty);
    copies.assert_mended(1);
}

#[test]
fn chain_damage_is_reported_and_left_without_repair() {
    for (object, harm) in [(manifest_path(2), Flip), (manifest_path(3), Truncate), ("archive.json".to_owned(), Flip)] {
        let copies = Copies::current();
        copies.harm(&object, harm);
        let before = copies.replica.snapshot();
        let outcome = copies.replicate(&[]).expect(4);
        assert_contains(&outcome, &[&object, "--repair"]);
        assert_eq!(copies.replica.snapshot(), before);
    }
}

#[test]
fn bytes_lost_on_both_sides_stay_lost() {
    let copies = Copies::current();
    let file = copies.archive.file("2025-02", "csv");
    Copies::change(&copies.archive, &file, |bytes| bytes[30] ^= 1);
    // The replica's file is intact, so the archive's is not read.
    copies.replicate(&["--repair"]).expect(0);
    copies.harm(&file, Truncate);
    let before = copies.replica.snapshot();
    let outcome = copies.replicate(&["--repair"]).expect(4);
    assert_eq!(states(&outcome), ["failed"]);
    assert_contains(&outcome, &[&file, "missing or damaged", "with that replica as --archive"]);
    assert_eq!(copies.replica.snapshot(), before);
    // Other damage is repaired, before and behind it.
    for object in [copies.archive.file("2025-01", "csv"), copies.archive.file("2025-03", "csv"), manifest_path(2)] {
        copies.harm(&object, Remove);
        let mended = copies.replicate(&["--repair"]).expect(4).json()["replicas"][0]["mended"].clone();
        assert_eq!(mended, u64::from(object != manifest_path(2)), "{object}");
    }
}

#[test]
fn archive_is_repaired_from_its_replica() {
    let copies = Copies::current();
    let file = copies.archive.file("2025-02", "csv");
    fs::remove_file(copies.archive.path(&file)).unwrap();
    let [archive, replica] = [&copies.archive, &copies.replica].map(|side| side.root().display().to_string());
    copies.host.run(&["replicate", "--repair", "--json", "--archive", &replica, "--replica", &archive]).expect(0);
    copies.assert_same();
}

#[test]
fn unknown_files_are_left_and_reported() {
    let copies = Copies::current();
    let strange = "events/csv/month=2025-02/part-00009-0123456789abcdef.csv.gz";
    fs::write(copies.replica.path(strange), "?").unwrap();
    assert_contains(&copies.replicate(&["--repair"]).expect(0), &[strange]);
    assert!(copies.replica.objects().contains(strange));
}

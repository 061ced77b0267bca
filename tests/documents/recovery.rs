//! `docs/recovery.md`: each section, applied to an archive in that state.

use crate::support::{
    archive::Archive,
    events::{self, Event},
    now,
    page::{Page, Section},
    s3::BucketPrefix,
    script::Script,
    world::World,
};
use std::{collections::BTreeMap, fs, path::PathBuf};

type Snapshot = BTreeMap<String, String>;

/// The last three months, since S3 servers use the real time.
fn months() -> [String; 3] {
    let current = now().format("%Y-%m").to_string();
    [-3, -2, -1].map(|count| events::month_after(&current, count))
}

fn world() -> World {
    let events = months().iter().flat_map(|month| events::month(month, 40)).collect();
    world_of(events)
}

fn world_of(events: Vec<Event>) -> World {
    let mut world = World::new(Script::new(events));
    // On the first day of a month, the last one is still within its grace period.
    world.host.set("KT_ARCHIVE_GRACE", "0s");
    let home = world.host.path("srv").display().to_string();
    world.host.set("KT_ARCHIVE_ARCHIVE", home);
    world
}

/// The section, with this host's addresses and months in place of the page's.
fn section(world: &World, title: &str) -> Section {
    let [second, first, replica] = ["srv-2", "srv", "nas"].map(|name| world.host.path(name).display().to_string());
    let months = months();
    let mut replaced = vec![
        ("/srv/keeptrusts-archive-2", second),
        ("/srv/keeptrusts-archive", first),
        ("/mnt/nas/keeptrusts", replica),
    ];
    replaced.extend(["2026-01", "2026-02", "2026-03"].into_iter().zip(months));
    let section = Page::read("docs/recovery.md").section(title);
    assert!(!section.steps.is_empty(), "{title:?} has no commands");
    replaced.iter().fold(section, |section, (written, real)| section.with(&[(written, real)]))
}

fn backfill(world: &World, archive: &str) {
    let [from, _, to] = months();
    world.run(&["backfill", "--from", &from, "--to", &to, "--archive", archive, "--json"]).expect(0);
}

/// An archive in a bucket, with a replica in a folder.
struct Disaster {
    world: World,
    place: BucketPrefix,
    whole: Snapshot,
}

impl Disaster {
    fn new() -> Self {
        let (mut world, place) = (world(), BucketPrefix::plain("recovery"));
        BucketPrefix::admit(&mut world.host);
        backfill(&world, &place.url());
        let replica = world.host.path("nas").display().to_string();
        world.run(&["replicate", "--archive", &place.url(), "--replica", &replica, "--json"]).expect(0);
        let whole = snapshot(&place);
        Self { world, place, whole }
    }

    fn replica(&self) -> PathBuf {
        self.world.host.path("nas")
    }

    /// A data file of the last month.
    fn file(&self) -> String {
        let file = self.whole.keys().find(|path| path.contains(&format!("parquet/month={}", months()[2])));
        file.unwrap().clone()
    }

    /// Runs the commands of the section, and asserts that archive and replica are as before the disaster.
    #[track_caller]
    fn recover(&self, title: &str) {
        let bucket = self.place.url();
        section(&self.world, title).with(&[("s3://my-bucket/keeptrusts", &bucket)]).follow(&self.world.host);
        assert_eq!(snapshot(&self.place), self.whole, "the archive");
        assert_eq!(Archive::at(self.replica()).snapshot(), self.whole, "the replica");
    }
}

fn snapshot(place: &BucketPrefix) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    place.download(folder.path().to_owned()).snapshot()
}

#[test]
fn lost_bucket_is_restored_from_a_replica() {
    let disaster = Disaster::new();
    disaster.place.empty();
    disaster.recover("The bucket is lost");
}

#[test]
fn lost_state_folder_loses_no_events() {
    let disaster = Disaster::new();
    fs::remove_dir_all(disaster.world.host.state_dir()).unwrap();
    disaster.recover("The state folder is lost");
}

#[test]
fn dead_run_is_repeated() {
    let disaster = Disaster::new();
    // A file that was stored and not committed.
    disaster.place.put(&disaster.file().replace("part-00000", "part-00001"), "half a file");
    disaster.recover("The host died in the middle of a run");
}

#[test]
fn damaged_month_is_reported_and_repaired_from_a_replica() {
    let disaster = Disaster::new();
    disaster.place.put(&disaster.file(), "not what was archived");
    let shown = section(&disaster.world, "A month is damaged");
    shown.with(&[("s3://my-bucket/keeptrusts", &disaster.place.url())]).follow(&disaster.world.host);
    assert_ne!(snapshot(&disaster.place), disaster.whole, "verify repaired something");
    disaster.recover("A replica is whole");
}

#[test]
fn lost_manifest_or_archive_json_is_restored_from_a_replica() {
    for lost in ["archive.json", "manifests/00000002.json"] {
        let disaster = Disaster::new();
        disaster.place.remove(lost);
        disaster.world.run(&["verify", "--archive", &disaster.place.url(), "--json"]).expect(4);
        disaster.recover("A manifest or archive.json is missing or changed");
    }
}

#[test]
fn damaged_month_is_rebuilt_from_the_source() {
    let world = world();
    let archive = Archive::at(world.host.path("srv"));
    backfill(&world, archive.root().to_str().unwrap());
    let whole = archive.snapshot();
    let damaged = whole.keys().find(|path| path.contains(&format!("parquet/month={}", months()[2]))).unwrap();
    fs::write(archive.path(damaged), "not what was archived").unwrap();
    section(&world, "The source still has the events").follow(&world.host);
    assert_eq!(archive.snapshot(), whole);
}

#[test]
fn wrong_month_is_corrected_in_a_new_archive() {
    let world = world();
    let wrong = Archive::at(world.host.path("srv"));
    backfill(&world, wrong.root().to_str().unwrap());
    let before = wrong.snapshot();
    section(&world, "A wrong month was archived").follow(&world.host);
    assert_eq!(wrong.snapshot(), before);
    assert_eq!(Archive::at(world.host.path("srv-2")).months(), months());
}

#[test]
fn pruned_months_are_copied_from_the_old_archive() {
    let world = world();
    let old = Archive::at(world.host.path("srv"));
    backfill(&world, old.root().to_str().unwrap());
    section(&world, "The platform has pruned the months that were right").follow(&world.host);
    let new = Archive::at(world.host.path("srv-2"));
    assert_eq!(new.months(), months());
    for month in months() {
        assert_eq!(new.ids(&month), old.ids(&month), "{month}");
    }
}

#[test]
fn pruned_month_is_archived_from_a_kept_export() {
    let [first, missing, last] = months();
    let mut world = world_of([&first, &last].into_iter().flat_map(|month| events::month(month, 40)).collect());
    let place = BucketPrefix::plain("recovery");
    BucketPrefix::admit(&mut world.host);
    for month in [&first, &last] {
        world.run(&["run", "--month", month, "--archive", &place.url(), "--json"]).expect(0);
    }
    fs::create_dir(world.host.path("exports")).unwrap();
    let export = world.host.path(&format!("exports/events_{missing}.csv"));
    fs::write(export, events::csv(&events::month(&missing, 40))).unwrap();
    let shown = section(&world, "A month is missing and the platform has pruned it");
    shown.with(&[("s3://my-bucket/keeptrusts", &place.url())]).follow(&world.host);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(place.download(folder.path().to_owned()).months(), months());
}

#[test]
fn damaged_replica_is_repaired() {
    let disaster = Disaster::new();
    fs::write(disaster.replica().join(disaster.file()), "not what was archived").unwrap();
    disaster.recover("A replica is damaged or lost");
}

#[test]
fn truncated_archive_is_completed_from_a_replica() {
    let disaster = Disaster::new();
    disaster.place.remove("manifests/00000003.json");
    disaster.place.remove("manifests/00000003.SHA256SUMS");
    disaster.recover("The archive ends earlier than it did");
}

#[test]
fn every_section_with_commands_is_tested() {
    let tests = include_str!("recovery.rs");
    for title in Page::read("docs/recovery.md").titles() {
        assert!(tests.contains(&format!("\"{title}\"")), "no test follows {title:?}");
    }
}

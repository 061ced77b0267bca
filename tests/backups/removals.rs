//! The removal of backups that are not to be kept, here and at replicas.

use super::{BackupWorld, ROWS};
use crate::support::programs::run;
use archive::{
    backup::{PruneReport, back_up_database, prune},
    config::Level,
    settings::Settings,
};
use archive_connectors::{Clock, Error, ErrorKind, progress::Silent};
use archive_formats::Timestamp;
use std::{fs, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The time of the test's server, and days after it.
#[derive(Debug)]
struct DaysLater(u64);

impl Clock for DaysLater {
    fn now(&self) -> Timestamp {
        archive_connectors::clock::SystemClock.now().plus(Duration::from_secs(self.0 * 86_400))
    }
}

fn remove(settings: &Settings, confirm: bool, days: u64) -> Result<PruneReport, Error> {
    run(prune(settings, confirm, &DaysLater(days), Arc::new(Silent), CancellationToken::new()))
}

fn save(settings: &Settings) {
    run(back_up_database(settings, &DaysLater(0), Arc::new(Silent), CancellationToken::new())).unwrap();
}

#[test]
fn what_is_not_kept_is_named_then_removed_here_and_at_the_replica() {
    let world = BackupWorld::new(ROWS);
    let replica = world.path("replica");
    let settings = world.settings(&format!("keep-daily = 1\nkeep-min = 1\nbackups-replica = '{}'", replica.display()));
    (0..3).for_each(|_| save(&settings));
    let named = remove(&settings, false, 0).unwrap();
    assert_eq!((named.removed.len(), named.confirmed), (2, false));
    assert_eq!(world.verify(Level::Full), (Vec::new(), Vec::new()));
    let removed = remove(&settings, true, 0).unwrap();
    assert_eq!((removed.removed.len(), removed.kept.len()), (2, 1));
    let folders = |root: &std::path::Path| fs::read_dir(root.join("database")).unwrap().count();
    assert_eq!((folders(&world.path("backups")), folders(&replica)), (1, 1));
    assert_eq!(world.verify(Level::Full), (Vec::new(), Vec::new()));
    // A replica that begins now lacks what was removed.
    let late = world.path("late");
    let settings =
        world.settings(&format!("keep-daily = 1\nbackups-replica = ['{}', '{}']", replica.display(), late.display()));
    save(&settings);
    assert_eq!((folders(&late), folders(&replica)), (2, 2));
}

#[test]
fn nothing_is_removed_while_the_newest_backup_is_overdue() {
    let world = BackupWorld::new(ROWS);
    let settings = world.settings("keep-daily = 1\nkeep-min = 1");
    (0..2).for_each(|_| save(&settings));
    let error = remove(&settings, true, 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.hint().contains("--rpo"), "{}", error.hint());
    let relaxed = world.settings("keep-daily = 1\nkeep-min = 1\nrpo = '7d'");
    assert_eq!(remove(&relaxed, false, 3).unwrap().removed.len(), 1);
}

#[test]
fn files_that_vanish_without_a_removal_are_damage() {
    let world = BackupWorld::new(ROWS);
    let settings = world.settings("keep-daily = 1\nkeep-min = 1");
    (0..2).for_each(|_| save(&settings));
    let file = world.backups().chain().entries()[0].manifest.files[0].path.clone();
    fs::remove_file(world.path("backups").join(&file)).unwrap();
    assert_eq!(world.verify(Level::Quick).0, [("V010", file)]);
    remove(&settings, true, 0).unwrap();
    assert_eq!(world.verify(Level::Full), (Vec::new(), Vec::new()));
}

#[test]
fn a_killed_backup_is_removed_after_three_days() {
    let world = BackupWorld::new(ROWS);
    let settings = world.settings("keep-daily = 1\nkeep-min = 1\nrpo = '30d'");
    save(&settings);
    let folder = world.path("backups/database/2026-01-01T020000Z");
    fs::create_dir(&folder).unwrap();
    for name in ["part-00000-0123456789abcdef.dump", "part-00001-e3b0c44298fc1c14.dump#1"] {
        fs::write(folder.join(name), "cut").unwrap();
    }
    remove(&settings, true, 4).unwrap();
    assert!(fs::read_dir(&folder).is_err(), "the folder is gone");
}

#[test]
fn a_place_has_the_backups_of_one_database() {
    let world = BackupWorld::new(ROWS);
    save(&world.settings(""));
    let other = BackupWorld::new(ROWS);
    let request = archive::backup::DatabaseRequest { server: other.request().server, ..world.request() };
    let error = world.back_up(&request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().contains("a place of its own"), "{}", error.hint());
}

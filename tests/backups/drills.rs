//! Drills restore a backup into a scratch cluster, and find what is not as it was.

use super::{BackupWorld, ROWS, result};
use archive_connectors::ErrorKind;
use archive_formats::backup_manifest::{BackupContent, DigestLevel};
use std::fs;

#[test]
fn a_whole_backup_is_proved() {
    let world = BackupWorld::new(ROWS);
    let backup = world.back_up(&world.request()).unwrap();
    // The source goes on changing.
    world.database.sql("delete from events where id < 100");
    let drill = result(&world);
    assert_eq!((drill.equal, drill.differences), (Some(true), Vec::new()));
    assert_eq!((drill.backup.sequence, drill.backup.sha256), (1, backup.sha256));
    let entries = world.backups().chain().entries().to_vec();
    assert_eq!(entries.len(), 2);
    assert!(drill.amcheck, "the distribution's server has amcheck");
    assert!(
        ["cluster", "restore", "compare", "indexes"]
            .iter()
            .all(|stage| entries[1].manifest.seconds.contains_key(*stage))
    );
    assert_eq!(clusters(&world), 0);
}

/// What is left of scratch clusters.
fn clusters(world: &BackupWorld) -> usize {
    fs::read_dir(world.path("state/clusters")).map_or(0, Iterator::count)
}

#[test]
fn a_damaged_part_proves_nothing() {
    let world = BackupWorld::new(ROWS);
    let entry = world.back_up(&world.request()).unwrap();
    let part = world.path("backups").join(&entry.manifest.files[1].path);
    let whole = fs::read(&part).unwrap();
    let flipped = whole.iter().enumerate().map(|(place, byte)| byte ^ u8::from(place == 5000)).collect::<Vec<_>>();
    for damaged in [Some(&whole[..whole.len() - 1]), Some(&flipped), None] {
        match damaged {
            Some(bytes) => fs::write(&part, bytes).unwrap(),
            None => fs::remove_file(&part).unwrap(),
        }
        let error = world.drill().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BrokenChain | ErrorKind::Source | ErrorKind::Store), "{error}");
        assert_eq!((world.backups().chain().entries().len(), clusters(&world)), (1, 0));
    }
}

#[test]
fn a_row_that_the_dump_lost_is_found() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    // A manifest that names one more row, as if the dump had lost it.
    let path = world.path("backups/manifests/00000001.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"rows\": 6000", "\"rows\": 6001")).unwrap();
    fs::remove_file(world.path("backups/manifests/00000001.SHA256SUMS")).unwrap();
    let drill = result(&world);
    assert_eq!(
        (drill.equal, drill.differences),
        (Some(false), vec!["table public.events: 6000 rows instead of 6001".to_owned()])
    );
}

#[test]
fn a_dump_that_does_not_restore_is_an_error_and_on_record() {
    // A check whose function needs a search path that a restore does not have.
    let world = BackupWorld::new(
        "create table limits (most int); insert into limits values (9);
        create function fits(n int) returns bool language plpgsql as 'begin return n <= (select most from limits); end';
        create table checked (n int check (fits(n))); insert into checked values (1)",
    );
    world.back_up(&world.request()).unwrap();
    let error = world.drill().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    let entries = world.backups().chain().entries().to_vec();
    let BackupContent::Drill(drill) = &entries[1].manifest.content else { panic!("{entries:?}") };
    assert_eq!((drill.equal, drill.differences.len()), (None, 1));
    assert_eq!(clusters(&world), 0);
}

#[test]
fn a_backup_without_digests_is_restored_and_not_called_equal() {
    let world = BackupWorld::new(ROWS);
    let request = archive::backup::DatabaseRequest { digests: DigestLevel::Off, ..world.request() };
    world.back_up(&request).unwrap();
    let drill = result(&world);
    assert_eq!((drill.compared, drill.equal), (DigestLevel::Off, None));
}

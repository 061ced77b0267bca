//! Verification of backups.

use super::{BackupWorld, ROWS};
use archive::config::Level;
use std::fs;

#[test]
fn whole_backups_have_no_findings() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    // As after a crash: the next commit adds them.
    fs::remove_file(world.path("backups/manifests/00000001.SHA256SUMS")).unwrap();
    world.back_up(&world.request()).unwrap();
    world.drill().unwrap();
    for level in [Level::Quick, Level::Full] {
        assert_eq!(world.verify(level), (Vec::new(), Vec::new()));
    }
}

#[test]
fn every_damaged_file_is_named() {
    let world = BackupWorld::new(ROWS);
    let files = world.back_up(&world.request()).unwrap().manifest.files;
    let folder = world.path("backups");
    let flipped = fs::read(folder.join(&files[0].path)).unwrap();
    fs::write(folder.join(&files[0].path), flipped.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).unwrap();
    fs::write(folder.join(&files[1].path), "cut").unwrap();
    fs::remove_file(folder.join(&files[2].path)).unwrap();
    fs::write(folder.join("database/left.dump"), "of an interrupted backup").unwrap();
    let path = |number: usize| files[number].path.clone();
    let unnamed = vec![("V015", "database/left.dump".to_owned())];
    assert_eq!(world.verify(Level::Quick), (vec![("V010", path(2)), ("V011", path(1))], unnamed.clone()));
    let damage = vec![("V010", path(2)), ("V011", path(1)), ("V012", path(0))];
    assert_eq!(world.verify(Level::Full), (damage, unnamed));
}

#[test]
fn a_flipped_byte_in_a_whole_set_of_parts_is_found_in_its_part() {
    let world = BackupWorld::new(ROWS);
    let files = world.back_up(&world.request()).unwrap().manifest.files;
    let part = world.path("backups").join(&files[1].path);
    let mut bytes = fs::read(&part).unwrap();
    bytes[777] ^= 4;
    fs::write(&part, bytes).unwrap();
    assert_eq!(world.verify(Level::Quick), (Vec::new(), Vec::new()));
    assert_eq!(world.verify(Level::Full), (vec![("V012", files[1].path.clone())], Vec::new()));
}

#[test]
fn swapped_parts_are_found() {
    let world = BackupWorld::new(ROWS);
    let files = world.back_up(&world.request()).unwrap().manifest.files;
    let path = |number: usize| world.path("backups").join(&files[number].path);
    let (one, other) = (fs::read(path(0)).unwrap(), fs::read(path(1)).unwrap());
    fs::write(path(0), other).unwrap();
    fs::write(path(1), one).unwrap();
    let expected = [0, 1].map(|number: usize| ("V012", files[number].path.clone()));
    assert_eq!(world.verify(Level::Full), (expected.to_vec(), Vec::new()));
}

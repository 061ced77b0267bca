//! Verification of backups.

use super::{BackupWorld, ROWS};
use crate::support::programs::run;
use archive::{backup::verify_backups, config::Level};
use std::fs;

#[test]
fn whole_backups_have_no_damage() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    // As after a crash: the next commit adds them.
    fs::remove_file(world.path("backups/manifests/00000001.SHA256SUMS")).unwrap();
    world.back_up(&world.request()).unwrap();
    for level in [Level::Quick, Level::Full] {
        let found = run(verify_backups(&world.backups(), level)).unwrap();
        assert_eq!((found.manifests, found.damage, found.unnamed), (2, Vec::new(), Vec::new()));
        assert!(found.files > 3 && found.bytes > 200_000);
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
    let paths = |level| {
        let found = run(verify_backups(&world.backups(), level)).unwrap();
        let mut paths = found.damage.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        paths.sort();
        (paths, found.unnamed)
    };
    let named = |numbers: &[usize]| {
        let mut paths = numbers.iter().map(|number| files[*number].path.clone()).collect::<Vec<_>>();
        paths.sort();
        (paths, vec!["database/left.dump".to_owned()])
    };
    assert_eq!(paths(Level::Quick), named(&[1, 2]));
    assert_eq!(paths(Level::Full), named(&[0, 1, 2]));
}

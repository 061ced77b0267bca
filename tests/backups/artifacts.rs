//! Backups of export artifacts: each content once, and nothing that is deleted at the source.

use super::{BackupWorld, Noon};
use crate::support::{programs::run, s3};
use archive::{
    backup::{self, ArtifactsOutcome, ArtifactsRequest},
    config::Level,
    exit::ExitCode,
};
use archive_connectors::{Clock as _, Error, ErrorKind, sink::Location};
use archive_formats::{
    Sha256,
    backup_manifest::{ArtifactsBackup, BackupContent},
};
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

fn back_up_from(world: &BackupWorld, from: Location, reread: bool) -> Result<ArtifactsOutcome, Error> {
    run(async {
        let mut backups = backup::open_or_begin(&world.location(), Noon.now()).await?;
        let spool = world.path("spool");
        fs::create_dir_all(&spool).unwrap();
        let request = ArtifactsRequest { from, reread };
        let outcome = Box::pin(backup::backup_artifacts(&mut backups, &request, &Noon, &spool)).await;
        assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "nothing stays on the local disk");
        outcome
    })
}

fn source(world: &BackupWorld) -> Location {
    Location::parse(world.path("exports").to_str().unwrap(), &BTreeMap::new()).unwrap()
}

#[track_caller]
fn back_up(world: &BackupWorld) -> ArtifactsOutcome {
    back_up_from(world, source(world), false).unwrap_or_else(|error| panic!("{error:?} {}", error.hint()))
}

fn world(files: &[(&str, &str)]) -> BackupWorld {
    let world = BackupWorld::new("select 1");
    fs::create_dir(world.path("exports")).unwrap();
    for (name, text) in files {
        write(&world, name, text);
    }
    world
}

fn write(world: &BackupWorld, name: &str, text: &str) {
    let path = world.path("exports").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn recorded(world: &BackupWorld, sequence: u64) -> ArtifactsBackup {
    match &world.backups().chain().entry(sequence).unwrap().manifest.content {
        BackupContent::Artifacts(backup) => backup.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn verify(world: &BackupWorld) -> u64 {
    let report = world.verification(&world.backups(), Level::Full);
    assert_eq!(report.findings, []);
    report.files
}

#[test]
fn a_run_without_new_artifacts_makes_no_manifest() {
    let world = world(&[("exp-1.csv", "id\n1\n"), ("2026/exp 2 – größe.json", "[]"), ("empty.csv", "")]);
    let outcome = back_up(&world);
    assert_eq!((outcome.sequences.as_slice(), outcome.new, outcome.stored, outcome.bytes), ([1].as_slice(), 3, 3, 7));
    let mut artifacts = recorded(&world, 1).artifacts;
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(artifacts[0].name, "2026/exp 2 – größe.json");
    assert_eq!((artifacts[0].bytes, artifacts[0].sha256), (2, Sha256::digest(b"[]")));
    let object = fs::read(world.path(&format!("backups/artifacts/{}", artifacts[0].sha256))).unwrap();
    assert_eq!(object, b"[]");
    let outcome = back_up(&world);
    assert_eq!((outcome.sequences.len(), outcome.new, outcome.already), (0, 0, 3));
    let outcome = back_up_from(&world, source(&world), true).unwrap();
    assert_eq!((outcome.sequences.len(), outcome.new, outcome.already), (0, 0, 3), "also where all are read");
    assert_eq!(verify(&world), 3);
}

#[test]
fn what_changes_is_kept_in_both_versions_and_nothing_is_deleted() {
    let world = world(&[("a.csv", "first"), ("b.csv", "other")]);
    back_up(&world);
    write(&world, "a.csv", "second");
    fs::remove_file(world.path("exports/b.csv")).unwrap();
    write(&world, "copy.csv", "first");
    let outcome = back_up(&world);
    assert_eq!((outcome.sequences.as_slice(), outcome.new, outcome.stored), ([2].as_slice(), 2, 1));
    for text in ["first", "second", "other"] {
        let path = world.path(&format!("backups/artifacts/{}", Sha256::digest(text.as_bytes())));
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
    // The same size and the same time: only a run that reads all finds it.
    let path = world.path("exports/a.csv");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "SECOND").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(back_up(&world).new, 0);
    assert_eq!(back_up_from(&world, source(&world), true).unwrap().new, 1);
    assert_eq!(verify(&world), 4);
}

#[test]
fn partial_files_and_links_are_passed_over() {
    let world = world(&[("a.csv", "a"), (".hidden", "x"), (".git/config", "x"), ("b.csv.part", "x"), ("c.tmp", "x")]);
    symlink("/etc/hostname", world.path("exports/link")).unwrap();
    symlink("/etc", world.path("exports/folder")).unwrap();
    symlink("/nowhere", world.path("exports/nowhere")).unwrap();
    let outcome = back_up(&world);
    assert_eq!((outcome.new, outcome.skipped), (1, 4));
    assert_eq!(recorded(&world, 1).artifacts[0].name, "a.csv");
}

#[test]
fn a_file_that_goes_on_growing_is_left_for_the_next_run() {
    let world = world(&[("still.csv", "whole")]);
    let growing = world.path("exports/growing.csv");
    fs::write(&growing, vec![b'x'; 48 << 20]).unwrap();
    let is_over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(&growing).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let outcome = back_up_from(&world, source(&world), false);
        is_over.store(true, Ordering::Relaxed);
        outcome
    });
    let outcome = outcome.unwrap();
    assert_eq!((outcome.new, outcome.changed.as_slice()), (1, ["growing.csv".to_owned()].as_slice()));
    assert_eq!(outcome.exit(), ExitCode::TryLater);
    let outcome = back_up(&world);
    assert_eq!((outcome.new, outcome.already, outcome.exit()), (1, 1, ExitCode::Done));
    assert_eq!(verify(&world), 2);
}

#[test]
fn places_that_cannot_be_backed_up_are_refused() {
    let world = world(&[("a.csv", "a")]);
    let at = |path: &str| Location::parse(world.path(path).to_str().unwrap(), &BTreeMap::new()).unwrap();
    for path in ["missing", "exports/a.csv", "backups", "."] {
        let error = back_up_from(&world, at(path), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{path}: {error}");
    }
    fs::create_dir(world.path("empty")).unwrap();
    let outcome = back_up_from(&world, at("empty"), false).unwrap();
    assert_eq!((outcome.sequences.len(), outcome.warnings.len()), (0, 1));
}

#[test]
fn artifacts_are_copied_from_a_bucket() {
    let world = BackupWorld::new("select 1");
    let prefix = s3::BucketPrefix::plain("exports");
    let environment = s3::credentials().map(|(name, value)| (name.to_owned(), value));
    let location = Location::parse(&prefix.url(), &BTreeMap::from(environment)).unwrap();
    prefix.put("2026/exp 1.csv", "id\n1\n");
    prefix.put("exp-2.csv", "id\n2\n");
    prefix.put("exp-3.csv.part", "id\n");
    let outcome = back_up_from(&world, location.clone(), false).unwrap();
    assert_eq!((outcome.new, outcome.skipped, outcome.exit()), (2, 1, ExitCode::Done));
    let outcome = back_up_from(&world, location.clone(), false).unwrap();
    assert_eq!((outcome.sequences.len(), outcome.already), (0, 2));
    prefix.put("exp-2.csv", "id\n2\n3\n");
    let outcome = back_up_from(&world, location, false).unwrap();
    assert_eq!((outcome.sequences.as_slice(), outcome.new, outcome.already), ([2].as_slice(), 1, 1));
    assert_eq!(verify(&world), 3);
}

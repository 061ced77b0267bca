//! The backup of a database.

use super::{BackupWorld, ROWS, database};
use crate::support::{
    postgres::{Database, program},
    programs::{folder_with, options_in, run},
};
use archive::backup::open_backups;
use archive_connectors::ErrorKind;
use archive_formats::backup_manifest::DigestLevel;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

#[test]
fn parts_of_a_dump_are_restored_by_cat_and_pg_restore() {
    let world = BackupWorld::new(ROWS);
    let entry = world.back_up(&world.request()).unwrap();
    let parts = entry.manifest.files.iter().filter(|file| file.path.contains("/part-")).collect::<Vec<_>>();
    assert!(parts.len() > 2, "{parts:?}");
    let mode = |file: &str| fs::metadata(world.path("backups").join(file)).unwrap().permissions().mode() & 0o777;
    assert!(entry.manifest.files.iter().all(|file| mode(&file.path) == 0o600));
    assert!(parts.iter().rev().skip(1).all(|part| part.bytes == 64 << 10), "{parts:?}");
    let copy = Database::new();
    let mut restore = Command::new(program("pg_restore"))
        .args(["--exit-on-error", "-d", &copy.url()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = restore.stdin.take().unwrap();
    for part in parts {
        input.write_all(&fs::read(world.path("backups").join(&part.path)).unwrap()).unwrap();
    }
    drop(input);
    assert!(restore.wait().unwrap().success());
    assert_eq!(
        copy.sql("select count(*), sum(id) from events"),
        world.database.sql("select count(*), sum(id) from events")
    );
}

#[test]
fn coreutils_check_what_a_manifest_names() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let check = |folder: &std::path::Path| {
        let sums = folder.join("manifests/00000001.SHA256SUMS");
        Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet"])
            .arg(sums)
            .current_dir(folder)
            .status()
            .unwrap()
    };
    let folder = world.path("backups");
    assert!(check(&folder).success());
    let part = world.backups().chain().entries()[0].manifest.files[0].path.clone();
    let mut bytes = fs::read(folder.join(&part)).unwrap();
    bytes[100] ^= 1;
    fs::write(folder.join(&part), bytes).unwrap();
    assert!(!check(&folder).success());
}

#[test]
fn a_manifest_names_what_the_dump_holds() {
    let world = BackupWorld::new(ROWS);
    let entry = world.back_up(&world.request()).unwrap();
    let backup = database(&entry);
    let tables = backup.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect::<Vec<_>>();
    assert_eq!(tables, [("public.events", 6000)]);
    assert!(backup.tables[0].sha256.is_some());
    let sequences = backup.sequences.iter().map(|it| (it.name.as_str(), it.last_value)).collect::<Vec<_>>();
    assert_eq!(sequences, [("public.numbers", 2)]);
    assert_eq!((backup.program.name.as_str(), backup.source.database.as_str()), ("pg_dump", world.database.name()));
    let text = fs::read_to_string(world.path("backups/manifests/00000001.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["format"], "keeptrusts-backups/1");
    assert_eq!((&document["kind"], &document["sequence"]), (&"database".into(), &1.into()));
}

#[test]
fn a_backup_may_count_rows_alone() {
    let world = BackupWorld::new(ROWS);
    let request = archive::backup::DatabaseRequest { digests: DigestLevel::Counts, ..world.request() };
    let entry = world.back_up(&request).unwrap();
    assert_eq!((database(&entry).tables[0].rows, database(&entry).tables[0].sha256), (6000, None));
}

#[test]
fn a_dump_that_failed_is_not_committed() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let dump = program("pg_dump").display().to_string();
    let version = format!("if [ \"$1\" = --version ]; then exec {dump} --version; fi");
    let scripts = [
        ("killed", format!("{version}\n{dump} \"$@\" | head -c 100000 || true; kill -9 $$")),
        ("cut", format!("{version}\n{dump} \"$@\" | head -c 100000 || true; exit 0")),
        ("failed", format!("{version}\n{dump} \"$@\"; exit 1")),
    ];
    for (what, script) in scripts {
        let folder = folder_with(&[("pg_dump", script)]);
        let programs = options_in(folder.path());
        let request = archive::backup::DatabaseRequest { programs, ..world.request() };
        let error = world.back_up(&request).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Source, "{what}: {error}");
        assert_eq!(world.backups().chain().entries().len(), 1, "{what}");
    }
}

#[test]
fn a_role_without_rights_backs_nothing_up() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("");
    let server = archive_connectors::postgres::Server::new(&world.database.url_for(&role), &|_| None).unwrap();
    let error = world.back_up(&archive::backup::DatabaseRequest { server, ..world.request() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(world.backups().chain().entries().is_empty());
}

#[test]
fn backups_do_not_begin_in_an_archive_of_events() {
    let world = BackupWorld::new("select 1");
    fs::create_dir(world.path("backups")).unwrap();
    let identity = r#"{"format": "keeptrusts-archive/1", "archive": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "created_at": "2025-01-01T00:00:00.000000Z"}"#;
    fs::write(world.path("backups/archive.json"), identity).unwrap();
    let error = world.back_up(&world.request()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().contains("kept apart"), "{}", error.hint());
}

#[test]
fn no_backups_are_not_empty_backups() {
    let world = BackupWorld::new("select 1");
    let error = run(open_backups(&world.location())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoArchive);
}

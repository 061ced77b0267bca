//! A dump counts only if it is whole.

use super::{Marked, dump, dump_with, folder_with, large_table, major, programs, programs_in, run, server};
use crate::support::postgres::{Database, program};
use archive_connectors::{
    Error, ErrorKind,
    postgres::{
        Server,
        programs::{Compression, Dump, DumpOptions, Programs},
    },
};
use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, thread::sleep, time::Duration};

/// A dump of some megabytes, of which only the first block was read: `pg_dump` waits.
async fn begun(programs: &Programs, database: &Database) -> Dump {
    let mut dump = Dump::start(programs, &server(database), &DumpOptions::default()).await.unwrap();
    dump.next_block().await.unwrap();
    dump
}

/// The error of a dump that is read on.
async fn rest(mut dump: Dump) -> Error {
    while dump.next_block().await.is_some() {}
    dump.finish().await.unwrap_err()
}

#[test]
fn whole_dump_has_a_record_of_the_program() {
    let database = Database::new();
    database.sql(&large_table(10));
    let (bytes, whole) = run(dump(&programs(), &server(&database))).unwrap();
    assert_eq!(bytes.len() as u64, whole.bytes());
    let record = whole.record();
    assert!(record.version.starts_with("pg_dump (PostgreSQL) "), "{record:?}");
    assert!(record.arguments.iter().any(|argument| argument == "--format=custom"), "{record:?}");
    assert_eq!((record.name.as_str(), record.warnings.len()), ("pg_dump", 0));
    assert_eq!(whole.header().database, database.name());
    // It has a checksum, which finds a flipped byte.
    assert_eq!(whole.header().compression, Compression::Gzip);
    assert!(database.sql("show server_version").starts_with(&whole.header().server_version));
}

#[test]
fn empty_database_has_a_whole_dump() {
    let database = Database::new();
    assert!(run(dump(&programs(), &server(&database))).unwrap().1.bytes() > 0);
}

#[test]
fn large_objects_at_the_end_of_a_dump_are_read() {
    let database = Database::new();
    database.sql("select lo_from_bytea(0, decode(repeat('00ff17', 1000000), 'hex')); create table t as select 1 as a");
    assert!(run(dump(&programs(), &server(&database))).is_ok());
}

#[test]
fn zstd_is_used_where_it_is_asked_for_and_known() {
    let database = Database::new();
    let options = DumpOptions { compression: Compression::Zstd, ..DumpOptions::default() };
    let dumped = run(dump_with(&programs(), &server(&database), &options));
    if major() < 16 {
        assert!(dumped.unwrap_err().to_string().starts_with("pg_dump failed"));
    } else {
        assert_eq!(dumped.unwrap().1.header().compression, Compression::Zstd);
    }
}

#[test]
fn killed_pg_dump_fails_the_dump() {
    let database = Database::new();
    database.sql(&large_table(100_000));
    let marked = Marked::new();
    let error = run(async {
        let dump = begun(&marked.programs, &database).await;
        let found = marked.processes().into_iter().filter(|(_, line)| line.contains("pg_dump")).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(Command::new("kill").args(["-KILL", &found[0].0]).status().unwrap().success());
        rest(dump).await
    });
    assert_eq!(error.to_string(), "pg_dump was ended by a signal (signal: 9)");
}

#[test]
fn killed_backend_fails_the_dump() {
    let database = Database::new();
    database.sql(&large_table(100_000));
    let error = run(async {
        let dump = begun(&programs(), &database).await;
        let others = format!("datname = '{}' and pid <> pg_backend_pid()", database.name());
        let ended =
            database.sql(&format!("select count(pg_terminate_backend(pid)) from pg_stat_activity where {others}"));
        assert_eq!(ended, "1");
        rest(dump).await
    });
    assert_eq!(error.kind(), ErrorKind::SourceUnavailable, "{error}");
    assert!(error.to_string().starts_with("pg_dump failed (exit code: 1"), "{error}");
}

#[test]
fn dump_that_is_cut_or_changed_is_found_by_its_reader() {
    let database = Database::new();
    database.sql(&large_table(50_000));
    let real = program("pg_dump");
    let real = real.display();
    // Each script succeeds, as pg_dump behind a broken pipe may.
    for (what, after) in [
        ("cut", "head -c -60000"),
        ("without its last bytes", "head -c -3"),
        ("with a flipped byte", "perl -0777 -pe 'substr($_, 2000000, 1) ^= \"\\x10\"'"),
        ("with more than it had", "perl -0777 -pe '$_ .= \"x\" x 3000000'"),
        ("with carriage returns", "sed 's/$/\\r/'"),
    ] {
        let script = format!("if [[ $1 == --version ]]; then exec {real} --version; fi\n{real} \"$@\" | {after}");
        let folder = folder_with(&[("pg_dump", script)]);
        let error = run(dump(&programs_in(folder.path()), &server(&database))).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Source, "{what}: {error}");
        assert!(error.to_string().contains(" dump"), "{what}: {error}");
    }
}

#[test]
fn pg_dump_that_fails_after_its_last_byte_fails_the_dump() {
    let database = Database::new();
    let real = program("pg_dump");
    let script =
        format!("{} \"$@\"; [[ $1 == --version ]] || {{ echo 'pg_dump: error: late' >&2; exit 1; }}", real.display());
    let folder = folder_with(&[("pg_dump", script)]);
    let error = run(dump(&programs_in(folder.path()), &server(&database))).unwrap_err();
    assert_eq!(error.to_string(), "pg_dump failed (exit code: 1, message: pg_dump: error: late)");
}

#[test]
fn dump_without_compression_is_refused() {
    let database = Database::new();
    let real = program("pg_dump");
    let real = real.display();
    let script = format!(
        "args=(); for arg; do args+=(\"${{arg/--compress=*/--compress=0}}\"); done; exec {real} \"${{args[@]}}\""
    );
    let folder = folder_with(&[("pg_dump", script)]);
    let error = run(dump(&programs_in(folder.path()), &server(&database))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}

#[test]
fn dump_that_was_not_read_to_its_end_is_not_whole() {
    let database = Database::new();
    database.sql(&large_table(50_000));
    let marked = Marked::new();
    run(async {
        let error = begun(&marked.programs, &database).await.finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    });
    assert_eq!(marked.processes(), Vec::new());
}

#[test]
fn dropped_dump_leaves_no_process() {
    let database = Database::new();
    database.sql(&large_table(100_000));
    let marked = Marked::new();
    run(async {
        let dump = begun(&marked.programs, &database).await;
        assert_eq!(marked.processes().len(), 2);
        drop(dump);
    });
    assert_eq!(marked.processes(), Vec::new());
}

#[test]
fn dump_reads_the_snapshot_that_it_is_given() {
    let database = Database::new();
    database.sql("create table t as select 1 as a");
    let mut session = database.session();
    session.run("begin isolation level repeatable read");
    let snapshot = session.run("select pg_export_snapshot()");
    database.sql("create table later as select 1 as a");
    let options = DumpOptions { snapshot: Some(snapshot), ..DumpOptions::default() };
    let (bytes, _) = run(dump_with(&programs(), &server(&database), &options)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump"), bytes).unwrap();
    let listed = Command::new(program("pg_restore")).arg("--list").arg(folder.path().join("dump")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("TABLE public t ") && !listed.contains("later"), "{listed}");
    session.run("commit");
    let error = run(dump_with(&programs(), &server(&database), &options)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotLost, "{error}");
}

#[test]
fn table_that_may_not_be_read_fails_the_dump() {
    let database = Database::new();
    database.sql("create table t as select 1 as a");
    let role = database.role("");
    let as_role = Server::new(&database.url_for(&role), &|_| None).unwrap();
    let error = run(dump(&programs(), &as_role)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.hint().contains("pg_read_all_data"), "{}", error.hint());
}

#[test]
fn rows_that_a_policy_hides_fail_the_dump() {
    let database = Database::new();
    database.sql("create table t as select 1 as a; alter table t enable row level security");
    let role = database.role("in role pg_read_all_data");
    let as_role = Server::new(&database.url_for(&role), &|_| None).unwrap();
    let error = run(dump(&programs(), &as_role)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.hint().contains("BYPASSRLS"), "{}", error.hint());
}

#[test]
fn password_is_never_in_an_argument() {
    const PASSWORD: &str = "canary-7f3a";
    let database = Database::new();
    database.sql(&large_table(50_000));
    let role = database.role(&format!("superuser password '{PASSWORD}' in role with_password"));
    let url = database.url_for(&role);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("*:*:*:{role}:{PASSWORD}\n")).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let passfile = file.path().display().to_string();
    for (name, value) in [("PGPASSWORD", PASSWORD), ("PGPASSFILE", passfile.as_str())] {
        let server = Server::new(&url, &|wanted| (wanted == name).then(|| value.to_owned())).unwrap();
        let marked = Marked::new();
        let seen = run(async {
            let mut dump = Dump::start(&marked.programs, &server, &DumpOptions::default()).await.unwrap();
            sleep(Duration::from_millis(200));
            let seen = marked.processes();
            while dump.next_block().await.is_some() {}
            let record = dump.finish().await.unwrap().record().clone();
            assert!(!format!("{record:?}").contains(PASSWORD), "{record:?}");
            seen
        });
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen.iter().all(|(_, line)| !line.contains(PASSWORD) && !line.contains(&role)), "{seen:?}");
    }
    let wrong = Server::new(&url, &|name| (name == "PGPASSWORD").then(|| "canary-wrong".to_owned())).unwrap();
    let error = run(dump(&programs(), &wrong)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

//! A server of a newer major version than Debian's is backed up by its own programs alone.

use super::{BackupWorld, ROWS, database, result};
use crate::support::{postgres::Server, programs::options_in, test_variable};
use archive::backup::DatabaseRequest;
use archive_connectors::ErrorKind;

/// A server of version 17, and a database of it.
fn newer() -> (Server, BackupWorld) {
    let programs = test_variable("KT_TEST_POSTGRES_17_BIN");
    let server = Server::start_in(programs.as_ref(), &[], &[]);
    let world = BackupWorld::on(&server, &programs, ROWS);
    (server, world)
}

#[test]
fn version_17_is_backed_up_and_restored_by_programs_of_version_17() {
    let (_server, world) = newer();
    let role = world.database.role("");
    world.database.sql(&format!("create extension hstore; alter table events owner to {role}"));
    let entry = world.back_up(&world.request()).unwrap();
    let backup = database(&entry);
    assert!(backup.program.version.starts_with("pg_dump (PostgreSQL) 17."), "{:?}", backup.program);
    assert!(backup.source.server_version.starts_with("17."), "{:?}", backup.source);
    let drill = result(&world);
    assert!(drill.server_version.starts_with("17."), "{drill:?}");
    assert_eq!((drill.equal, drill.differences), (Some(true), Vec::new()));
}

#[test]
fn programs_of_an_older_version_are_refused_with_a_hint() {
    let (_server, mut world) = newer();
    let (own, older) = (world.programs.clone(), test_variable("KT_TEST_POSTGRES_BIN"));
    let programs = options_in(older.as_ref());
    let error = world.back_up(&DatabaseRequest { programs, ..world.request() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("another major version than the server"), "{error}");
    assert!(error.hint().contains("--pg-bin") && error.hint().contains("PostgreSQL 17"), "{}", error.hint());
    assert!(world.backups().chain().entries().is_empty());
    world.back_up(&world.request()).unwrap();
    world.programs = older.into();
    let error = world.drill().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().contains("postgresql-17"), "{}", error.hint());
    assert_eq!(world.backups().chain().entries().len(), 1);
    world.programs = own;
    assert_eq!(result(&world).equal, Some(true));
}

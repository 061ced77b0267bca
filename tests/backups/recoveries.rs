//! The recovery of a database: a new one, compared, that takes the name of the lost one.

use super::{BackupWorld, Noon, ROWS, silent};
use crate::support::{postgres::Database, programs::run, test_variable};
use archive::backup::{RecoverReport, RecoverRequest, recover};
use archive_connectors::{Error, ErrorKind, postgres};
use std::num::NonZero;
use tokio_util::sync::CancellationToken;

impl BackupWorld {
    fn recover(
        &self,
        name: &str,
        change: impl FnOnce(RecoverRequest) -> RecoverRequest,
    ) -> Result<RecoverReport, Error> {
        let into = postgres::Server::new(&self.database.url(), &|_| None).unwrap().with_database(name);
        let request = change(RecoverRequest {
            backup: None,
            into,
            programs: self.request().programs,
            jobs: NonZero::<usize>::MIN,
            switch: false,
            confirm: false,
        });
        run(recover(&self.settings(""), &request, &Noon, silent(), &CancellationToken::new()))
    }

    /// A name of a new database.
    fn new_name(&self) -> String {
        format!("{}_restored", self.database.name())
    }

    fn drop_databases(&self, names: &[&str]) {
        let maintenance = &self.database;
        for name in names {
            maintenance.sql(&format!("drop database if exists \"{name}\""));
        }
    }
}

#[test]
fn a_backup_becomes_a_new_database_that_is_equal() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let name = world.new_name();
    for jobs in [1, 2] {
        let jobs = NonZero::new(jobs).unwrap();
        let report = world.recover(&name, |request| RecoverRequest { jobs, ..request }).unwrap();
        assert_eq!((report.equal, report.differences, report.switch), (Some(true), Vec::new(), None));
        world.drop_databases(&[&name]);
    }
}

#[test]
fn owner_settings_and_rights_of_the_database_come_back() {
    let world = BackupWorld::new(ROWS);
    let (role, own) = (world.database.role(""), world.database.name().to_owned());
    world.database.sql(&format!("alter database {own} owner to {role}"));
    world.database.sql(&format!("alter database {own} set work_mem = '7MB'"));
    world
        .database
        .sql(&format!("revoke connect on database {own} from public; grant connect on database {own} to {role}"));
    world.back_up(&world.request()).unwrap();
    let name = world.new_name();
    world.recover(&name, |request| request).unwrap();
    let properties = |name: &str| {
        world.database.sql(&format!(
            "select pg_get_userbyid(datdba), (select array_agg(x::text order by x::text) from unnest(datacl) x), (select setconfig::text from pg_db_role_setting
             where setdatabase = d.oid and setrole = 0) from pg_database d where datname = '{name}'"
        ))
    };
    let (found, expected) = (properties(&name), properties(&own));
    world.drop_databases(&[&name]);
    assert_eq!(found, expected);
    assert!(found.contains("work_mem=7MB"), "{found}");
}

#[test]
fn a_database_that_exists_is_never_written_to() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    world.database.sql("delete from events where id > 10");
    for switch in [false, true] {
        let request = |request| RecoverRequest { switch, confirm: switch, ..request };
        let error = world.recover(world.database.name(), request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
    assert_eq!(world.database.sql("select count(*) from events").trim(), "10");
}

#[test]
fn a_restore_that_fails_leaves_no_database() {
    let world = BackupWorld::new(ROWS);
    let entry = world.back_up(&world.request()).unwrap();
    let part = world.path("backups").join(&entry.manifest.files[1].path);
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let name = world.new_name();
    let error = world.recover(&name, |request| request).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BrokenChain | ErrorKind::Source), "{error}");
    let found = world.database.sql(&format!("select count(*) from pg_database where datname = '{name}'"));
    assert_eq!(found.trim(), "0");
}

#[test]
fn a_restored_database_takes_the_name_and_the_old_one_is_kept() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    // The session of the test is in a database of its own.
    let (other, live, name) = (BackupWorld::new("select 1"), world.database.name().to_owned(), world.new_name());
    world.database.sql("delete from events");
    let switch = |confirm| move |request| RecoverRequest { switch: true, confirm, ..request };
    let shown = world.recover(&name, switch(false)).unwrap().switch.unwrap();
    assert!(!shown.done);
    let kept = shown.kept.unwrap();
    assert_eq!(kept, format!("{live}_before_20261129T120000Z"));
    // The second call restores nothing.
    let done = world.recover(&name, switch(true)).unwrap();
    assert!(!done.seconds.contains_key("restore"), "{done:?}");
    assert!(done.switch.unwrap().done);
    assert_eq!(world.database.sql("select count(*) from events").trim(), "6000");
    let old = other.database.sql(&format!("select count(*) from pg_database where datname = '{kept}'"));
    other.drop_databases(&[&kept]);
    assert_eq!(old.trim(), "1");
}

#[test]
fn a_switch_that_is_done_is_not_done_again() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let (other, live, name) = (BackupWorld::new("select 1"), world.database.name().to_owned(), world.new_name());
    let switch = |request| RecoverRequest { switch: true, confirm: true, ..request };
    let kept = world.recover(&name, switch).unwrap().switch.unwrap().kept.unwrap();
    world.database.sql("delete from events where id > 1");
    let again = world.recover(&name, switch).unwrap();
    other.drop_databases(&[&kept]);
    assert!(again.already, "{again:?}");
    assert_eq!(world.database.sql("select count(*) from events").trim(), "1");
    let names = other.database.sql(&format!("select count(*) from pg_database where datname like '{live}%'"));
    assert_eq!(names.trim(), "1");
}

#[test]
fn names_that_are_not_utf_8_do_not_matter() {
    let world = BackupWorld::of(
        Database::with_options("template template0 encoding 'LATIN1' locale 'C'"),
        &test_variable("KT_TEST_POSTGRES_BIN"),
        "create table \"tábla\" as select 1 as n",
    );
    world.back_up(&world.request()).unwrap();
    let name = world.new_name();
    let report = world.recover(&name, |request| request).unwrap();
    world.drop_databases(&[&name]);
    assert_eq!(report.equal, Some(true));
}

#[test]
fn what_a_killed_recovery_left_is_made_anew() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let name = world.new_name();
    world.database.sql(&format!("create database \"{name}\""));
    world.database.sql(&format!("comment on database \"{name}\" is 'kt-archive: unfinished'"));
    let report = world.recover(&name, |request| request).unwrap();
    world.drop_databases(&[&name]);
    assert_eq!(report.equal, Some(true));
}

#[test]
fn nothing_is_renamed_while_sessions_use_the_database() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let name = world.new_name();
    let session = world.database.session();
    let error = world.recover(&name, |request| RecoverRequest { switch: true, confirm: true, ..request }).unwrap_err();
    drop(session);
    world.drop_databases(&[&name]);
    assert!(error.to_string().contains("sessions use the database"), "{error}");
}

#[test]
fn roles_that_exist_keep_their_rights() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("createdb");
    world.back_up(&world.request()).unwrap();
    world.database.sql(&format!("alter role {role} nocreatedb connection limit 3"));
    let name = world.new_name();
    world.recover(&name, |request| request).unwrap();
    let found = world.database.sql(&format!("select rolcreatedb, rolconnlimit from pg_roles where rolname = '{role}'"));
    world.drop_databases(&[&name]);
    assert_eq!(found.trim(), "f|3");
}

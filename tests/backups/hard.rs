//! Databases that are hard to save: odd names, other encodings, nothing at all, very long values, very many tables.

use super::{BackupWorld, result};
use crate::support::{postgres::Database, test_variable};

/// Saves, restores on trial, and expects equality. Returns how many tables and rows were compared.
#[track_caller]
fn prove(world: &BackupWorld) -> (usize, u64) {
    let entry = world.back_up(&world.request()).unwrap();
    let drill = result(world);
    assert_eq!((drill.equal, drill.differences), (Some(true), Vec::new()));
    let tables = &super::database(&entry).tables;
    (tables.len(), tables.iter().map(|table| table.rows).sum())
}

fn with_options(options: &str, statements: &str) -> BackupWorld {
    BackupWorld::of(Database::with_options(options), &test_variable("KT_TEST_POSTGRES_BIN"), statements)
}

#[test]
fn names_with_quotes_blanks_and_any_letters_are_proved() {
    let world = BackupWorld::new(
        "create schema \"ä schema\";
        create table \"ä schema\".\"a \"\"table\"\"; --\" (\"id'\" int primary key, \"wert €\" text default 'it''s');
        insert into \"ä schema\".\"a \"\"table\"\"; --\" values (1, '表'), (2, E'\\\\\\n');
        create table \"select\" as select 1 as \"from\"; create sequence \"my seq\"; select nextval('\"my seq\"')",
    );
    assert_eq!(prove(&world), (2, 3));
}

#[test]
fn an_empty_database_is_proved() {
    assert_eq!(prove(&BackupWorld::new("select 1")), (0, 0));
}

#[test]
fn databases_of_other_encodings_are_proved() {
    let rows = "create table words (word text); insert into words values ('Grüße'), ('naïve')";
    assert_eq!(prove(&with_options("template template0 encoding 'LATIN1' locale 'C'", rows)), (1, 2));
    let bytes = "create table words (word text); insert into words values (E'\\\\xe9'), ('plain')";
    assert_eq!(prove(&with_options("template template0 encoding 'SQL_ASCII' locale 'C'", bytes)), (1, 2));
}

#[test]
fn partitions_generated_columns_views_and_large_objects_are_proved() {
    let world = BackupWorld::new(
        "create table events (id int, at date, double int generated always as (id * 2) stored) partition by range (at);
        create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
        create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01');
        insert into events (id, at) select n, date '2026-01-20' + n from generate_series(1, 30) n;
        create unlogged table cache as select 1; create materialized view totals as select count(*) from events;
        create table keys (id int generated always as identity primary key, note text);
        insert into keys (note) values ('a'), ('b');
        select lo_from_bytea(0, decode(repeat('ab', 5000), 'hex')), lo_from_bytea(0, '')",
    );
    assert_eq!(prove(&world), (4, 33));
}

#[test]
fn a_value_of_300_megabytes_is_proved() {
    let world = BackupWorld::new(
        "create table long_values (id int, value text);
        alter table long_values alter value set storage external;
        insert into long_values select 1, repeat('0123456789abcdef', 300 * 65536)",
    );
    assert_eq!(prove(&world), (1, 1));
}

#[test]
fn ten_thousand_tables_are_proved() {
    let world = BackupWorld::new("select 1");
    for block in 0..20 {
        let create = (0..500).map(|n| format!("create table t_{block}_{n} as select {n} as n;"));
        world.database.sql(&create.collect::<String>());
    }
    assert_eq!(prove(&world), (10_000, 10_000));
}

//! A run reads one snapshot: a concurrent transaction is archived entirely or not at all.

use super::{DatabaseWorld, MONTH};
use crate::support::postgres::Session;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const ACCOUNTS: u64 = 12_000;

/// Accounts with 1,000 each, one on a page, so that a run reads several slices and is slow enough for concurrent writes.
fn accounts(index: &str) -> DatabaseWorld {
    DatabaseWorld::new(&format!(
        "create table events (id bigint primary key, created_at timestamptz not null, balance bigint, note text) with (fillfactor = 15);
         insert into events
         select id, timestamptz '2025-03-01Z' + id * interval '31 days' / ({ACCOUNTS} + 1), 1000, repeat('x', 900)
         from generate_series(1, {ACCOUNTS}) as id;
         {index}; analyze events;"
    ))
}

/// One transaction: inserts an event, and moves money between two accounts, which also move in time and on disk.
fn turn(writer: &mut Session, number: u64) {
    let (from, to) = (number * 7919 % ACCOUNTS + 1, number * 104_729 % ACCOUNTS + 1);
    let elsewhere =
        |part: u64| format!("timestamptz '2025-03-01Z' + {} * interval '31 days' / 997", number * part % 997);
    writer.run(&format!(
        "begin;
         insert into events values ({}, {}, 0, 'new');
         update events set balance = balance - 1, created_at = {}, note = note || 'y' where id = {from};
         update events set balance = balance + 1, created_at = {}, note = note || 'z' where id = {to};
         commit",
        ACCOUNTS + number,
        elsewhere(3),
        elsewhere(5),
        elsewhere(11)
    ));
}

/// Archives beside a writer, and asserts that the month is one snapshot.
#[track_caller]
fn assert_one_snapshot(world: &DatabaseWorld, connections: &str) {
    let done = AtomicBool::new(false);
    let turns = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut writer = world.database.session();
            let mut turns = 0;
            while !done.load(Ordering::Relaxed) {
                turns += 1;
                turn(&mut writer, turns);
            }
            turns
        });
        thread::sleep(Duration::from_millis(100));
        let outcome = world.run(&["--connections", connections]);
        done.store(true, Ordering::Relaxed);
        let turns = writing.join().unwrap();
        outcome.expect(0);
        turns
    });
    assert!(turns > 20, "the writer did only {turns} turns");
    world.archive().check();
    let rows = world.archive().rows(MONTH);
    let mut ids = rows.iter().map(|row| row["id"].parse::<u64>().unwrap()).collect::<Vec<_>>();
    ids.sort_unstable();
    let seen = ids.len() as u64;
    assert!(ids.into_iter().eq(1..=seen), "an id is missing or repeated");
    assert!(seen > ACCOUNTS && seen <= ACCOUNTS + turns + 1, "{seen} events of {turns} turns");
    let money = rows.iter().map(|row| row["balance"].parse::<i64>().unwrap()).sum::<i64>();
    assert_eq!(money.unsigned_abs(), ACCOUNTS * 1_000, "half a transaction is archived");
}

#[test]
fn rows_moved_during_page_reads_are_archived_once() {
    assert_one_snapshot(&accounts(""), "2");
}

#[test]
fn rows_moved_during_time_reads_are_archived_once() {
    assert_one_snapshot(&accounts("create index on events (created_at)"), "3");
}

/// Two rows with one id, without a unique index.
fn twice(second: &str) -> DatabaseWorld {
    DatabaseWorld::new(&format!(
        "create table events (id text, created_at timestamptz, note text, cost numeric(10,2), list text[]);
         insert into events values ('a', '2025-03-10', 'x', 1.5, '{{a,NULL}}'), ('b', '2025-03-10', 'y', null, null), ('a', {second});"
    ))
}

#[test]
fn exact_duplicate_rows_are_dropped_and_counted() {
    let world = twice("'2025-03-10', 'x', 1.50, array['a', null]");
    world.run(&[]).expect(0);
    world.archive().check();
    assert_eq!(world.archived_ids(MONTH).len(), 2);
    let events = world.archive().month(MONTH)["events"].clone();
    assert_eq!((&events["read"], &events["duplicates"], &events["source_count"]), (&json!(3), &json!(1), &json!(3)));
}

#[test]
fn id_with_two_contents_is_refused_or_kept() {
    for second in [
        "'2025-03-11', 'x', 1.5, '{a,NULL}'",
        "'2025-03-10', 'x', 1.5, '{a,\"NULL\"}'",
        "'2025-03-10', null, 1.5, '{a,NULL}'",
    ] {
        let world = twice(second);
        world.run(&[]).expect(5);
        world.assert_nothing_committed();
        world.run(&["--conflicts", "keep"]).expect(5);
        let events = world.archive().month(MONTH)["events"].clone();
        assert_eq!((&events["archived"], &events["conflicts"]), (&json!(3), &json!(2)), "{second}");
    }
}

#[test]
fn only_an_index_that_keeps_ids_unique_vouches_for_them() {
    let repeated = "insert into events values ('1', '2025-03-05Z', 'a');";
    let inherited = "create unique index on events (id); create table later () inherits (events); \
                     insert into later values ('1', '2025-03-05Z', 'a');";
    let cases = [
        ("bigint", "create unique index ids on events (id);".to_owned(), json!("ids"), 0),
        ("text collate \"C\"", "create unique index ids on events (id) include (note);".to_owned(), json!("ids"), 0),
        // Libraries change collations, and the index then misses equal texts.
        ("text", "create unique index ids on events (id);".to_owned(), Value::Null, 0),
        ("bigint", "alter table events add unique (id) deferrable;".to_owned(), Value::Null, 0),
        ("bigint", format!("create index on events (id); {repeated}"), Value::Null, 1),
        ("bigint", format!("create unique index on events (id) where id <> 1; {repeated}"), Value::Null, 1),
        (
            "bigint",
            format!("alter table events add tail int; create unique index on events (id, tail); {repeated}"),
            Value::Null,
            1,
        ),
        ("bigint", inherited.to_owned(), Value::Null, 1),
    ];
    for (id, statements, vouching, duplicates) in cases {
        let table = format!(
            "create table events (id {id} not null, created_at timestamptz not null, note text);
             insert into events values ('1', '2025-03-05Z', 'a'), ('2', '2025-03-06Z', 'b');"
        );
        let world = DatabaseWorld::new(&(table + &statements));
        world.run(&[]).expect(0);
        let manifest = world.archive().month(MONTH);
        assert_eq!(manifest["source"]["detail"]["unique_ids"], vouching, "{id}: {statements}");
        assert_eq!(manifest["events"]["duplicates"], duplicates, "{id}: {statements}");
    }
}

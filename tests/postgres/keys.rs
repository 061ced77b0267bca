//! Choice of table, id column and time column: from the catalogue or by name.

use super::{DatabaseWorld, MONTH, march};
use crate::support::{cli::Outcome, together};
use std::collections::BTreeSet;

/// Asserts that a run is refused as a configuration error before any read, and returns its hint.
#[track_caller]
fn refused(world: &DatabaseWorld, flags: &[&str]) -> String {
    let outcome = world.run(flags).expect(2);
    world.assert_nothing_committed();
    hint(&outcome)
}

#[track_caller]
fn hint(outcome: &Outcome) -> String {
    let report = outcome.json();
    let error = [&report["months"][0]["error"], &report["error"]].into_iter().find(|error| error["hint"].is_string());
    error.unwrap_or_else(|| panic!("no hint: {report}"))["hint"].as_str().unwrap().to_owned()
}

/// A table `events` with these columns and one event of March.
fn one_event(columns: &str, values: &str) -> DatabaseWorld {
    DatabaseWorld::new(&format!("create table events ({columns}); insert into events values ({values});"))
}

#[track_caller]
fn assert_keys(world: &DatabaseWorld, flags: &[&str], id: &str, time: &str) {
    world.run(flags).expect(0);
    world.archive().check();
    let manifest = world.archive().month(MONTH);
    assert_eq!((&manifest["schema"]["id"], &manifest["schema"]["time"]), (&id.into(), &time.into()));
    assert_eq!(manifest["events"]["archived"], 1);
}

#[test]
fn key_columns_are_found_by_their_platform_names() {
    let times = ["timestamp", "created_at", "occurred_at", "time"];
    let cases =
        ["event_id", "id", "eventId"].map(|id| (id, "timestamp")).into_iter().chain(times.map(|time| ("id", time)));
    together(cases, |(id, time)| {
        let world = one_event(&format!("\"{id}\" text, \"{time}\" timestamptz, note text"), "'a', '2025-03-10', 'x'");
        assert_keys(&world, &[], id, time);
    });
}

#[test]
fn ids_may_be_text_uuids_or_numbers() {
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let cases = [
        ("text", "ü \"x\""),
        ("varchar(40)", "evt_1"),
        ("uuid", uuid),
        ("bigint", "-9223372036854775808"),
        ("integer", "7"),
        ("smallint", "7"),
    ];
    together(cases, |(kind, id)| {
        let world = one_event(&format!("id {kind}, created_at timestamptz"), &format!("'{id}', '2025-03-10'"));
        world.run(&[]).expect(0);
        assert_eq!(world.archive().ids(MONTH), [id], "{kind}");
        world.host.run(&["verify", "--json"]).expect(0);
    });
}

#[test]
fn id_of_another_type_is_refused() {
    together(["double precision", "jsonb", "timestamptz"], |kind| {
        let world = one_event(&format!("id {kind}, created_at timestamptz, ref text"), "null, '2025-03-10', 'a'");
        let hint = refused(&world, &[]);
        assert!(hint.contains("ref"), "{kind}: {hint}");
    });
}

#[test]
fn time_without_zone_is_read_as_utc_in_every_server_zone() {
    let world = DatabaseWorld::new(
        "create table events (id text, created_at timestamp);
         insert into events values ('february', '2025-02-28 23:59:59.999999'), ('first', '2025-03-01 00:00:00'),
                                   ('last', '2025-03-31 23:59:59.999999'), ('april', '2025-04-01 00:00:00');",
    );
    world.database.sql(&format!("alter database {} set timezone = 'Pacific/Kiritimati'", world.database.name()));
    world.run(&[]).expect(0);
    assert_eq!(world.archive().ids(MONTH), ["first", "last"]);
    assert_eq!(world.archive().month(MONTH)["events"]["first"], "2025-03-01T00:00:00.000000Z");
}

#[test]
fn key_columns_and_table_can_be_named() {
    let world = DatabaseWorld::new(
        "create schema ai; create table ai.decisions (id text, timestamp timestamptz, ref bigint, seen timestamptz);
         insert into ai.decisions values ('a', '2025-01-10', 5, '2025-03-10');",
    );
    let table = ["--table", "ai.decisions"];
    assert_keys(&world, &[&table[..], &["--id-column", "ref", "--time-column", "seen"]].concat(), "ref", "seen");
}

#[test]
fn names_may_hold_any_character_sql_allows() {
    let world = DatabaseWorld::new(
        r#"create schema "Odd schema"; create table "Odd schema"."My ""Events""; drop table x;--"
             ("Id" text primary key, "the ""time""" timestamptz, "select" text, "ünï, cödé" text, "a''b\n" text, "Select" text);
           create index on "Odd schema"."My ""Events""; drop table x;--" ("the ""time""");
           insert into "Odd schema"."My ""Events""; drop table x;--" values ('a', '2025-03-10', 'x', 'ü', null, 'y');"#,
    );
    let table = r#""Odd schema"."My ""Events""; drop table x;--""#;
    let flags = ["--table", table, "--id-column", "Id", "--time-column", "the \"time\""];
    assert_keys(&world, &flags, "Id", "the \"time\"");
    let row = world.archive().rows(MONTH).remove(0);
    assert_eq!((row["select"].as_str(), row["Select"].as_str(), row["ünï, cödé"].as_str()), ("x", "y", "ü"));
}

#[test]
fn missing_table_is_refused_with_a_list_of_tables() {
    let world =
        DatabaseWorld::new("create table ai_decision_events (id text, timestamp timestamptz); create schema other;");
    let hint = refused(&world, &[]);
    assert!(hint.contains("ai_decision_events"), "{hint}");
    for table in ["other.events", "events; drop table ai_decision_events", "a.b.c.d", "\"", "public.", "evénts"] {
        refused(&world, &["--table", table]);
    }
    world.run(&["--table", ""]).expect(2);
    assert_eq!(world.database.sql("select count(*) from ai_decision_events"), "0");
}

#[test]
fn table_without_key_columns_is_refused_with_candidates() {
    let world = DatabaseWorld::new("create table events (reference text, stamp timestamptz, cost numeric)");
    assert!(refused(&world, &[]).contains("reference"));
    let hint = refused(&world, &["--id-column", "reference"]);
    assert!(hint.contains("stamp") && hint.contains("--time-column"), "{hint}");
    let hint = refused(&world, &["--id-column", "referense", "--time-column", "stamp"]);
    assert!(hint.contains("reference"), "{hint}");
}

#[test]
fn time_column_of_another_type_is_refused() {
    together(["text", "bigint", "date", "time"], |kind| {
        let world = DatabaseWorld::new(&format!("create table events (id text, timestamp {kind}, seen timestamptz)"));
        let hint = refused(&world, &[]);
        assert!(hint.contains("seen"), "{kind}: {hint}");
    });
}

#[test]
fn column_named_month_is_refused_until_renamed() {
    let world = one_event("id text, created_at timestamptz, month integer", "'a', '2025-03-10', 3");
    let outcome = world.run(&[]).expect(6);
    world.assert_nothing_committed();
    assert!(hint(&outcome).contains("--rename month="), "{}", outcome.output());
    world.run(&["--rename", "month=flight_month"]).expect(0);
    assert_eq!(world.archive().rows(MONTH)[0]["flight_month"], "3");
}

#[test]
fn views_and_materialised_views_are_archived() {
    let world = DatabaseWorld::new(&march(20));
    world.database.sql(
        "create view seen as select id, created_at, upper(note) as note from events where id > 5;
         create materialized view kept as select * from events where id <= 5;",
    );
    world.run(&["--table", "seen"]).expect(0);
    world.assert_archived(MONTH, "seen");
    world.run(&["--table", "kept", "--dataset", "kept"]).expect(0);
    assert_eq!(world.archive().manifest(2)["events"]["archived"], 5);
}

#[test]
fn relations_without_rows_are_refused() {
    let world = DatabaseWorld::new(
        "create sequence events; create type pair as (id text, created_at timestamptz); create table t (id text primary key)",
    );
    refused(&world, &[]);
    refused(&world, &["--table", "pair"]);
    refused(&world, &["--table", "t_pkey"]);
}

#[test]
fn organisation_filter_reads_only_its_rows() {
    let odd = "o'rg\\\"; drop table events; --";
    let world = DatabaseWorld::new(&format!(
        "create table events (id text, org_id text, created_at timestamptz);
         insert into events values ('a', 'one', '2025-03-10'), ('b', 'two', '2025-03-10'), ('c', null, '2025-03-10'),
           ('d', $${odd}$$, '2025-03-10'), ('lost', 'two', null);",
    ));
    // A row without a time fails only its own organisation.
    let flags = |org| ["--where-org", org];
    world.run(&flags("two")).expect(5);
    world.run(&[&flags("one")[..], &["--dataset", "one", "--table", "events"]].concat()).expect(0);
    world.run(&[&flags(odd)[..], &["--dataset", "odd", "--table", "events"]].concat()).expect(0);
    world.run(&[&flags("nobody")[..], &["--dataset", "none", "--table", "events"]].concat()).expect(5);
    let archived = world.archive().manifests().into_iter().map(|manifest| manifest["events"]["archived"].clone());
    assert_eq!(archived.collect::<Vec<_>>(), [1, 1]);
    let manifest = world.archive().manifest(2);
    assert!(manifest["source"]["detail"].to_string().contains("org"), "{}", manifest["source"]);
}

#[test]
fn organisation_may_be_a_uuid() {
    let world = DatabaseWorld::new(
        "create table events (id text, org_id uuid, created_at timestamptz);
         insert into events values ('a', '0f8fad5b-d9cb-469f-a165-70867728950e', '2025-03-10'), ('b', null, '2025-03-10');",
    );
    world.run(&["--where-org", "0f8fad5b-d9cb-469f-a165-70867728950e"]).expect(0);
    assert_eq!(world.archive().ids(MONTH), ["a"]);
}

#[test]
fn organisation_without_its_column_is_refused() {
    let world = DatabaseWorld::new(&march(3));
    assert!(refused(&world, &["--where-org", "one"]).contains("--where-org"));
}

#[test]
fn organisation_of_another_type_is_refused() {
    for kind in ["integer", "uuid", "json"] {
        let world = DatabaseWorld::new(&march(3));
        world.database.sql(&format!("alter table events add org_id {kind}"));
        assert!(refused(&world, &["--where-org", "one"]).contains("column's type"), "{kind}");
    }
}

#[test]
fn platform_datasets_have_default_tables() {
    let columns = "(id text, created_at timestamptz)";
    let tables = ["events", "audit_log", "escalations", "ai_decision_events"];
    let create = tables
        .map(|table| format!("create table {table} {columns}; insert into {table} values ('{table}', '2025-03-10');"));
    let world = DatabaseWorld::new(&create.concat());
    world.run(&["--dataset", "events,audit-log,escalations,ai_decision_events"]).expect(0);
    let archive = world.archive();
    archive.check();
    let datasets = archive.manifests().into_iter().map(|manifest| manifest["dataset"].as_str().unwrap().to_owned());
    let expected = ["events", "audit-log", "escalations", "ai_decision_events"].map(str::to_owned);
    assert_eq!(datasets.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}

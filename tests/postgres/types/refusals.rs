//! Values that the archive's types cannot hold: their rows are rejected.

use super::{DatabaseWorld, MONTH, march};
use crate::support::{postgres::Database, together};

/// Asserts that of a good and a bad value, the row of the bad one is rejected.
#[track_caller]
fn assert_rejected(declared: &str, good: &str, bad: &str) {
    let world = DatabaseWorld::new(&format!(
        "create table events (id text primary key, created_at timestamptz default '2025-03-10', bad {declared});
         insert into events (id, bad) values ('good', '{good}'), ('bad', '{bad}'), ('null', null);"
    ));
    let outcome = world.run(&[]).expect(5);
    world.assert_nothing_committed();
    let message = outcome.json()["months"][0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("bad"), "the message lacks the column: {message}");
    world.run(&["--rejects", "keep"]).expect(5);
    let archive = world.archive();
    archive.check();
    assert_eq!(archive.ids(MONTH), ["good", "null"], "{declared} {bad}");
    let rejects = archive.rejects(MONTH);
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert_eq!(rejects[0]["column"], "bad");
    let events = archive.month(MONTH)["events"].clone();
    let counts = ["read", "archived", "rejected", "source_count"].map(|name| events[name].as_u64().unwrap());
    assert_eq!(counts, [3, 2, 1, 3]);
}

#[test]
fn text_that_is_not_utf8_is_rejected_in_a_database_without_an_encoding() {
    let mut world = DatabaseWorld::new("");
    let bytes = Database::new_sql_ascii();
    bytes.sql(
        "create table events (id text primary key, created_at timestamptz default '2025-03-10', note text, list text[]);
         insert into events (id, note, list) values ('a', 'ü', null), ('b', E'\\xff', null), ('c', null, array[E'\\xe4']);",
    );
    world.host.set("KT_ARCHIVE_SOURCE", bytes.url());
    world.host.set("KT_ARCHIVE_CONNECTIONS", "2");
    world.run(&[]).expect(5);
    world.assert_nothing_committed();
    let outcome = world.run(&["--rejects", "keep"]).expect(5);
    assert_eq!(world.archived_ids(MONTH).into_iter().collect::<Vec<_>>(), ["a"], "{}", outcome.output());
    let rejects = world.archive().month(MONTH)["events"]["rejected"].clone();
    assert_eq!(rejects, 2);
}

#[test]
fn infinite_time_is_rejected() {
    let columns = [("timestamptz", "2025-03-01Z"), ("timestamp", "2025-03-01"), ("date", "2025-03-01")];
    let cases = columns.iter().flat_map(|column| [(column, "infinity"), (column, "-infinity")]);
    together(cases, |((declared, good), bad)| assert_rejected(declared, good, bad));
}

#[test]
fn infinite_time_in_a_list_is_rejected() {
    together(["timestamptz", "timestamp", "date"], |element| {
        assert_rejected(&format!("{element}[]"), "{2025-03-01}", "{2025-03-01,infinity}");
    });
}

#[test]
fn nan_decimal_is_rejected() {
    assert_rejected("numeric(18,8)", "1.5", "NaN");
    assert_rejected("numeric(18,8)[]", "{1.5,NULL}", "{1.5,NaN}");
}

#[test]
fn times_beyond_the_microsecond_range_are_rejected() {
    let late = "294276-12-31 23:59:59.999999";
    together([("timestamptz", "+00"), ("timestamp", "")], |(declared, zone)| {
        assert_rejected(declared, &format!("294247-01-10 04:00:54.775807{zone}"), &format!("{late}{zone}"));
    });
}

#[test]
fn end_of_day_time_is_rejected() {
    assert_rejected("time", "23:59:59.999999", "24:00");
}

#[test]
fn many_columns_with_undeclared_dimensions_are_read() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let columns = names.map(|name| format!(", {name} integer[]")).concat();
    let values = names.map(|_| ", '{{1},{2}}'").concat();
    let world = DatabaseWorld::new(&format!(
        "create table events (id bigint, created_at timestamptz not null{columns});
         insert into events values (1, '2025-03-10'{values})"
    ));
    world.run(&[]).expect(0);
    let columns = world.archive().month(MONTH)["schema"]["columns"].clone();
    let json = columns.as_array().unwrap().iter().filter(|column| column["type"] == "json").count();
    assert_eq!(json, names.len(), "{columns}");
}

/// An event with this time, among three events with valid times.
fn without_time(time: &str) -> DatabaseWorld {
    let world = DatabaseWorld::new(&march(3));
    world.database.sql(&format!(
        "alter table events alter created_at drop not null; insert into events values (9, {time}, 'lost')"
    ));
    world
}

#[test]
fn rows_without_a_time_are_rejected_in_every_month() {
    together(["null", "'infinity'", "'-infinity'"], |time| {
        let world = without_time(time);
        let outcome = world.run(&[]).expect(5);
        world.assert_nothing_committed();
        assert!(outcome.output().contains("created_at"), "{}", outcome.output());
        world.run(&["--rejects", "keep"]).expect(5);
        let archive = world.archive();
        archive.check();
        assert_eq!(archive.ids(MONTH), ["1", "2", "3"]);
        assert_eq!(archive.month(MONTH)["events"]["rejected"], 1, "{time}");
        assert_eq!(archive.rejects(MONTH).len(), 1);
    });
}

#[test]
fn nullable_time_column_without_nulls_is_accepted() {
    let world = DatabaseWorld::new(&march(3));
    world.database.sql("alter table events alter created_at drop not null");
    world.run(&[]).expect(0);
    let time = world.archive().month(MONTH)["schema"]["columns"][1].clone();
    assert_eq!(time["nullable"], false, "the time column is nullable");
}

#[test]
fn row_without_an_id_is_rejected() {
    let world = DatabaseWorld::new(
        "create table events (id text, created_at timestamptz default '2025-03-10');
         insert into events (id) values ('a'), (null);",
    );
    world.run(&[]).expect(5);
    world.assert_nothing_committed();
    world.run(&["--rejects", "keep"]).expect(5);
    assert_eq!(world.archive().ids(MONTH), ["a"]);
    assert_eq!(world.archive().rejects(MONTH)[0]["column"], "id");
}

#[test]
fn organisation_of_an_extensions_type_is_refused() {
    let world = DatabaseWorld::new(
        "create extension citext;
         create table events (id text primary key, created_at timestamptz default '2025-03-10', org_id citext);
         insert into events (id, org_id) values ('a', 'Acme'), ('b', 'acme');",
    );
    let refused = world.run(&["--where-org", "acme"]).expect(2);
    assert!(refused.output().contains("casts the column to text"), "{}", refused.output());
    world.run(&[]).expect(0);
    assert_eq!(world.archived_ids(MONTH).len(), 2);
}

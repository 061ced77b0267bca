//! Tables that change between months: each month has its own schema.

use super::DatabaseWorld;
use crate::support::foreign::read_exactly;
use serde_json::{Value, json};

/// Two months; the first one is archived before `change`.
fn changed(change: &str) -> DatabaseWorld {
    let world = DatabaseWorld::new(
        "create table events (id text primary key, created_at timestamptz not null, note text, cost numeric(18,8), count integer);
         insert into events values ('february', '2025-02-10', 'n', 1.5, 1), ('march', '2025-03-10', 'm', 2.5, 2);",
    );
    world.backfill("2025-02", "2025-02", &[]).expect(0);
    world.database.sql(change);
    world
}

fn names(manifest: &Value) -> Vec<String> {
    let columns = manifest["schema"]["columns"].as_array().unwrap().iter();
    columns.map(|column| column["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_month_has_its_own_columns() {
    let world = changed("alter table events drop note, add region text default 'eu', add seen timestamptz[]");
    world.backfill("2025-02", "2025-03", &[]).expect(0);
    let archive = world.archive();
    archive.check();
    assert_eq!(names(&archive.month("2025-02")), ["id", "created_at", "note", "cost", "count"]);
    assert_eq!(names(&archive.month("2025-03")), ["id", "created_at", "cost", "count", "region", "seen"]);
    world.host.run(&["verify", "--json"]).expect(0);
    let (columns, rows) = read_exactly("duckdb", &archive);
    assert_eq!(columns.as_object().unwrap().len(), 7, "{columns}");
    let value = |id: &str, column: &str| rows[id][column].clone();
    assert_eq!((value("february", "note"), value("february", "region")), (json!("n"), Value::Null));
    assert_eq!((value("march", "note"), value("march", "region")), (Value::Null, json!("eu")));
    assert_eq!((value("february", "cost"), value("march", "cost")), (json!("1.50000000"), json!("2.50000000")));
}

#[test]
fn column_of_another_type_is_refused_unless_accepted() {
    let changes = [
        ("cost type numeric(20,8)", "decimal(18,8)", "decimal(20,8)"),
        ("count type bigint", "int32", "int64"),
        ("note type jsonb using to_jsonb(note)", "text", "json"),
        ("cost type numeric", "decimal(18,8)", "text"),
    ];
    for (change, before, after) in changes {
        let world = changed(&format!("alter table events alter {change}"));
        let outcome = world.backfill("2025-02", "2025-03", &[]).expect(3);
        assert_eq!(world.archive().months(), ["2025-02"]);
        let message = outcome.json()["months"][1]["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(before) && message.contains(after), "{message}");
        world.run(&[]).expect(5);
        world.run(&["--accept-schema-change"]).expect(0);
        world.archive().check();
        assert_eq!(world.archive().months(), ["2025-02", "2025-03"]);
    }
}

#[test]
fn same_archived_type_is_no_type_change() {
    let world =
        changed("alter table events alter note type varchar(40), alter note set not null, add check (count > 0)");
    world.run(&[]).expect(0);
    let column = world.archive().month("2025-03")["schema"]["columns"][2].clone();
    assert_eq!(
        column,
        json!({"name": "note", "type": "text", "source_type": "character varying(40)", "nullable": false})
    );
}

#[test]
fn reordered_columns_are_the_same_columns() {
    let world = changed(
        "create table again (count integer, cost numeric(18,8), note text, created_at timestamptz, id text);
         insert into again select count, cost, note, created_at, id from events; drop table events; alter table again rename to events;",
    );
    world.run(&[]).expect(0);
    assert_eq!(names(&world.archive().month("2025-03")), ["count", "cost", "note", "created_at", "id"]);
    let (_, rows) = read_exactly("duckdb", &world.archive());
    assert_eq!((&rows["february"]["count"], &rows["march"]["count"]), (&json!("1"), &json!("2")));
}

//! Manifests of months from PostgreSQL.

use super::{DatabaseWorld, MONTH, march};
use crate::support::now;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

fn manifest(count: u32, flags: &[&str]) -> (DatabaseWorld, Value) {
    let world = DatabaseWorld::new(&march(count));
    world.run(flags).expect(0);
    world.archive().check();
    let manifest = world.archive().month(MONTH);
    (world, manifest)
}

#[test]
fn source_url_has_no_user_and_query() {
    let world = DatabaseWorld::new(&march(3));
    let mut host = world.host;
    host.set("KT_ARCHIVE_SOURCE", format!("{}?application_name=somebody&connect_timeout=5", world.database.url()));
    let world = DatabaseWorld { host, ..world };
    world.run(&[]).expect(0);
    let source = world.archive().month(MONTH)["source"].clone();
    assert_eq!(source["type"], "postgres");
    assert_eq!(source["url"], format!("postgres://{}/{}", world.database.server(), world.database.name()));
}

#[test]
fn version_snapshot_table_and_slices_are_recorded() {
    let (world, manifest) = manifest(30, &[]);
    let detail = &manifest["source"]["detail"];
    let version = world.database.sql("show server_version");
    assert_eq!(detail["server_version"], version, "{detail}");
    assert_eq!(detail["table"], "public.events", "{detail}");
    assert!(detail["snapshot"].to_string().contains(|digit: char| digit.is_ascii_digit()), "{detail}");
    assert_eq!(detail["slices"]["by"], "ctid", "{detail}");
    assert!(detail["slices"]["count"].as_u64().unwrap() > 0);
}

#[test]
fn columns_record_the_server_type_names() {
    let (_, manifest) = manifest(3, &[]);
    let column = |name: &str, kind: &str, source_type: &str, nullable: bool| json!({"name": name, "type": kind, "source_type": source_type, "nullable": nullable});
    let expected = [
        column("id", "int64", "bigint", false),
        column("created_at", "timestamp(us,UTC)", "timestamp with time zone", false),
        column("note", "text", "text", true),
    ];
    assert_eq!(manifest["schema"]["columns"], json!(expected));
}

#[test]
fn unique_index_that_vouches_for_the_ids_is_recorded() {
    let (_, manifest) = manifest(3, &[]);
    assert_eq!(manifest["source"]["detail"]["unique_ids"], "events_pkey");
}

#[test]
fn server_count_equals_the_rows_read() {
    let (_, manifest) = manifest(1_234, &["--connections", "3"]);
    let counts = ["read", "archived", "source_count"].map(|name| manifest["events"][name].as_u64());
    assert_eq!(counts, [Some(1_234); 3]);
    let nothing =
        ["outside_window", "duplicates", "conflicts", "rejected"].map(|name| manifest["events"][name].as_u64());
    assert_eq!(nothing, [Some(0); 4]);
}

#[test]
fn server_clock_is_recorded() {
    let before = now();
    let (_, manifest) = manifest(3, &[]);
    let clock = manifest["source_clock"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(before <= clock && clock <= now(), "{clock}");
}

#[test]
fn clock_skew_from_the_server_exits_with_75() {
    let mut world = DatabaseWorld::new(&march(3));
    let later = now() + chrono::TimeDelta::minutes(20);
    world.host.set_time(&later.format("%Y-%m-%d %H:%M:%S").to_string());
    world.run(&[]).expect(75);
    world.assert_nothing_committed();
}

#[test]
fn same_rows_make_the_same_files() {
    let world = DatabaseWorld::new(&march(500));
    let identity = |name: &str| {
        let root = world.host.path(name);
        std::fs::create_dir(&root).unwrap();
        let text = r#"{"format": "keeptrusts-archive/1", "archive": "0f8fad5b-d9cb-469f-a165-70867728950e", "created_at": "2025-01-01T00:00:00.000000Z"}"#;
        std::fs::write(root.join("archive.json"), text).unwrap();
    };
    let files = ["one", "five"].map(|name| {
        identity(name);
        let connections = if name == "one" { "1" } else { "5" };
        world.run(&["--archive", name, "--connections", connections]).expect(0);
        crate::support::archive::Archive::at(world.host.path(name)).data_snapshot()
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn empty_month_is_refused_unless_allowed() {
    let world = DatabaseWorld::new(&march(3));
    let february = ["run", "--month", "2025-02", "--json"];
    world.host.run(&february).expect(5);
    world.host.run(&[&february[..], &["--allow-empty"]].concat()).expect(0);
    world.archive().check();
    let manifest = world.archive().month("2025-02");
    assert_eq!((&manifest["events"]["read"], &manifest["events"]["source_count"]), (&json!(0), &json!(0)));
}

#[test]
fn transforms_apply_to_tables() {
    let (world, manifest) = manifest(4, &["--drop", "note"]);
    assert_eq!(manifest["schema"]["columns"].as_array().unwrap().len(), 2);
    assert_eq!(manifest["transforms"], json!([{"name": "drop", "columns": ["note"]}]));
    assert!(!world.archive().rows(MONTH)[0].contains_key("note"));
}

#[test]
fn artifact_format_is_refused_for_tables() {
    let world = DatabaseWorld::new(&march(3));
    world.run(&["--format", "artifact"]).expect(2);
    world.assert_nothing_committed();
}

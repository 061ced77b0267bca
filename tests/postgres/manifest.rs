//! What a manifest says of a month that came from PostgreSQL.

use super::{Desk, MONTH, march};
use crate::support::now;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

fn manifest(count: u32, flags: &[&str]) -> (Desk, Value) {
    let desk = Desk::new(&march(count));
    desk.run(flags).expect(0);
    desk.archive().check();
    let manifest = desk.archive().month(MONTH);
    (desk, manifest)
}

#[test]
fn source_url_has_no_user_and_query() {
    let desk = Desk::new(&march(3));
    let mut host = desk.host;
    host.set("KT_ARCHIVE_SOURCE", format!("{}?application_name=somebody&connect_timeout=5", desk.database.url()));
    let desk = Desk { host, ..desk };
    desk.run(&[]).expect(0);
    let source = desk.archive().month(MONTH)["source"].clone();
    assert_eq!(source["type"], "postgres");
    assert_eq!(source["url"], format!("postgres://{}/{}", desk.database.server(), desk.database.name()));
}

#[test]
fn version_snapshot_table_and_slices_are_recorded() {
    let (desk, manifest) = manifest(30, &[]);
    let detail = &manifest["source"]["detail"];
    let version = desk.database.sql("show server_version");
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
    let mut desk = Desk::new(&march(3));
    let later = now() + chrono::TimeDelta::minutes(20);
    desk.host.set_time(&later.format("%Y-%m-%d %H:%M:%S").to_string());
    desk.run(&[]).expect(75);
    desk.assert_nothing_committed();
}

#[test]
fn same_rows_make_the_same_files() {
    let desk = Desk::new(&march(500));
    let identity = |name: &str| {
        let root = desk.host.path(name);
        std::fs::create_dir(&root).unwrap();
        let text = r#"{"format": "keeptrusts-archive/1", "archive": "0f8fad5b-d9cb-469f-a165-70867728950e", "created_at": "2025-01-01T00:00:00.000000Z"}"#;
        std::fs::write(root.join("archive.json"), text).unwrap();
    };
    let files = ["one", "five"].map(|name| {
        identity(name);
        let connections = if name == "one" { "1" } else { "5" };
        desk.run(&["--archive", name, "--connections", connections]).expect(0);
        crate::support::archive::Archive::at(desk.host.path(name)).data_snapshot()
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn empty_month_is_refused_unless_allowed() {
    let desk = Desk::new(&march(3));
    let february = ["run", "--month", "2025-02", "--json"];
    desk.host.run(&february).expect(5);
    desk.host.run(&[&february[..], &["--allow-empty"]].concat()).expect(0);
    desk.archive().check();
    let manifest = desk.archive().month("2025-02");
    assert_eq!((&manifest["events"]["read"], &manifest["events"]["source_count"]), (&json!(0), &json!(0)));
}

#[test]
fn transforms_apply_to_tables() {
    let (desk, manifest) = manifest(4, &["--drop", "note"]);
    assert_eq!(manifest["schema"]["columns"].as_array().unwrap().len(), 2);
    assert_eq!(manifest["transforms"], json!([{"name": "drop", "columns": ["note"]}]));
    assert!(!desk.archive().rows(MONTH)[0].contains_key("note"));
}

#[test]
fn artifact_format_is_refused_for_tables() {
    let desk = Desk::new(&march(3));
    desk.run(&["--format", "artifact"]).expect(2);
    desk.assert_nothing_committed();
}

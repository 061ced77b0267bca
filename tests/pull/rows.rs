//! The events and values of a slice.

use super::{archived, ids, ordinary, pull, rows};
use crate::support::{
    events::{self, COLUMNS, Event},
    foreign::read_slice,
    script::Script,
    world::World,
};
use std::{collections::BTreeMap, fs};

#[test]
fn range_is_half_open() {
    let edges = [events::edges("2025-03").to_vec(), events::edges("2025-02").to_vec()].concat();
    let world =
        archived(edges.into_iter().filter(|event| ("2025-02".."2025-04").contains(&&event.0[1][..7])).collect());
    let slice = |from, to| {
        let mut ids = ids(&world.host, from, to, &[]);
        ids.sort();
        ids
    };
    let march = ["edge_2025-02_after", "edge_2025-03_first", "edge_2025-03_last"];
    assert_eq!(slice("2025-03-01", "2025-04-01"), march);
    assert_eq!(slice("2025-03", "2025-03-31T23:59:59.999999Z"), march[..2]);
    assert_eq!(slice("2025-03-01T00:00:00.000001Z", "2025-04"), march[2..]);
    let touching = ["edge_2025-02_last", "edge_2025-03_before"];
    assert_eq!(slice("2025-02-28T23:59:59.999999Z", "2025-03-01"), touching);
    assert_eq!(slice("2025-03-01T00:59:59.999999+01:00", "2025-03-01T00:00:00Z"), touching);
}

#[test]
fn events_are_in_archive_order() {
    let world = archived(ordinary());
    let all = ids(&world.host, "2025-02", "2025-04", &[]);
    let archive = world.archive();
    let stored = ["2025-02", "2025-03"].iter().flat_map(|month| archive.rows(month));
    assert_eq!(all, stored.map(|row| row["id"].clone()).collect::<Vec<_>>());
}

#[test]
fn conditions_are_anded_and_values_of_a_column_ored() {
    let world = archived([ordinary(), events::difficult("2025-03")].concat());
    let archive = world.archive();
    let stored = ["2025-02", "2025-03"].iter().flat_map(|month| archive.rows(month)).collect::<Vec<_>>();
    let expected = |matches: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        stored.iter().filter(|row| matches(row)).map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    let slice = |conditions: &[&str]| {
        let more = conditions.iter().flat_map(|condition| ["--match", condition]).collect::<Vec<_>>();
        ids(&world.host, "2025-02", "2025-04", &more)
    };
    let blocked = slice(&["decision=blocked", "model=gpt-4o", "model=mistral-large"]);
    assert!(!blocked.is_empty());
    assert_eq!(blocked, expected(&|row| row["decision"] == "blocked" && row["model"] != "claude-sonnet-4"));
    let comma = slice(&["note=comma, \"quoted\" and 'single'"]);
    assert_eq!(comma, expected(&|row| row["note"].starts_with("comma,")));
    assert_eq!(slice(&["note==cmd|' /C calc'!A0"]).len(), 1);
    assert_eq!(slice(&["input_tokens="]), expected(&|row| row["input_tokens"].is_empty()));
    assert_eq!(slice(&["cost_usd=0.0037"]), expected(&|row| row["cost_usd"] == "0.0037"));
    assert_eq!(slice(&["cost_usd=0.003700"]), [] as [String; 0]);
}

#[test]
fn slice_without_events_is_written() {
    let world = archived(ordinary());
    for format in ["csv", "jsonl", "parquet"] {
        let document = pull(&world.host, format, "2025-02", "2025-04", &["--match", "model=none"]).expect(0).json();
        assert_eq!(document["rows"], 0);
    }
    assert_eq!(fs::read_to_string(world.host.path("slice.csv")).unwrap(), format!("{}\n", COLUMNS.join(",")));
    assert_eq!(fs::read(world.host.path("slice.jsonl")).unwrap(), b"");
    let read = read_slice("pyarrow-parquet", &world.host.path("slice.parquet"));
    assert_eq!((read.rows.len(), read.columns.as_object().unwrap().len()), (0, COLUMNS.len()));
}

#[test]
fn foreign_readers_see_archived_values_in_every_format() {
    let world = archived([events::difficult("2025-03"), events::month("2025-02", 20)].concat());
    for (format, reader) in [
        ("csv", "duckdb-csv"),
        ("csv.gz", "duckdb-csv"),
        ("jsonl", "duckdb-jsonl"),
        ("jsonl.gz", "duckdb-jsonl"),
        ("parquet", "duckdb-parquet"),
        ("parquet", "pyarrow-parquet"),
    ] {
        let output = format!("read.{format}");
        let kind = format.trim_end_matches(".gz");
        let range = ["pull", "--from", "2025-02", "--to", "2025-04", "--force", "--format", kind, "--output", &output];
        world.run(&range).expect(0);
        let read = read_slice(reader, &world.host.path(&output));
        assert_eq!(read.columns.as_object().unwrap().keys().collect::<Vec<_>>(), COLUMNS, "{format}");
        let archive = world.archive();
        let stored = ["2025-02", "2025-03"].iter().flat_map(|month| archive.rows(month));
        let stored = stored.map(|row| (row["id"].clone(), row)).collect::<BTreeMap<_, _>>();
        assert_eq!(read.rows.len(), stored.len());
        for row in &read.rows {
            let expected = &stored[row["id"].as_str().unwrap()];
            for column in ["decision", "note", "user_id", "metadata", "input_tokens", "latency_ms"] {
                assert_eq!(row[column].as_str().unwrap_or_default(), expected[column], "{column} with {reader}");
            }
        }
    }
}

#[test]
fn jsonl_keeps_all_digits() {
    let world = archived(events::difficult("2025-03").into_iter().chain(events::month("2025-02", 3)).collect());
    pull(&world.host, "jsonl", "2025-03", "2025-04", &["--columns", "cost_usd,input_tokens"]).expect(0);
    let text = fs::read_to_string(world.host.path("slice.jsonl")).unwrap();
    for line in [
        r#"{"cost_usd":12345678901234567890.123456789012345678,"input_tokens":812}"#,
        r#"{"cost_usd":-0.5,"input_tokens":812}"#,
        r#"{"cost_usd":null,"input_tokens":812}"#,
        r#"{"cost_usd":0.0037,"input_tokens":9007199254740993}"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn columns_are_selected_in_the_given_order() {
    let world = archived(ordinary());
    let more = ["--columns", "model,id", "--match", "decision=blocked"];
    pull(&world.host, "csv", "2025-03", "2025-04", &more).expect(0);
    let text = fs::read_to_string(world.host.path("slice.csv")).unwrap();
    assert!(text.starts_with("model,id\n"), "{text}");
    let archive = world.archive();
    let stored = archive.rows("2025-03").into_iter().filter(|row| row["decision"] == "blocked");
    let stored = stored.map(|row| format!("{},{}", row["model"], row["id"])).collect::<Vec<_>>();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), stored);
}

#[test]
fn columns_of_all_months_are_united() {
    let artifact = |month: &str, names: &str, values: &str| {
        let text = format!("id,timestamp,{names}\ne_{month},{month}-10T00:00:00Z,{values}\n");
        World::new(Script::from_bytes(text))
    };
    let world = artifact("2025-02", "model,old", "m,1");
    world.archive_month("2025-02").expect(0);
    let mut later = artifact("2025-03", "new,model", "2,m");
    later.host.set("KT_ARCHIVE_ARCHIVE", world.archive().root().display().to_string());
    later.archive_month("2025-03").expect(0);
    let host = &world.host;
    pull(host, "csv", "2025-02", "2025-04", &[]).expect(0);
    let expected = "\
id,timestamp,model,old,new
e_2025-02,2025-02-10T00:00:00.000000Z,m,1,
e_2025-03,2025-03-10T00:00:00.000000Z,m,,2
";
    assert_eq!(fs::read_to_string(host.path("slice.csv")).unwrap(), expected);
    assert_eq!(ids(host, "2025-02", "2025-04", &["--match", "new=2"]), ["e_2025-03"]);
    assert_eq!(ids(host, "2025-02", "2025-04", &["--match", "new="]), [] as [String; 0]);
    let refused = pull(host, "csv", "2025-02", "2025-03", &["--match", "new=2"]).expect(2);
    assert!(refused.output().contains("\\\"new\\\""), "{}", refused.output());
}

#[test]
fn csv_only_month_gives_the_same_slice() {
    let events = [events::difficult("2025-03"), events::month("2025-03", 30)].concat();
    let slice = |formats: &str| {
        let mut world = World::new(Script::new(events.clone()));
        world.host.set("KT_ARCHIVE_FORMAT", formats);
        world.archive_month("2025-03").expect(0);
        let rows = rows(&world.host, "2025-03-05", "2025-03-25", &["--match", "decision=allowed"]);
        let manifest = fs::read(world.host.path("slice.jsonl.manifest.json")).unwrap();
        let manifest = serde_json::from_slice::<serde_json::Value>(&manifest).unwrap();
        let path = manifest["manifests"][0]["files"][0]["path"].as_str().unwrap().to_owned();
        (rows, path.split('/').nth(1).unwrap().to_owned())
    };
    let (from_parquet, parquet) = slice("parquet,csv");
    let (from_csv, csv) = slice("csv");
    assert_eq!((parquet.as_str(), csv.as_str()), ("parquet", "csv"));
    assert!(from_parquet.len() > 10);
    assert_eq!(from_parquet, from_csv);
}

#[test]
fn formulas_are_escaped_on_request() {
    let events = events::difficult("2025-03").into_iter().chain([Event::at("x", "2025-02-02T00:00:00Z")]).collect();
    let world = archived(events);
    let note = |more: &[&str]| {
        let more = [&["--columns", "note", "--match", "note==cmd|' /C calc'!A0"], more].concat();
        pull(&world.host, "csv", "2025-03", "2025-04", &more).expect(0);
        fs::read_to_string(world.host.path("slice.csv")).unwrap()
    };
    assert_eq!(note(&[]), "note\n=cmd|' /C calc'!A0\n");
    assert_eq!(note(&["--csv-safe"]), "note\n\"'=cmd|' /C calc'!A0\"\n");
    let manifest = fs::read_to_string(world.host.path("slice.csv.manifest.json")).unwrap();
    assert!(manifest.contains("\"csv_safe\": true"), "{manifest}");
}

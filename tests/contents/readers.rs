//! DuckDB, PyArrow and an independent verifier read the events that the platform delivered.

use crate::support::{
    archive::files,
    events::{self, COLUMNS, Event},
    foreign::{ReadBack, read_back, verify},
    script::Script,
    world::World,
};
use std::collections::BTreeMap;

const MONTH: &str = "2025-03";

fn world() -> (World, BTreeMap<String, Event>) {
    let events = [events::difficult(MONTH), events::month(MONTH, 50), events::month("2025-02", 10)].concat();
    let world = World::new(Script::new(events.clone()));
    world.run(&["backfill", "--from", "2025-02", "--to", MONTH, "--json"]).expect(0);
    world.archive().check();
    let by_id = events.into_iter().map(|event| (event.id().to_owned(), event)).collect();
    (world, by_id)
}

/// Asserts that each event was read back as delivered. `canonical` gives equal values equal texts.
#[track_caller]
fn assert_same(read: &ReadBack, events: &BTreeMap<String, Event>, canonical: fn(&str, &str) -> String) {
    assert_eq!(read.rows.len(), events.len());
    for row in &read.rows {
        let event = &events[row["id"].as_str().unwrap()];
        for (column, sent) in COLUMNS.iter().zip(&event.0) {
            let found = row[column].as_str().map(|text| canonical(column, text));
            // An empty field of a CSV artifact is NULL.
            let sent = (!sent.is_empty()).then(|| canonical(column, sent));
            assert_eq!(found, sent, "{column} of {}", event.id());
        }
        let month = row["month"].as_str().unwrap();
        assert_eq!(month, &event.0[1][..7], "the folder of {}", event.id());
    }
}

/// Normalises times and decimals; returns other values unchanged.
fn canonical(column: &str, text: &str) -> String {
    match column {
        "timestamp" => {
            let digits = text.replace(' ', "T").replace("+00:00", "").replace("+00", "").replace('Z', "");
            let (seconds, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
            format!("{seconds}.{fraction:0<6}")
        }
        "cost_usd" if text.contains('.') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => text.to_owned(),
    }
}

#[test]
fn duckdb_reads_the_same_events_from_parquet() {
    let (world, events) = world();
    let read = read_back("duckdb-parquet", &world.archive());
    assert_same(&read, &events, canonical);
    assert_eq!(read.columns["timestamp"], "TIMESTAMP WITH TIME ZONE");
    assert_eq!(read.columns["cost_usd"], "DECIMAL(38,18)");
    assert_eq!(read.columns["input_tokens"], "BIGINT");
    assert_eq!(read.columns["note"], "VARCHAR");
}

#[test]
fn pyarrow_reads_the_same_events_from_parquet() {
    let (world, events) = world();
    let read = read_back("pyarrow-parquet", &world.archive());
    assert_same(&read, &events, canonical);
    assert_eq!(read.columns["timestamp"], "timestamp[us, tz=UTC]");
    assert_eq!(read.columns["cost_usd"], "decimal128(38, 18)");
    assert_eq!(read.columns["input_tokens"], "int64");
}

#[test]
fn duckdb_reads_the_same_events_from_csv() {
    let (world, events) = world();
    assert_same(&read_back("duckdb-csv", &world.archive()), &events, canonical);
}

#[test]
fn csv_holds_the_canonical_text_of_each_value() {
    let (world, events) = world();
    for row in world.archive().rows(MONTH) {
        let event = &events[&row["id"]];
        for (column, sent) in COLUMNS.iter().zip(&event.0) {
            let sent = if *column == "cost_usd" { canonical(column, sent) } else { sent.clone() };
            assert_eq!(row[*column], sent, "{column} of {}", event.id());
        }
    }
}

#[test]
fn format_page_suffices_to_verify_and_read_an_archive() {
    let (world, events) = world();
    let verified = verify(&world.archive());
    assert_eq!(verified["findings"], serde_json::json!([]));
    assert_eq!((&verified["manifests"], &verified["files"]), (&2.into(), &4.into()));
    assert_eq!(verified["events"], events.len());
}

#[test]
fn month_in_small_parts_reads_the_same() {
    let long = events::month(MONTH, 4_000).into_iter().zip(0..);
    let long = long.map(|(event, index)| event.with("note", events::digits(index, 2_048))).collect();
    let events = [events::difficult(MONTH), long].concat();
    let world = World::new(Script::new(events.clone()));
    world.run(&["run", "--month", MONTH, "--part-size", "1MiB", "--json"]).expect(0);
    world.run(&["verify", "--json"]).expect(0);
    let archive = world.archive();
    archive.check();
    let manifest = archive.month(MONTH);
    for format in ["parquet", "csv"] {
        let names = files(&manifest).filter(|file| file["format"] == format);
        let names = names.map(|file| file["path"].as_str().unwrap().rsplit_once('/').unwrap().1);
        let numbers = names.map(|name| name[5..10].parse::<usize>().unwrap()).collect::<Vec<_>>();
        assert!(numbers.len() > 2 && numbers.iter().copied().eq(0..numbers.len()), "{format}: {numbers:?}");
    }
    let read = archive.rows(MONTH).into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(read, events.iter().map(|event| event.id().to_owned()).collect::<Vec<_>>(), "another order");
    let events = events.into_iter().map(|event| (event.id().to_owned(), event)).collect();
    for reader in ["duckdb-parquet", "pyarrow-parquet", "duckdb-csv"] {
        assert_same(&read_back(reader, &archive), &events, canonical);
    }
}

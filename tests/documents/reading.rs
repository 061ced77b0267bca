//! The snippets of `docs/reading.md` give the exact answers of the archive's CSV files.

use crate::support::{
    archive::{Archive, files},
    events,
    script::Script,
    test_variable,
    world::World,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

const MONTHS: [&str; 4] = ["2025-01", "2025-02", "2025-03", "2025-04"];

/// Three months of the demo, as on the page, and one with other columns and long decimals.
fn world() -> World {
    let world = World::new(Script::new(events::difficult(MONTHS[3])));
    let months = ["backfill", "--from", MONTHS[0], "--to", MONTHS[2], "--json"];
    // Invented events share an archive with no others, but a file may hold any.
    world
        .run(&[&months[..], &["--source", "demo:?events=300", "--archive", "demo", "--format", "csv"]].concat())
        .expect(0);
    world.run(&[&months[..], &["--source", "demo/events/csv/*/*.csv.gz"]].concat()).expect(0);
    world.run(&["run", "--month", MONTHS[3], "--accept-source-change", "--json"]).expect(0);
    world
}

/// Archives the demo with columns of every type beside the archive of `world`, and returns the rows of March.
fn archive_typed(world: &World, name: &str, options: &[&str]) -> Vec<BTreeMap<String, String>> {
    let root = world.archive().root().with_file_name(name);
    let place = root.display().to_string();
    let demo = ["backfill", "--from", MONTHS[0], "--to", MONTHS[2], "--source", "demo:?types=all&events=300"];
    let archive = ["--archive", &place, "--format", "parquet,csv", "--json"];
    world.run(&[&demo[..], &archive, options].concat()).expect(0);
    Archive::at(root).rows(MONTHS[2])
}

/// Id, time of day, cost, retries and number of labels of the first five events with metadata.
fn typed_answer(rows: &[BTreeMap<String, String>]) -> Value {
    let with_metadata = rows.iter().filter(|row| !row["metadata"].is_empty()).take(5);
    let answer = with_metadata.map(|row| {
        let metadata = serde_json::from_str::<Value>(&row["metadata"]).unwrap();
        let labels = serde_json::from_str::<Vec<Value>>(&row["labels"]).unwrap();
        let cost = row["cost_usd"].trim_end_matches('0').trim_end_matches('.');
        json!([row["id"], row["time_of_day"], cost, metadata["retries"].to_string(), labels.len().to_string()])
    });
    answer.collect()
}

/// Runs the snippets with these `names`, or all if there are none, in the parent folder of the archive.
fn try_snippets(world: &World, names: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(test_variable("KT_TEST_PYTHON"));
    command.arg(root.join("tests/readers/reading.py")).arg(root.join("docs/reading.md")).args(names);
    command.current_dir(world.archive().root().parent().unwrap()).output().unwrap()
}

/// The output of the snippets: rows of texts by snippet name.
#[track_caller]
fn snippets(world: &World, names: &[&str]) -> BTreeMap<String, Value> {
    let output = try_snippets(world, names);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sum of decimals with up to 18 decimal places, without trailing zeros.
fn sum<'a>(numbers: impl Iterator<Item = &'a str>) -> String {
    let units = |number: &str| {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        format!("{whole}{fraction:0<18}").parse::<i128>().unwrap()
    };
    let sum = numbers.filter(|number| !number.is_empty()).map(units).sum::<i128>();
    let text = format!("{}.{:018}", sum / 10_i128.pow(18), sum % 10_i128.pow(18));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The correct answers to the page's questions.
fn answers(world: &World) -> BTreeMap<&'static str, Value> {
    let archive = world.archive();
    let (mut union, mut committed, mut decisions, mut retries) = (vec![], vec![], BTreeMap::new(), 0);
    for month in MONTHS {
        let rows = archive.rows(month);
        let cost = sum(rows.iter().map(|row| row["cost_usd"].as_str()));
        let typed = rows.iter().filter(|row| row.contains_key("event_type")).count();
        union.push(json!([month, rows.len().to_string(), cost, typed.to_string()]));
        if month > MONTHS[0] {
            committed.push(json!([month, rows.len().to_string()]));
        }
        for row in rows.iter().filter(|_| month == MONTHS[2]) {
            *decisions.entry(row["decision"].clone()).or_insert(0_u32) += 1;
        }
        for row in rows.iter().filter(|row| month <= MONTHS[2] && !row["metadata"].is_empty()) {
            retries += serde_json::from_str::<Value>(&row["metadata"]).unwrap()["retries"].as_u64().unwrap();
        }
    }
    let decisions = decisions.into_iter().map(|(decision, events)| json!([decision, events.to_string()]));
    BTreeMap::from([
        ("month", decisions.collect()),
        ("csv", json!([[union[2][2]]])),
        ("union", Value::Array(union)),
        ("committed", Value::Array(committed)),
        ("json", json!([[retries.to_string()]])),
    ])
}

#[test]
fn every_snippet_gives_the_same_correct_answer() {
    let world = world();
    let typed = typed_answer(&archive_typed(&world, "typed", &[]));
    archive_typed(&world, "compatible", &["--parquet-compat"]);
    let (shown, mut answers) = (snippets(&world, &[]), answers(&world));
    answers.extend([("typed", typed.clone()), ("compatible", typed)]);
    let mut readers = BTreeMap::<_, u32>::new();
    for (name, rows) in &shown {
        if let Some((reader, question)) = name.split_once(' ').filter(|(_, question)| *question != "lines") {
            assert_eq!(rows, &answers[question], "{name}");
            *readers.entry(reader).or_default() += 1;
        }
    }
    let expected = [
        ("clickhouse", 5),
        ("daft", 2),
        ("datafusion", 2),
        ("delta", 1),
        ("duckdb", 6),
        ("iceberg", 1),
        ("pandas", 4),
        ("polars", 4),
        ("psql", 1),
        ("pyarrow", 2),
        ("spark", 7),
    ];
    assert_eq!(readers, BTreeMap::from(expected));
    let [right, wrong] = [0, 1].map(|row| shown["spark lines"][row][0].as_str().unwrap().parse::<usize>().unwrap());
    assert_eq!(right, world.archive().rows(MONTHS[2]).len());
    assert!(wrong > right, "Spark reads multi-line values without options: shorten the page");
    compare_types(&shown);
    assert_eq!(shown["sums"], json!([["unchanged"]]));
    assert_eq!(shown["committed"], json!([["month=2025-02"], ["month=2025-03"], ["month=2025-04"]]));
    assert_eq!(shown["files"], json!([[committed_file(&world)]]));
}

/// The table of the page has the types that the readers give, and `--parquet-compat` leaves none that they do not read.
fn compare_types(shown: &BTreeMap<String, Value>) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md")).unwrap();
    let rows = |name: &str| {
        let rows = shown[name].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    let measured = rows("types");
    assert_eq!(measured.len(), 10);
    assert!(measured.iter().all(|row| page.contains(row)), "docs/format.md should have:\n{}", measured.join("\n"));
    for row in rows("compatible") {
        let only_null_lists_differ = row.starts_with("| ClickHouse") && row.ends_with("| all but NULL in lists |");
        assert!(!row.contains("fails") && (row.ends_with("| yes |") || only_null_lists_differ), "{row}");
    }
}

/// The file of March, relative to the archive's root.
fn committed_file(world: &World) -> String {
    let march = world.archive().month(MONTHS[2]);
    let file = files(&march).find(|file| file["format"] == "parquet").unwrap();
    file["path"].as_str().unwrap().to_owned()
}

#[test]
fn chain_aware_snippets_read_only_committed_files() {
    let world = world();
    let root = world.archive().root().to_owned();
    let file = root.join(committed_file(&world));
    fs::copy(&file, file.with_file_name("part-00001-0000000000000000.parquet")).unwrap();
    let careful =
        ["duckdb committed", "pyarrow committed", "clickhouse committed", "polars union", "pandas union", "daft union"];
    // Earlier snippets that these ones use.
    let others = ["committed", "polars month", "pandas month", "files"];
    let shown = snippets(&world, &[&careful[..], &others].concat());
    let answers = answers(&world);
    for name in careful {
        assert_eq!(shown[name], answers[name.split_once(' ').unwrap().1], "{name}");
    }
    assert_eq!(shown["files"], json!([[committed_file(&world)]]));
    assert_ne!(shown["polars month"], answers["month"], "a scan misses the uncommitted file");
}

#[test]
fn changed_file_is_not_read() {
    let world = world();
    let file = world.archive().root().join(committed_file(&world));
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    for name in ["committed", "sums"] {
        let output = try_snippets(&world, &[name]);
        assert!(!output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

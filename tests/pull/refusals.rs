//! Requests and archives for which `pull` writes no slice.

use super::{archived, ordinary, pull, slices};
use crate::support::{archive::manifest_path, cli::Host, script::Script, world::World};
use std::fs;

#[track_caller]
fn assert_refused(world: &World, more: &[&str], code: i32, words: &str) {
    let outcome = pull(&world.host, "csv", "2025-03-02", "2025-03-20", more).expect(code);
    let document = outcome.json();
    assert!(outcome.output().contains(words), "{words} is missing: {}", outcome.output());
    assert_eq!((&document["rows"], &document["output"], &document["manifest"]), (&0.into(), &().into(), &().into()));
    assert_eq!(slices(&world.host), [] as [String; 0]);
}

#[test]
fn changed_or_missing_file_exits_with_4() {
    let world = archived(ordinary());
    let path = world.archive().path(&world.archive().file("2025-03", "parquet"));
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&path, changed).unwrap();
    assert_refused(&world, &[], 4, "is not what was committed");
    fs::write(&path, &whole[1..]).unwrap();
    assert_refused(&world, &[], 4, "part-00000-");
    fs::remove_file(&path).unwrap();
    assert_refused(&world, &[], 4, "is missing");
    // Files of other months are not read, so damage there does not matter.
    pull(&world.host, "csv", "2025-02-02", "2025-03-01", &[]).expect(0);
}

#[test]
fn only_committed_files_are_read() {
    let world = archived(ordinary());
    let path = world.archive().path(&world.archive().file("2025-03", "parquet"));
    fs::copy(&path, path.with_file_name("part-00001-0123456789abcdef.parquet")).unwrap();
    let document = pull(&world.host, "csv", "2025-03", "2025-04", &[]).expect(0).json();
    assert_eq!(document["rows"], 60);
}

#[test]
fn broken_chain_exits_with_4() {
    let world = archived(ordinary());
    let path = world.archive().path(&manifest_path(1));
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(&path, manifest.replace("\"duplicates\": 0", "\"duplicates\":  0")).unwrap();
    assert_refused(&world, &[], 4, "chain");
    fs::remove_file(&path).unwrap();
    assert_refused(&world, &[], 4, "chain");
}

#[test]
fn missing_archive_exits_with_7() {
    let world = World::new(Script::new(Vec::new()));
    assert_refused(&world, &[], 7, "no archive here");
}

#[test]
fn invalid_requests_exit_with_2() {
    let world = archived(ordinary());
    assert_refused(&world, &["--columns", "id,modle"], 2, "did you mean \\\"model\\\"?");
    assert_refused(&world, &["--match", "desicion=blocked"], 2, "did you mean \\\"decision\\\"?");
    assert_refused(&world, &["--columns", "id,id"], 2, "named twice");
    assert_refused(&world, &["--dataset", "events,traces"], 2, "name one with --dataset");
    assert_refused(&world, &["--match", "model"], 2, "COLUMN=VALUE");
    assert_refused(&world, &["--format", "jsonl"], 2, "several are named");
    for (format, output, words) in [
        ("jsonl", "slice.jsonl", "--csv-safe"),
        ("parquet", "slice.parquet", "--csv-safe"),
        ("csv", "missing/slice.csv", "does not exist"),
        ("csv", "archive/slice.csv", "is inside the archive"),
        ("csv", "archive", "is a folder"),
    ] {
        let range = ["pull", "--from", "2025-03", "--to", "2025-04", "--format", format, "--output", output];
        let outcome = world.run(&[&range[..], &["--csv-safe", "--json"]].concat()).expect(2);
        assert!(outcome.output().contains(words), "{words} is missing: {}", outcome.output());
    }
    let backwards = world.run(&["pull", "--from", "2025-03-02", "--to", "2025-03-02", "--format", "csv"]).expect(2);
    assert!(backwards.stderr.contains("holds no instant"), "{}", backwards.stderr);
    let artifact = ["pull", "--from", "2025-03", "--to", "2025-04", "--format", "artifact", "--output", "slice"];
    world.run(&artifact).expect(2);
}

#[test]
fn exactly_one_format_is_required() {
    let world = archived(ordinary());
    let range = ["pull", "--from", "2025-03", "--to", "2025-04", "--output", "slice"];
    // The host's setting is `parquet,csv`.
    let both = world.run(&range).expect(2);
    assert!(both.stderr.contains("several are named"), "{}", both.stderr);
    let host = Host::new();
    let none = host.run(&range).expect(2);
    assert!(none.stderr.contains("use --format csv, parquet or jsonl"), "{}", none.stderr);
}

#[test]
fn name_that_contradicts_the_format_exits_with_2() {
    let world = archived(ordinary());
    for (format, output) in
        [("parquet", "slice.csv"), ("csv", "slice.parquet"), ("jsonl", "slice.csv.gz"), ("csv", "slice.json")]
    {
        let range = ["pull", "--from", "2025-03", "--to", "2025-04", "--format", format, "--output", output];
        let outcome = world.run(&range).expect(2);
        assert!(outcome.stderr.contains(&format!("and --format is {format}")), "{}", outcome.stderr);
    }
    assert_eq!(slices(&world.host), [] as [String; 0]);
}

#[test]
fn run_refuses_jsonl() {
    let world = World::new(Script::new(Vec::new()));
    let outcome = world.run(&["run", "--month", "2025-03", "--format", "jsonl"]).expect(2);
    assert!(outcome.stderr.contains("not archived as jsonl"), "{}", outcome.stderr);
}

#[test]
fn file_sets_the_match_and_not_the_columns_of_a_pull() {
    let world = archived(ordinary());
    let range = ["pull", "--config", "a.toml", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--force"];
    fs::write(world.host.path("a.toml"), "columns = ['id']\noutput = 'slice.csv'\n").unwrap();
    world.run(&range).expect(0);
    let slice = fs::read_to_string(world.host.path("slice.csv")).unwrap();
    assert!(slice.starts_with("id,timestamp,"), "{slice}");
    fs::write(world.host.path("a.toml"), "match = 'model=gpt-4o'\noutput = 'slice.csv'\n").unwrap();
    world.run(&range).expect(0);
    let manifest = fs::read_to_string(world.host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_str::<serde_json::Value>(&manifest).unwrap();
    assert_eq!(manifest["match"], serde_json::json!({"model": ["gpt-4o"]}));
    let mut world = world;
    world.host.set("KT_ARCHIVE_MATCH", "model=nobody, known");
    world.host.set("KT_ARCHIVE_COLUMNS", "model,id");
    pull(&world.host, "csv", "2025-03", "2025-04", &[]).expect(0);
    assert_eq!(fs::read_to_string(world.host.path("slice.csv")).unwrap(), "model,id\n");
}

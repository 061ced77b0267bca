//! The files of a slice: where they are written, what the manifest records, and what an interrupted pull leaves.

use super::{archived, ordinary, pull, slices};
use crate::support::{
    archive::{manifest_path, sha256},
    cli::{Host, Running},
};
use serde_json::{Value, json};
use std::{fs, path::Path, thread, time::Duration};

const PULL: [&str; 9] =
    ["pull", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--output", "out/slice.csv.gz"];

#[test]
fn existing_files_are_replaced_only_with_force() {
    let world = archived(ordinary());
    fs::create_dir(world.host.path("out")).unwrap();
    for taken in ["out/slice.csv.gz", "out/slice.csv.gz.manifest.json"] {
        fs::write(world.host.path(taken), "theirs").unwrap();
        let refused = world.run(&PULL).expect(2);
        assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
        assert_eq!(fs::read(world.host.path(taken)).unwrap(), b"theirs");
        assert_eq!(names(&world.host.path("out")).len(), 1);
        fs::remove_file(world.host.path(taken)).unwrap();
    }
    fs::write(world.host.path("out/slice.csv.gz"), "theirs").unwrap();
    world.run(&[&PULL[..], &["--force"]].concat()).expect(0);
    assert_eq!(names(&world.host.path("out")), ["slice.csv.gz", "slice.csv.gz.manifest.json"]);
    assert!(fs::read(world.host.path("out/slice.csv.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
    assert_eq!(slices(&world.host), [] as [String; 0]);
}

#[test]
fn text_output_names_the_file() {
    let world = archived(ordinary());
    let outcome = world.run(&[&PULL[..8], &["slice.csv", "--match", "model=gpt-4o"]].concat()).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    assert!(outcome.stdout.starts_with("20 events of 60 events in the range, "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("slice.csv.manifest.json"), "{}", outcome.stdout);
}

const RANGE: [&str; 5] = ["pull", "--from", "2025-03", "--to", "2025-04"];

#[test]
fn format_follows_the_name() {
    let world = archived(ordinary());
    // The host's formats are those of a run: `parquet,csv`.
    for (name, start) in [
        ("slice.csv", &b"id,timestamp,"[..]),
        ("slice.csv.gz", &[0x1f, 0x8b]),
        ("slice.jsonl", b"{\"id\":"),
        ("slice.ndjson", b"{\"id\":"),
        ("slice.parquet", b"PAR1"),
    ] {
        world.run(&[&RANGE[..], &["--output", name]].concat()).expect(0);
        let slice = fs::read(world.host.path(name)).unwrap();
        assert!(slice.starts_with(start), "{name}: {:?}", &slice[..20]);
    }
}

#[test]
fn slice_on_standard_output_equals_that_in_a_file() {
    let world = archived(ordinary());
    world.run(&[&RANGE[..], &["--output", "slice.csv"]].concat()).expect(0);
    let to_stdout = [&RANGE[..], &["--output", "-", "--format", "csv"]].concat();
    let outcome = world.run(&to_stdout).expect(0);
    assert_eq!(outcome.stdout, fs::read_to_string(world.host.path("slice.csv")).unwrap());
    assert!(outcome.stderr.contains("60 events, ") && outcome.stderr.contains("on no record"), "{}", outcome.stderr);
    assert_eq!(world.run(&[&to_stdout[..], &["--quiet"]].concat()).expect(0).stderr, "");
    assert_eq!(slices(&world.host), ["slice.csv", "slice.csv.manifest.json"]);
    assert!(!world.host.path("-").try_exists().unwrap());
    assert_eq!(names(&world.host.state_dir().join("pull")), [] as [String; 0]);
    for (more, words) in [(&["--json"][..], "--json"), (&["--format", "parquet"], "parquet")] {
        let arguments = [&RANGE[..], &["--output", "-"], more].concat();
        let arguments = if more == ["--json"] { [&arguments[..], &["--format", "csv"]].concat() } else { arguments };
        let outcome = world.run(&arguments).expect(2);
        assert!(outcome.output().contains(words) && !outcome.stdout.contains("PAR1"), "{}", outcome.output());
    }
}

#[test]
fn damage_leaves_standard_output_empty() {
    let world = archived(ordinary());
    let path = world.archive().path(&world.archive().file("2025-03", "parquet"));
    fs::write(&path, &fs::read(&path).unwrap()[1..]).unwrap();
    assert_eq!(world.run(&[&RANGE[..], &["--output", "-", "--format", "csv"]].concat()).expect(4).stdout, "");
}

/// A host with a month that is slow to pull.
fn large() -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=200000&seed=7");
    host.run(&["run", "--month", "2025-03", "--quiet"]).expect(0);
    fs::create_dir(host.path("out")).unwrap();
    host
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    names
}

/// Starts a pull and waits for its first bytes.
fn begun(host: &Host) -> Running {
    let mut running = host.start(&PULL);
    while names(&host.path("out")).is_empty() {
        assert!(running.is_running(), "the pull ended before it wrote");
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
    running
}

#[test]
fn signal_leaves_no_files() {
    let host = large();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let running = begun(&host);
        running.signal(signal);
        running.wait().expect(code);
        assert_eq!(names(&host.path("out")), [] as [String; 0]);
        assert_eq!(names(&host.state_dir().join("pull")), [] as [String; 0]);
    }
}

#[test]
fn kill_leaves_no_slice_and_the_next_pull_succeeds() {
    let host = large();
    begun(&host).kill();
    assert!(names(&host.path("out")).iter().all(|name| name.starts_with(".kt-archive-pull-")));
    host.run(&PULL).expect(0);
    assert!(names(&host.path("out")).contains(&"slice.csv.gz".to_owned()));
}

#[test]
fn slice_manifest_records_request_result_and_origin() {
    let world = archived(ordinary());
    let more =
        ["--columns", "id,model", "--match", "model=gpt-4o", "--match", "decision=blocked", "--match", "model=x"];
    let document = pull(&world.host, "csv", "2025-02-20", "2025-03-01", &more).expect(0).json();
    let bytes = fs::read(world.host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<Value>(&bytes).unwrap();
    let slice = fs::read(world.host.path("slice.csv")).unwrap();
    let archive = world.archive();
    let february = archive.month("2025-02");
    let file = february["files"].as_array().unwrap().iter().find(|file| file["format"] == "parquet").unwrap();
    let digest = |sequence| sha256(&fs::read(archive.path(&manifest_path(sequence))).unwrap());

    let rows = String::from_utf8_lossy(&slice).lines().count() - 1;
    let stored = archive.rows("2025-02");
    let in_window = stored.iter().filter(|row| row["timestamp"].as_str() >= "2025-02-20").count();
    let expected = json!({
        "format": "keeptrusts-archive-slice/1",
        "archive": february["archive"],
        "dataset": "events",
        "window": {"from": "2025-02-20T00:00:00.000000Z", "to": "2025-03-01T00:00:00.000000Z"},
        "match": {"model": ["gpt-4o", "x"], "decision": ["blocked"]},
        "columns": ["id", "model"],
        "csv_safe": false,
        "output": {
            "name": "slice.csv", "format": "csv",
            "columns": [{"name": "id", "type": "text"}, {"name": "model", "type": "text"}],
            "rows": rows, "bytes": slice.len(), "sha256": sha256(&slice),
        },
        "events": {"read": 60, "in_window": in_window, "matched": rows},
        "gaps": [],
        "sources": [{"type": "exports-api", "url": format!("{}/", world.platform.url())}],
        "manifests": [{
            "sequence": 1, "sha256": digest(1), "month": "2025-02",
            "files": [{"path": file["path"], "sha256": file["sha256"], "rows": 60}],
        }],
        "head": {"sequence": 2, "sha256": digest(2)},
        "created_at": manifest["created_at"],
        "tool": {"name": "kt-archive", "version": env!("CARGO_PKG_VERSION")},
    });
    assert_eq!(manifest, expected);
    let mut pretty = serde_json::to_vec_pretty(&manifest).unwrap();
    pretty.push(b'\n');
    assert_eq!(bytes, pretty);
    let reported = json!({
        "command": "pull", "exit": 0, "error": null, "rows": rows, "bytes": slice.len(),
        "output": "slice.csv", "manifest": "slice.csv.manifest.json",
        "sources": [{"type": "exports-api", "url": format!("{}/", world.platform.url()), "invented": false}],
    });
    assert_eq!(document, reported);
}

#[test]
fn gaps_are_refused_unless_allowed_and_then_recorded() {
    let world = archived(ordinary());
    let refused = pull(&world.host, "csv", "2025-01-31", "2025-06-02", &[]).expect(5);
    let said = refused.output();
    assert!(said.contains("2025-01, 2025-04 to 2025-06") && said.contains("--allow-gaps"), "{said}");
    assert_eq!(slices(&world.host), [] as [String; 0]);
    pull(&world.host, "csv", "2025-01-31", "2025-06-02", &["--allow-gaps"]).expect(0);
    let manifest = fs::read(world.host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    assert_eq!(manifest["gaps"], json!(["2025-01", "2025-04", "2025-05", "2025-06"]));
    assert_eq!(manifest["output"]["rows"], 120);
}

#[test]
fn allowed_gap_makes_a_slice_with_a_header() {
    let world = archived(ordinary());
    pull(&world.host, "csv", "2031-01-01", "2031-01-02", &["--allow-gaps"]).expect(0);
    let slice = fs::read_to_string(world.host.path("slice.csv")).unwrap();
    assert!(slice.starts_with("id,timestamp,") && slice.lines().count() == 1, "{slice}");
    pull(&world.host, "csv", "2025-03", "2025-04", &["--allow-gaps", "--dataset", "traces"]).expect(2);
}

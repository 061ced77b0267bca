//! The proof beside a slice.

use super::{archived, ordinary, pull};
use crate::support::archive::{manifest_path, sha256};
use serde_json::{Value, json};
use std::fs;

#[test]
fn the_manifest_says_what_was_asked_for_what_came_and_from_where() {
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
    });
    assert_eq!(document, reported);
}

#[test]
fn gaps_are_refused_unless_allowed_and_then_told() {
    let world = archived(ordinary());
    let refused = pull(&world.host, "csv", "2025-01-31", "2025-06-02", &[]).expect(5);
    let said = refused.output();
    assert!(said.contains("2025-01, 2025-04 to 2025-06") && said.contains("--allow-gaps"), "{said}");
    assert_eq!(super::slices(&world.host), [] as [String; 0]);
    pull(&world.host, "csv", "2025-01-31", "2025-06-02", &["--allow-gaps"]).expect(0);
    let manifest = fs::read(world.host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    assert_eq!(manifest["gaps"], json!(["2025-01", "2025-04", "2025-05", "2025-06"]));
    assert_eq!(manifest["output"]["rows"], 120);
}

#[test]
fn a_range_that_is_one_gap_has_a_header_when_that_is_allowed() {
    let world = archived(ordinary());
    pull(&world.host, "csv", "2031-01-01", "2031-01-02", &["--allow-gaps"]).expect(0);
    let slice = fs::read_to_string(world.host.path("slice.csv")).unwrap();
    assert!(slice.starts_with("id,timestamp,") && slice.lines().count() == 1, "{slice}");
    pull(&world.host, "csv", "2025-03", "2025-04", &["--allow-gaps", "--dataset", "traces"]).expect(5);
}

//! A slice of a few days reads the row groups of these days, and nothing else of a Parquet file.

use super::pull;
use crate::support::{
    archive::{Archive, manifest_path, sha256, sums_path},
    cli::Host,
};
use serde_json::{Value, json};
use std::fs;

/// A month with several row groups in a file, and days of it.
const MONTH: &str = "2025-03";
const DAYS: [&str; 2] = ["2025-03-20", "2025-03-21"];

fn archived() -> (Host, Archive) {
    let mut host = Host::new();
    let archive = Archive::at(host.path("archive"));
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=400000&seed=7");
    host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
    host.run(&["run", "--month", MONTH, "--format", "parquet", "--quiet"]).expect(0);
    (host, archive)
}

fn parquet(archive: &Archive) -> Value {
    archive.month(MONTH)["files"][0].clone()
}

/// The bytes of a slice, and the entry of the file in its manifest.
fn slice(host: &Host) -> (Vec<u8>, Value, Value) {
    pull(host, "csv", DAYS[0], DAYS[1], &["--match", "decision=allowed"]).expect(0);
    let manifest = fs::read(host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    (
        fs::read(host.path("slice.csv")).unwrap(),
        manifest["manifests"][0]["files"][0].clone(),
        manifest["events"].clone(),
    )
}

fn bytes(range: &Value) -> std::ops::Range<usize> {
    let [offset, bytes] = ["offset", "bytes"].map(|name| usize::try_from(range[name].as_u64().unwrap()).unwrap());
    offset..offset + bytes
}

#[test]
fn slice_names_the_row_groups_that_were_read_and_equals_that_of_the_whole_file() {
    let (host, archive) = archived();
    let file = parquet(&archive);
    let (part, read, events) = slice(&host);
    let groups = file["row_groups"].as_array().unwrap();
    let needed = groups.iter().filter(|group| {
        group["first"].as_str().unwrap() < "2025-03-21" && group["last"].as_str().unwrap() >= "2025-03-20"
    });
    let needed = needed.collect::<Vec<_>>();
    assert!(!needed.is_empty() && needed.len() < groups.len(), "{groups:?}");
    let rows = needed.iter().map(|group| group["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((&read["sha256"], &read["rows"], &read["footer"]), (&file["sha256"], &file["rows"], &file["footer"]));
    assert_eq!((&read["row_groups"], &events["read"]), (&json!(needed), &json!(rows)));

    // The manifest of an earlier version.
    let mut manifest = archive.month(MONTH);
    let entry = manifest["files"][0].as_object_mut().unwrap();
    entry.retain(|name, _| name != "row_groups" && name != "footer");
    let manifest = serde_json::to_vec_pretty(&manifest).unwrap();
    let sums = format!(
        "{}  {}\n{}  {}\n",
        file["sha256"].as_str().unwrap(),
        file["path"].as_str().unwrap(),
        sha256(&manifest),
        manifest_path(1)
    );
    fs::write(archive.path(&manifest_path(1)), manifest).unwrap();
    fs::write(archive.path(&sums_path(1)), sums).unwrap();
    let (whole, read, events) = slice(&host);
    assert_eq!(read, json!({"path": file["path"], "sha256": file["sha256"], "rows": 400_000}));
    assert_eq!(events["read"], 400_000);
    assert_eq!(part, whole);
}

#[test]
fn damage_to_what_a_slice_reads_exits_with_4() {
    let (host, archive) = archived();
    let file = parquet(&archive);
    let path = archive.path(file["path"].as_str().unwrap());
    let honest = fs::read(&path).unwrap();
    let (slice, read, _) = slice(&host);
    let needed = read["row_groups"].as_array().unwrap();
    for range in needed.iter().chain([&read["footer"]]) {
        for at in [bytes(range).start, bytes(range).end - 1] {
            let mut damaged = honest.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let outcome = pull(&host, "csv", DAYS[0], DAYS[1], &[]).expect(4);
            assert!(outcome.output().contains("is not what was committed"), "{}", outcome.output());
        }
    }
    for other in [&honest[..honest.len() - 1], &[&honest[..], b"x"].concat()] {
        fs::write(&path, other).unwrap();
        let outcome = pull(&host, "csv", DAYS[0], DAYS[1], &[]).expect(4);
        assert!(outcome.output().contains("is missing, or has another size"), "{}", outcome.output());
    }
    // The other row groups are not read.
    let mut elsewhere = honest;
    for group in file["row_groups"].as_array().unwrap().iter().filter(|group| !needed.contains(group)) {
        elsewhere[bytes(group)].fill(0);
    }
    fs::write(&path, elsewhere).unwrap();
    assert_eq!(self::slice(&host).0, slice);
    host.run(&["verify", "--json"]).expect(4);
}

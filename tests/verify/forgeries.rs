//! Forged archives: every digest, link and `SHA256SUMS` is correct, and one fact is wrong.

use crate::support::{
    archive::{Archive, manifest_path, sha256, sums_path},
    cli::Host,
    events::{self, Event},
    foreign,
    platform::gzip,
    script::Script,
    world::World,
};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs};

const MONTHS: [&str; 3] = ["2025-01", "2025-02", "2025-03"];
const FORGED: &str = "2025-02";

struct Forger {
    host: Host,
    archive: Archive,
}

impl Forger {
    /// An archive of three months in these formats.
    fn new(formats: &str) -> Self {
        let mut host = Host::new();
        let archive = Archive::at(host.path("archive"));
        host.set("KT_ARCHIVE_SOURCE", "demo:?events=60&seed=5");
        host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
        host.set("KT_ARCHIVE_FORMAT", formats);
        host.run(&["backfill", "--from", MONTHS[0], "--to", MONTHS[2], "--json"]).expect(0);
        Self { host, archive }
    }

    /// An archive of one month with its artifact and rejects.
    fn with_evidence() -> Self {
        let bad = Event::at("bad", "2025-02-10T10:00:00Z").with("input_tokens", "many");
        let world = World::new(Script::new([events::month(FORGED, 60), vec![bad]].concat()));
        world.run(&["run", "--month", FORGED, "--format", "csv,artifact", "--rejects", "keep", "--json"]).expect(5);
        Self { archive: world.archive(), host: world.host }
    }

    /// Changes the manifest of the forged month, and updates the digests and links that depend on it.
    fn manifest(&self, change: impl FnOnce(&mut Value)) {
        let mut change = Some(change);
        let mut previous = Value::Null;
        for sequence in self.archive.sequences() {
            let mut manifest = self.archive.manifest(sequence);
            if manifest["month"] == FORGED
                && let Some(change) = change.take()
            {
                change(&mut manifest);
            }
            manifest["previous"] = previous;
            previous = self.put(sequence, &manifest);
        }
    }

    /// Writes a manifest and its sums; returns the `previous` of the next one.
    fn put(&self, sequence: u64, manifest: &Value) -> Value {
        let bytes = serde_json::to_vec_pretty(manifest).unwrap();
        let digest = sha256(&bytes);
        let mut sums = String::new();
        for file in manifest["files"].as_array().unwrap() {
            writeln!(sums, "{}  {}", file["sha256"].as_str().unwrap(), file["path"].as_str().unwrap()).unwrap();
        }
        writeln!(sums, "{digest}  {}", manifest_path(sequence)).unwrap();
        fs::write(self.archive.path(&manifest_path(sequence)), bytes).unwrap();
        fs::write(self.archive.path(&sums_path(sequence)), sums).unwrap();
        json!({"sequence": sequence, "sha256": digest})
    }

    /// Replaces a file of the forged month, and renames it after its new digest.
    fn file(&self, format: &str, bytes: &[u8]) {
        let old = self.archive.file(FORGED, format);
        let (folder, name) = old.rsplit_once('/').unwrap();
        let (_, extension) = name.split_once('.').unwrap();
        let digest = sha256(bytes);
        let new = format!("{folder}/part-00000-{}.{extension}", &digest[..16]);
        fs::remove_file(self.archive.path(&old)).unwrap();
        fs::write(self.archive.path(&new), bytes).unwrap();
        self.entry(format, |file| {
            file["path"] = json!(new);
            file["sha256"] = json!(digest);
            file["bytes"] = json!(bytes.len());
            remove_ranges(file);
        });
    }

    /// Changes the entry of a file in the manifest of the forged month.
    fn entry(&self, format: &str, change: impl FnOnce(&mut Value)) {
        self.manifest(|manifest| {
            let files = manifest["files"].as_array_mut().unwrap();
            change(files.iter_mut().find(|file| file["format"] == format).unwrap());
        });
    }

    /// Asserts that verifying at both levels and pulling the forged month fail for this reason.
    fn assert_unreadable(&self, case: usize, reason: &str) {
        let pull = ["pull", "--from", FORGED, "--to", MONTHS[2], "--output", "slice.csv"];
        for command in [&["verify", "--level", "quick", "--json"][..], &["verify", "--json"], &pull] {
            let outcome = self.host.run(command).expect(4);
            assert!(outcome.output().contains(reason), "{case}, {command:?}: {}", outcome.output());
        }
    }

    /// Changes the records of the forged month's CSV file. The first one is the header.
    fn records(&self, change: impl FnOnce(&mut Vec<String>)) {
        let text = String::from_utf8(self.archive.unzipped(&self.archive.file(FORGED, "csv"))).unwrap();
        let mut records = vec![String::new()];
        for line in text.split_inclusive('\n') {
            // A line feed within quotes is part of a value.
            match records.last_mut() {
                Some(open) if open.matches('"').count() % 2 == 1 || open.is_empty() => open.push_str(line),
                _ => records.push(line.to_owned()),
            }
        }
        change(&mut records);
        self.file("csv", &gzip(records.concat().as_bytes()));
    }

    /// Asserts that `verify` finds exactly these codes, and that `sha256sum` finds nothing.
    #[track_caller]
    fn assert_found(&self, levels: &[&str], codes: &[&str]) {
        assert!(self.archive.sums_agree(), "sha256sum finds the forgery");
        for level in levels {
            // What was on record before the forgery would add V005.
            drop(fs::remove_dir_all(self.host.state_dir().join("verifications")));
            let outcome = self.host.run(&["verify", "--level", level, "--json"]).expect(4);
            let document = outcome.json();
            let findings = document["findings"].as_array().unwrap();
            let mut found = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect::<Vec<_>>();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, codes, "{level}: {}", outcome.stdout);
        }
    }
}

impl Forger {
    /// Asserts that the independent verifier finds the same code.
    #[track_caller]
    fn assert_independent_verifier_finds(&self, code: &str) {
        let found = foreign::verify(&self.archive)["findings"].clone();
        let codes = found.as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
        assert!(codes.collect::<Vec<_>>().contains(&code), "{found}");
    }
}

/// Makes the entry of a file one of an earlier version.
fn remove_ranges(file: &mut Value) {
    file.as_object_mut().unwrap().retain(|name, _| name != "row_groups" && name != "footer");
}

const BOTH: &[&str] = &["quick", "full"];
const FULL: &[&str] = &["full"];

#[test]
fn rewriting_without_a_change_is_not_found() {
    let forger = Forger::new("parquet,csv");
    forger.manifest(|_| {});
    forger.records(|_| {});
    for level in BOTH {
        let outcome = forger.host.run(&["verify", "--level", level, "--json"]).expect(0);
        assert_eq!(outcome.json()["findings"], json!([]));
    }
}

#[test]
fn lowered_row_counts_are_v020() {
    let forger = Forger::new("parquet,csv");
    forger.manifest(|manifest| {
        for name in ["read", "archived"] {
            manifest["events"][name] = json!(59);
        }
        for file in manifest["files"].as_array_mut().unwrap() {
            file["rows"] = json!(59);
            remove_ranges(file);
        }
    });
    // Afterwards, the finding of the full verification would be known.
    forger.host.run(&["verify", "--level", "quick"]).expect(0);
    forger.assert_found(FULL, &["V020"]);
}

#[test]
fn row_groups_that_do_not_fill_the_file_are_v003() {
    let changes: [fn(&mut Value); 8] = [
        |file| file["row_groups"][0]["offset"] = json!(3),
        |file| file["row_groups"][0]["bytes"] = json!(u64::MAX),
        |file| file["footer"]["offset"] = json!(u64::MAX),
        |file| file["footer"]["bytes"] = json!(0),
        |file| file["row_groups"] = json!([]),
        |file| {
            let group = file["row_groups"][0].clone();
            file["row_groups"].as_array_mut().unwrap().push(group);
        },
        |file| drop(file.as_object_mut().unwrap().remove("footer")),
        |file| drop(file.as_object_mut().unwrap().remove("row_groups")),
    ];
    let forger = Forger::new("parquet,csv");
    let original = forger.archive.month(FORGED)["files"].clone();
    for (number, change) in changes.into_iter().enumerate() {
        forger.manifest(|manifest| manifest["files"].clone_from(&original));
        forger.entry("parquet", change);
        forger.assert_unreadable(number, "row groups");
        forger.assert_independent_verifier_finds("V003");
    }
}

#[test]
fn row_groups_with_other_counts_than_their_file_are_v021() {
    let forger = Forger::new("parquet,csv");
    for (name, value) in [
        ("rows", json!(u64::MAX)),
        ("rows", json!(0)),
        ("first", json!("2025-01-01T00:00:00.000000Z")),
        ("last", json!("2025-02-28T23:59:59.999999Z")),
    ] {
        let honest = forger.archive.month(FORGED)["files"].clone();
        forger.entry("parquet", |file| file["row_groups"][0][name] = value);
        forger.assert_found(&["quick"], &["V021"]);
        forger.assert_independent_verifier_finds("V021");
        forger.manifest(|manifest| manifest["files"] = honest);
    }
}

#[test]
fn range_with_another_digest_is_v012() {
    let forger = Forger::new("parquet");
    let honest = forger.archive.month(FORGED)["files"].clone();
    for pointer in ["/row_groups/0/sha256", "/footer/sha256"] {
        forger.entry("parquet", |file| *file.pointer_mut(pointer).unwrap() = json!(sha256(b"")));
        forger.assert_found(FULL, &["V012"]);
        forger.assert_independent_verifier_finds("V012");
        forger.manifest(|manifest| manifest["files"] = honest.clone());
    }
}

#[test]
fn row_group_that_is_not_one_of_the_file_is_v024() {
    let forger = Forger::new("parquet");
    let bytes = fs::read(forger.archive.path(&forger.archive.file(FORGED, "parquet"))).unwrap();
    let digest = |range: &Value| {
        let [start, size] = ["offset", "bytes"].map(|name| usize::try_from(range[name].as_u64().unwrap()).unwrap());
        json!(sha256(&bytes[start..start + size]))
    };
    // Its last byte belongs to the footer.
    forger.entry("parquet", |file| {
        file["row_groups"][0]["bytes"] = json!(file["row_groups"][0]["bytes"].as_u64().unwrap() - 1);
        file["footer"]["offset"] = json!(file["footer"]["offset"].as_u64().unwrap() - 1);
        file["footer"]["bytes"] = json!(file["footer"]["bytes"].as_u64().unwrap() + 1);
        for pointer in ["/row_groups/0", "/footer"] {
            let range = file.pointer_mut(pointer).unwrap();
            range["sha256"] = digest(range);
        }
    });
    forger.assert_found(FULL, &["V024"]);
    forger.assert_independent_verifier_finds("V024");
}

#[test]
fn manifest_of_an_earlier_version_has_no_row_groups() {
    let forger = Forger::new("parquet,csv");
    forger.entry("parquet", remove_ranges);
    let outcome = forger.host.run(&["verify", "--json"]).expect(0);
    assert_eq!(outcome.json()["findings"], json!([]));
    let pull = ["pull", "--from", "2025-02-10", "--to", "2025-02-12", "--output", "slice.csv"];
    forger.host.run(&pull).expect(0);
}

#[test]
fn removed_row_is_v020() {
    let forger = Forger::new("csv");
    forger.records(|records| drop(records.remove(7)));
    forger.assert_found(FULL, &["V020"]);
}

#[test]
fn inconsistent_counts_are_v021() {
    let changes: [fn(&mut Value); 5] = [
        |manifest| manifest["events"]["read"] = json!(61),
        |manifest| manifest["events"]["duplicates"] = json!(1),
        |manifest| manifest["files"][0]["rows"] = json!(59),
        |manifest| manifest["events"]["first"] = json!("2025-02-02T00:00:00.000000Z"),
        |manifest| manifest["events"]["last"] = Value::Null,
    ];
    let forger = Forger::new("csv");
    let original = forger.archive.month(FORGED);
    for (number, change) in changes.into_iter().enumerate() {
        forger.manifest(|manifest| {
            manifest.clone_from(&original);
            change(manifest);
        });
        forger.assert_found(&["quick"], &["V021"]);
        let full = forger.host.run(&["verify", "--json"]).expect(4);
        assert!(full.stdout.contains("V021"), "change {number}: {}", full.stdout);
    }
}

#[test]
fn invented_conflicts_are_v021() {
    let forger = Forger::new("parquet,csv");
    forger.manifest(|manifest| manifest["events"]["conflicts"] = json!(2));
    forger.assert_found(FULL, &["V021"]);
}

#[test]
fn events_without_a_file_are_v021() {
    let forger = Forger::new("parquet,csv");
    for format in ["parquet", "csv"] {
        fs::remove_file(forger.archive.path(&forger.archive.file(FORGED, format))).unwrap();
    }
    forger.manifest(|manifest| manifest["files"] = json!([]));
    forger.assert_found(BOTH, &["V021"]);
}

#[test]
fn row_of_another_month_is_v022() {
    let forger = Forger::new("csv");
    let stray = "2025-03-01T00:00:00.000000Z";
    forger.records(|records| {
        let last = records.last_mut().unwrap();
        let start = last.find("2025-02-").unwrap();
        last.replace_range(start..start + stray.len(), stray);
    });
    forger.manifest(|manifest| {
        manifest["files"][0]["last"] = json!(stray);
        manifest["events"]["last"] = json!(stray);
    });
    forger.assert_found(FULL, &["V022"]);
}

#[test]
fn file_in_the_folder_of_another_month_is_v022() {
    let forger = Forger::new("parquet");
    let path = forger.archive.file(FORGED, "parquet");
    let moved = path.replace("month=2025-02", "month=2025-03");
    fs::rename(forger.archive.path(&path), forger.archive.path(&moved)).unwrap();
    forger.manifest(|manifest| manifest["files"][0]["path"] = json!(moved));
    forger.assert_found(BOTH, &["V022"]);
}

#[test]
fn repeated_id_is_v023_in_every_format() {
    for formats in ["csv", "parquet,csv"] {
        let forger = Forger::new(formats);
        forger.records(|records| records[20] = records[21].clone());
        forger.assert_found(FULL, &["V023"]);
    }
}

#[test]
fn renamed_column_is_v024() {
    let forger = Forger::new("csv");
    forger.records(|records| records[0] = records[0].replacen("model", "modal", 1));
    forger.assert_found(FULL, &["V024"]);
}

#[test]
fn schema_that_differs_from_the_file_is_v024() {
    let forger = Forger::new("parquet");
    forger.manifest(|manifest| {
        let columns = manifest["schema"]["columns"].as_array_mut().unwrap();
        let column = columns.iter_mut().find(|column| column["type"] == "int64").unwrap();
        column["type"] = json!("text");
        // The digest is computed over the columns with their keys in this order, which a JSON map does not keep.
        let columns = columns.iter().map(|column| {
            let [name, kind, source, nullable] = ["name", "type", "source_type", "nullable"].map(|key| &column[key]);
            format!(r#"{{"name":{name},"type":{kind},"source_type":{source},"nullable":{nullable}}}"#)
        });
        let columns = format!("[{}]", columns.collect::<Vec<_>>().join(","));
        manifest["schema"]["sha256"] = json!(sha256(columns.as_bytes()));
    });
    forger.assert_found(FULL, &["V024"]);
}

#[test]
fn wrong_schema_digest_is_v024() {
    let forger = Forger::new("parquet");
    forger.manifest(|manifest| manifest["schema"]["columns"][3]["name"] = json!("other"));
    forger.assert_found(BOTH, &["V024"]);
}

#[test]
fn file_that_is_not_parquet_is_v024() {
    let forger = Forger::new("parquet");
    let honest = fs::read(forger.archive.path(&forger.archive.file(FORGED, "parquet"))).unwrap();
    let mut nonsense = honest.clone();
    // The header of the first page, with its number of values.
    nonsense[4..40].fill(0xff);
    for bytes in [b"no Parquet at all".to_vec(), honest[..honest.len() / 2].to_vec(), nonsense] {
        forger.file("parquet", &bytes);
        forger.assert_found(FULL, &["V024"]);
    }
}

#[test]
fn removed_or_added_reject_is_v020() {
    let forger = Forger::with_evidence();
    let lines = forger.archive.unzipped(&forger.archive.file(FORGED, "rejects"));
    for forged in [Vec::new(), lines.repeat(2)] {
        forger.file("rejects", &gzip(&forged));
        forger.assert_found(FULL, &["V020"]);
        forger.assert_independent_verifier_finds("V020");
    }
}

#[test]
fn inconsistent_reject_count_is_v021() {
    let forger = Forger::with_evidence();
    forger.manifest(|manifest| {
        let files = manifest["files"].as_array_mut().unwrap();
        files.iter_mut().find(|file| file["format"] == "rejects").unwrap()["rows"] = json!(2);
    });
    forger.assert_found(&["quick"], &["V021"]);
    forger.assert_independent_verifier_finds("V021");
}

#[test]
fn unreadable_rejects_or_artifact_is_v024() {
    for (format, bytes) in [
        ("rejects", b"no gzip".to_vec()),
        ("rejects", gzip(b"{\"line\": 1}\n")),
        ("rejects", gzip(b"{\"line\":1,\"column\":null,\"reason\":\"no id\",\"row_base64\":\"?\"}\n")),
        ("artifact", b"no gzip".to_vec()),
        ("artifact", gzip(&b"id,timestamp\n".repeat(99))[..30].to_vec()),
    ] {
        let forger = Forger::with_evidence();
        forger.file(format, &bytes);
        forger.assert_found(FULL, &["V024"]);
        forger.assert_independent_verifier_finds("V024");
    }
}

#[test]
fn month_committed_twice_is_v016() {
    let forger = Forger::new("csv");
    let mut again = forger.archive.month(FORGED);
    let head = fs::read(forger.archive.path(&manifest_path(3))).unwrap();
    again["sequence"] = json!(4);
    again["previous"] = json!({"sequence": 3, "sha256": sha256(&head)});
    forger.put(4, &again);
    forger.assert_found(BOTH, &["V016"]);
}

#[test]
fn path_outside_the_archive_is_not_followed() {
    let forger = Forger::new("csv");
    let path = forger.archive.file(FORGED, "csv");
    fs::rename(forger.archive.path(&path), forger.host.path("outside.csv.gz")).unwrap();
    for outside in ["../outside.csv.gz", "events/csv/month=2025-02/../../../../outside.csv.gz"] {
        forger.manifest(|manifest| manifest["files"][0]["path"] = json!(outside));
        let outcome = forger.host.run(&["verify", "--json"]).expect(4);
        assert!(outcome.stdout.contains("V010"), "{}", outcome.stdout);
    }
}

#[test]
fn manifest_of_another_format_or_number_is_v003() {
    for (key, value) in [("format", json!("keeptrusts-archive/2")), ("sequence", json!(7))] {
        let forger = Forger::new("csv");
        forger.manifest(|manifest| manifest[key] = value);
        let outcome = forger.host.run(&["verify", "--level", "quick", "--json"]).expect(4);
        assert!(outcome.stdout.contains("V003"), "{key}: {}", outcome.stdout);
    }
}

#[test]
fn deeply_nested_type_is_v003_and_overflows_no_stack() {
    let forger = Forger::new("csv");
    for lists in [300_000, 3_000, 9] {
        forger.manifest(|manifest| {
            let nested = format!("{}text{}", "list<".repeat(lists), ">".repeat(lists));
            manifest["schema"]["columns"][3]["type"] = json!(nested);
        });
        forger.assert_unreadable(lists, "unknown column type");
    }
    forger.assert_independent_verifier_finds("V003");
}

#[test]
fn truncated_chain_is_v005_with_the_expected_head() {
    let forger = Forger::new("csv");
    let head = forger.host.run(&["status", "--json"]).expect(0).json()["head"].clone();
    let (sequence, digest) = (head["sequence"].to_string(), head["sha256"].as_str().unwrap().to_owned());
    let file = forger.archive.file("2025-03", "csv");
    for object in [manifest_path(3), sums_path(3), file] {
        fs::remove_file(forger.archive.path(&object)).unwrap();
    }
    forger.host.run(&["verify", "--expect-head", "2"]).expect(0);
    for expected in [&sequence, &digest, &format!("{sequence}:{digest}"), &format!("2:{digest}")] {
        let outcome = forger.host.run(&["verify", "--expect-head", expected, "--json"]).expect(4);
        assert!(outcome.stdout.contains("V005"), "{expected}: {}", outcome.stdout);
    }
}

//! `verify` finds each kind of tampering and reports its code.

use crate::support::{
    archive::{Archive, manifest_path, sums_path},
    cli::{Host, Outcome},
    foreign,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// An archive of five months in two formats.
struct Vault {
    host: Host,
    archive: Archive,
}

const MONTHS: [&str; 5] = ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05"];

impl Vault {
    fn new() -> Self {
        let mut host = Host::new();
        let archive = Archive::at(host.path("archive"));
        host.set("KT_ARCHIVE_SOURCE", "demo:?events=200&seed=7");
        host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
        host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
        host.run(&["backfill", "--from", MONTHS[0], "--to", MONTHS[4], "--json"]).expect(0);
        archive.check();
        Self { host, archive }
    }

    /// Verifies the archive; at the level `full` also with the independent verifier of `docs/format.md`, which must find
    /// the same damage.
    #[track_caller]
    fn verify(&self, level: &str) -> Outcome {
        let outcome = self.host.run(&["verify", "--level", level, "--json"]);
        if level == "full" {
            assert_eq!(codes(&foreign::verify(&self.archive)), codes(&outcome.json()), "{}", outcome.stdout);
        }
        outcome
    }

    fn remove(&self, object: &str) {
        fs::remove_file(self.archive.path(object)).unwrap();
    }

    fn change(&self, object: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.archive.path(object);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    /// Asserts that these levels find exactly `expected`, as damage.
    #[track_caller]
    fn assert_damage(&self, levels: &[&str], expected: &[(&str, &str)]) {
        for level in levels {
            let outcome = self.verify(level).expect(4);
            assert_eq!(findings(&outcome, "damage"), sorted(expected), "level {level}");
        }
    }
}

const BOTH: &[&str] = &["quick", "full"];

/// Code and severity of each finding.
fn codes(document: &Value) -> BTreeSet<(&str, &str)> {
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|finding| (finding["code"].as_str().unwrap(), finding["severity"].as_str().unwrap())).collect()
}

fn sorted(findings: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut sorted = findings.iter().map(|(code, path)| ((*code).to_owned(), (*path).to_owned())).collect::<Vec<_>>();
    sorted.sort();
    sorted
}

/// Code and path of the findings of a severity, sorted.
fn findings(outcome: &Outcome, severity: &str) -> Vec<(String, String)> {
    let document = outcome.json();
    let found = document["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == severity);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = found.map(|finding| (text(&finding["code"]), text(&finding["path"]))).collect::<Vec<_>>();
    found.sort();
    found
}

#[test]
fn untouched_archive_verifies_with_all_counts() {
    let vault = Vault::new();
    for level in BOTH {
        let document = vault.verify(level).expect(0).json();
        assert_eq!((&document["level"], &document["manifests"]), (&Value::from(*level), &Value::from(5)));
        assert_eq!((&document["files"], &document["events"]), (&Value::from(10), &Value::from(1000)));
        assert_eq!(document["findings"], Value::Array(Vec::new()));
    }
    assert!(vault.archive.sums_agree());
}

#[test]
fn flipped_bit_is_v012() {
    let vault = Vault::new();
    for format in ["parquet", "csv"] {
        let file = vault.archive.file("2025-03", format);
        vault.change(&file, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        let found = findings(&vault.verify("full").expect(4), "damage");
        assert!(found.contains(&("V012".to_owned(), file.clone())), "{found:?}");
        assert!(!vault.archive.sums_agree(), "sha256sum does not find it");
    }
}

#[test]
fn truncated_file_is_v011() {
    let vault = Vault::new();
    let file = vault.archive.file("2025-03", "parquet");
    vault.change(&file, |bytes| bytes.truncate(bytes.len() - 1));
    for level in BOTH {
        let found = findings(&vault.verify(level).expect(4), "damage");
        assert!(found.contains(&("V011".to_owned(), file.clone())), "{found:?}");
    }
    assert!(!vault.archive.sums_agree(), "sha256sum does not find it");
}

#[test]
fn missing_file_is_v010() {
    let vault = Vault::new();
    let file = vault.archive.file("2025-03", "csv");
    vault.remove(&file);
    vault.assert_damage(BOTH, &[("V010", &file)]);
    assert!(!vault.archive.sums_agree(), "sha256sum does not find it");
}

#[test]
fn file_added_to_a_committed_month_is_v015() {
    let vault = Vault::new();
    let orphan = "events/parquet/month=2025-03/part-00001-0123456789abcdef.parquet";
    fs::copy(vault.archive.path(&vault.archive.file("2025-04", "parquet")), vault.archive.path(orphan)).unwrap();
    vault.assert_damage(BOTH, &[("V015", orphan)]);
}

#[test]
fn invalid_object_name_is_reported_as_damage() {
    use std::os::unix::ffi::OsStrExt;
    for (name, shown) in
        [(&b"\xff\xfe.parquet"[..], "%FF%FE.parquet"), (b"two\nlines.parquet", "two\\\\nlines.parquet")]
    {
        let vault = Vault::new();
        let month = vault.archive.path("events/parquet/month=2025-03");
        fs::write(month.join(std::ffi::OsStr::from_bytes(name)), "not an object").unwrap();
        for level in BOTH {
            let outcome = vault.host.run(&["verify", "--level", level, "--json"]).expect(4);
            assert!(outcome.stdout.contains("a name that no object can have"), "{}", outcome.stdout);
            assert!(outcome.stdout.contains(shown), "{}", outcome.stdout);
        }
    }
}

#[test]
fn file_in_an_uncommitted_month_is_a_warning() {
    let vault = Vault::new();
    let orphan = "events/parquet/month=2025-06/part-00000-0123456789abcdef.parquet";
    fs::create_dir_all(vault.archive.path("events/parquet/month=2025-06")).unwrap();
    fs::write(vault.archive.path(orphan), "half").unwrap();
    let outcome = vault.verify("quick").expect(0);
    assert_eq!(findings(&outcome, "warning"), sorted(&[("V015", orphan)]));
}

#[test]
fn edited_manifest_is_v003() {
    let vault = Vault::new();
    edit_manifest(&vault, 3);
    for level in BOTH {
        let found = findings(&vault.verify(level).expect(4), "damage");
        assert!(found.iter().any(|(code, _)| code == "V003"), "{found:?}");
    }
    assert!(!vault.archive.sums_agree(), "sha256sum does not find it");
}

#[test]
fn edited_last_manifest_is_v006() {
    let vault = Vault::new();
    edit_manifest(&vault, 5);
    vault.assert_damage(BOTH, &[("V006", &sums_path(5))]);
}

#[test]
fn manifest_of_another_format_is_v003() {
    let vault = Vault::new();
    vault.change(&manifest_path(5), |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace("keeptrusts-archive/1", "keeptrusts-archive/2").into_bytes();
    });
    vault.assert_damage(BOTH, &[("V003", &manifest_path(5)), ("V006", &sums_path(5))]);
}

/// Changes the platform's URL in a manifest, on which nothing else depends.
fn edit_manifest(vault: &Vault, sequence: u64) {
    vault.change(&manifest_path(sequence), |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("\"source_clock\": null"), "{text}");
        *bytes =
            text.replace("\"source_clock\": null", "\"source_clock\": \"2025-06-01T00:00:00.000000Z\"").into_bytes();
    });
}

#[test]
fn missing_manifest_is_v004() {
    let vault = Vault::new();
    vault.remove(&manifest_path(3));
    for level in BOTH {
        assert_eq!(count(&vault.verify(level).expect(4), "V004"), 1, "level {level}");
    }
}

#[test]
fn two_manifests_missing_in_a_row_are_two_v004() {
    let vault = Vault::new();
    for sequence in [2, 3] {
        vault.remove(&manifest_path(sequence));
        vault.remove(&sums_path(sequence));
    }
    for level in BOTH {
        assert_eq!(count(&vault.verify(level).expect(4), "V004"), 2, "level {level}");
    }
}

#[test]
fn missing_last_manifest_is_v004_if_its_sums_exist() {
    let vault = Vault::new();
    vault.remove(&manifest_path(5));
    for level in BOTH {
        assert_eq!(count(&vault.verify(level).expect(4), "V004"), 1, "level {level}");
    }
}

fn count(outcome: &Outcome, code: &str) -> usize {
    findings(outcome, "damage").iter().filter(|(found, _)| found == code).count()
}

#[test]
fn edited_sums_are_v006() {
    let vault = Vault::new();
    vault.change(&sums_path(3), |bytes| bytes[0] = if bytes[0] == b'0' { b'1' } else { b'0' });
    vault.assert_damage(BOTH, &[("V006", &sums_path(3))]);
}

#[test]
fn missing_sums_are_v006_and_are_written_by_the_next_run() {
    let vault = Vault::new();
    let before = vault.archive.snapshot();
    vault.remove(&sums_path(3));
    vault.assert_damage(BOTH, &[("V006", &sums_path(3))]);
    vault.host.run(&["run", "--month", "2025-05", "--json"]).expect(0);
    assert_eq!(vault.archive.snapshot(), before);
}

#[test]
fn edited_archive_json_is_v012() {
    let vault = Vault::new();
    vault.change("archive.json", |bytes| {
        let mut document: Value = serde_json::from_slice(bytes).unwrap();
        document["created_at"] = "2020-01-01T00:00:00.000000Z".into();
        *bytes = serde_json::to_vec_pretty(&document).unwrap();
    });
    vault.assert_damage(BOTH, &[("V012", "archive.json")]);
}

#[test]
fn lost_manifests_are_v004() {
    let vault = Vault::new();
    fs::rename(vault.archive.path("manifests"), vault.host.path("aside")).unwrap();
    vault.assert_damage(BOTH, &[("V004", &manifest_path(1))]);
    std::os::unix::fs::symlink("nowhere", vault.archive.path("manifests")).unwrap();
    for command in [&["verify", "--json"][..], &["run", "--month", "2025-05", "--json"], &["status", "--json"]] {
        let outcome = vault.host.run(command).expect(7);
        let error = outcome.json()["error"].to_string();
        assert!(error.contains("archive/manifests: what the link leads to does not exist"), "{command:?}: {error}");
    }
}

#[test]
fn manifest_of_another_archive_is_v007() {
    let vault = Vault::new();
    let other = Vault::new();
    let last = manifest_path(5);
    fs::copy(other.archive.path(&last), vault.archive.path(&last)).unwrap();
    for level in BOTH {
        assert_eq!(count(&vault.verify(level).expect(4), "V007"), 1, "level {level}");
    }
}

#[test]
fn swapped_files_are_found() {
    let vault = Vault::new();
    let [march, april] = ["2025-03", "2025-04"].map(|month| vault.archive.path(&vault.archive.file(month, "parquet")));
    let aside = vault.host.path("aside");
    fs::rename(&march, &aside).unwrap();
    fs::rename(&april, &march).unwrap();
    fs::rename(&aside, &april).unwrap();
    let outcome = vault.verify("full").expect(4);
    assert!(count(&outcome, "V011") + count(&outcome, "V012") >= 2, "{}", outcome.stdout);
}

#[test]
fn head_that_moved_back_is_v005() {
    let vault = Vault::new();
    let head = vault.host.run(&["status", "--json"]).expect(0).json()["head"]["sha256"].as_str().unwrap().to_owned();
    vault.host.run(&["verify", "--expect-head", &head, "--json"]).expect(0);
    for object in [manifest_path(5), sums_path(5)] {
        vault.remove(&object);
    }
    let outcome = vault.host.run(&["verify", "--expect-head", &head, "--json"]).expect(4);
    assert_eq!(count(&outcome, "V005"), 1, "{}", outcome.stdout);
}

#[test]
fn broken_chain_is_never_continued() {
    let vault = Vault::new();
    vault.remove(&manifest_path(3));
    let before = vault.archive.snapshot();
    vault.host.run(&["run", "--month", "2025-06", "--json"]).expect(4);
    let manifests = |snapshot: &std::collections::BTreeMap<String, String>| {
        snapshot
            .iter()
            .filter(|(path, _)| path.starts_with("manifests/"))
            .map(|(_, digest)| digest.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(manifests(&vault.archive.snapshot()), manifests(&before));
}

//! Damage that was found stays known to every command until a verification as thorough clears it.

use crate::support::{archive::Archive, cli::Host};
use serde_json::json;
use std::{fs, path::PathBuf};

/// A host with an archive of demo events of January to March 2025, on 10 April.
fn archived() -> (Host, Archive) {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=40&seed=3");
    host.set_time("2025-04-10 12:00:00");
    host.run(&["backfill", "--from", "2025-01", "--to", "2025-03", "--quiet"]).expect(0);
    let archive = Archive::at(host.path("archive"));
    (host, archive)
}

/// Flips two bytes of February, and returns the file and what it held.
fn damaged(archive: &Archive) -> (PathBuf, Vec<u8>) {
    let file = archive.path(&archive.file("2025-02", "parquet"));
    let whole = fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2].iter_mut().for_each(|byte| *byte ^= 0xff);
    fs::write(&file, bytes).unwrap();
    (file, whole)
}

fn report(host: &Host) -> Vec<&'static str> {
    drop(fs::remove_file(host.path("page.html")));
    host.run(&["report", "--output", "page.html", "--quiet"]).expect(4);
    let page = fs::read_to_string(host.path("page.html")).unwrap();
    ["Nothing needs attention", "V012", "listed below", "Damaged: 2025-02"]
        .into_iter()
        .filter(|text| page.contains(text))
        .collect()
}

#[test]
fn damage_is_known_until_it_is_verified_again() {
    let (host, archive) = archived();
    // The page counts February while it is whole, so that it does not read it again.
    host.run(&["report", "--output", "page.html", "--quiet"]).expect(0);
    let (file, whole) = damaged(&archive);
    host.run(&["verify"]).expect(4);
    for arguments in [
        &["verify", "--level", "quick"][..],
        &["verify", "--month", "2025-01"],
        &["verify", "--from", "2025-02", "--to", "2025-02", "--level", "quick"],
        &["status", "--check"],
    ] {
        let outcome = host.run(arguments).expect(4);
        assert!(outcome.output().contains("V012"), "{arguments:?}: {}", outcome.output());
    }
    let quick = host.run(&["verify", "--level", "quick", "--json"]).expect(4).json();
    assert_eq!((&quick["findings"], &quick["earlier"][0]["code"]), (&json!([]), &json!("V012")));
    assert_eq!(report(&host), ["V012", "listed below", "Damaged: 2025-02"]);
    let status = host.run(&["status", "--json"]).expect(0).json();
    let february = &status["datasets"][0]["months"][1];
    assert_eq!((&status["damage"][0]["code"], &february["damaged"]), (&json!("V012"), &json!(true)));
    let text = host.run(&["status"]).expect(0).stdout;
    assert!(text.contains("  A   D   A ") && text.contains("DAMAGED: 1 object"), "{text}");
    fs::write(&file, whole).unwrap();
    host.run(&["verify", "--level", "quick", "--quiet"]).expect(4);
    host.run(&["verify", "--month", "2025-02", "--quiet"]).expect(0);
    host.run(&["status", "--check"]).expect(0);
    host.run(&["report", "--output", "page.html", "--force", "--quiet"]).expect(0);
}

#[test]
fn a_run_over_known_damage_commits_and_ends_with_4() {
    let (mut host, archive) = archived();
    host.run(&["replicate", "--replica", "copy", "--quiet"]).expect(0);
    let (file, whole) = damaged(&archive);
    host.run(&["verify", "--quiet"]).expect(4);
    let known = "the archive is known to be damaged: 1 object, of events 2025-02";
    for arguments in [&["run", "--month", "2025-03"][..], &["backfill", "--from", "2025-01", "--to", "2025-03"]] {
        let outcome = host.run(arguments).expect(4);
        assert_eq!(outcome.stderr.matches(known).count(), 1, "{}", outcome.stderr);
    }
    host.set_time("2025-05-10 12:00:00");
    let document = host.run(&["run", "--month", "2025-04", "--json"]).expect(4).json();
    assert_eq!((&document["exit"], &document["months"][0]["state"]), (&json!(4), &json!("archived")));
    assert_eq!((&document["error"]["message"], &document["known_damage"]["message"]), (&json!(known), &json!(known)));
    assert!(document["error"]["hint"].as_str().unwrap().contains("kt-archive verify"), "{document}");
    assert_eq!(archive.manifest(4)["month"], "2025-04");
    let outcome = host.run(&["replicate", "--replica", "copy"]).expect(4);
    assert!(outcome.stderr.contains(known) && outcome.stdout.contains("current"), "{}", outcome.output());
    assert_eq!(Archive::at(host.path("copy")).manifest(4), archive.manifest(4), "what is whole is copied");
    fs::write(&file, whole).unwrap();
    host.run(&["verify", "--quiet"]).expect(0);
    for arguments in [&["run", "--month", "2025-04"][..], &["replicate", "--replica", "copy"]] {
        let document = host.run(&[arguments, &["--json"]].concat()).expect(0).json();
        assert_eq!(document["known_damage"], json!(null));
    }
}

#[test]
fn a_missing_file_of_a_requested_month_is_reported_once() {
    let (host, archive) = archived();
    fs::remove_file(archive.path(&archive.file("2025-03", "parquet"))).unwrap();
    let outcome = host.run(&["run", "--month", "2025-03"]).expect(4);
    assert!(!outcome.stderr.contains("known to be damaged"), "{}", outcome.stderr);
    let outcome = host.run(&["run", "--month", "2025-02"]).expect(4);
    assert!(outcome.stderr.contains("of events 2025-03"), "{}", outcome.stderr);
}

#[test]
fn a_copy_elsewhere_is_judged_by_itself() {
    let (host, archive) = archived();
    host.run(&["replicate", "--replica", "copy", "--quiet"]).expect(0);
    host.run(&["report", "--output", "page.html", "--quiet"]).expect(0);
    let copy = Archive::at(host.path("copy"));
    damaged(&copy);
    // The counts of the original say nothing about the copy.
    let outcome = host.run(&["report", "--archive", "copy", "--output", "copy.html", "--quiet"]).expect(4);
    assert!(outcome.stderr.contains("could not be counted"), "{}", outcome.stderr);
    host.run(&["verify", "--archive", "copy", "--quiet"]).expect(4);
    host.run(&["status", "--check", "--archive", "copy"]).expect(4);
    host.run(&["status", "--check"]).expect(0);
    // What is known of a replica shows where it is named.
    host.run(&["status", "--check", "--replica", "copy"]).expect(4);
    damaged(&archive);
    host.run(&["verify", "--quiet"]).expect(4);
}

#[test]
fn a_run_does_not_go_on_with_a_chain_that_is_known_to_be_damaged() {
    let (host, archive) = archived();
    for path in fs::read_dir(archive.path("manifests")).unwrap() {
        fs::remove_file(path.unwrap().path()).unwrap();
    }
    host.run(&["verify", "--quiet"]).expect(4);
    let refused = host.run(&["run", "--month", "2025-03"]).expect(4);
    assert!(refused.stderr.contains("known to be damaged"), "{}", refused.stderr);
    // Without its identity, it would be a new archive over the files of the old one.
    fs::remove_file(archive.path("archive.json")).unwrap();
    let refused = host.run(&["run", "--month", "2025-03"]).expect(4);
    assert!(refused.stderr.contains("no archive.json"), "{}", refused.stderr);
}

#[test]
fn a_head_that_was_named_is_searched_for_until_it_is_found() {
    let (host, _) = archived();
    host.run(&["verify", "--expect-head", "9", "--quiet"]).expect(4);
    for _ in 0..3 {
        let known = host.run(&["verify"]).expect(4);
        assert!(known.stdout.contains("no new findings") && known.stderr.contains("mistyped"), "{}", known.output());
    }
    host.run(&["verify", "--expect-head", "3", "--quiet"]).expect(0);
    host.run(&["verify", "--quiet"]).expect(0);
}

#[test]
fn a_chain_that_lost_its_end_is_damage() {
    let (host, archive) = archived();
    host.run(&["verify", "--quiet"]).expect(0);
    let kept = [3, 2, 1].map(|number| {
        [format!("manifests/0000000{number}.json"), format!("manifests/0000000{number}.SHA256SUMS")].map(|name| {
            let path = archive.path(&name);
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
    });
    for commit in &kept {
        for (path, _) in commit {
            fs::remove_file(path).unwrap();
        }
        let outcome = host.run(&["verify", "--level", "quick"]).expect(4);
        assert!(outcome.stdout.contains("V005"), "{}", outcome.output());
    }
    for (path, bytes) in kept.iter().flatten() {
        fs::write(path, bytes).unwrap();
    }
    host.run(&["verify", "--quiet"]).expect(0);
}

#[test]
fn an_archive_without_months_proves_nothing() {
    let (host, archive) = archived();
    for folder in ["manifests", "events"] {
        fs::remove_dir_all(archive.path(folder)).unwrap();
    }
    for level in ["quick", "full"] {
        let outcome = host.run(&["verify", "--level", level]).expect(5);
        assert!(outcome.stderr.contains("nothing to verify"), "{}", outcome.stderr);
    }
    host.run(&["status", "--check"]).expect(5);
}

#[test]
fn a_missing_file_is_seen_without_a_verification() {
    let (host, archive) = archived();
    host.run(&["status", "--check"]).expect(0);
    let file = archive.path(&archive.file("2025-03", "parquet"));
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[1..]).unwrap();
    let outcome = host.run(&["status", "--check"]).expect(4);
    assert!(outcome.stdout.contains("V011"), "{}", outcome.stdout);
    fs::remove_file(&file).unwrap();
    let outcome = host.run(&["status", "--check"]).expect(4);
    assert!(outcome.stdout.contains("V010"), "{}", outcome.stdout);
    fs::write(&file, whole).unwrap();
    host.run(&["status", "--check"]).expect(0);
}

#[test]
fn a_check_tells_of_late_months_and_replicas() {
    let (mut host, _) = archived();
    host.run(&["status", "--check", "--replica", "nowhere"]).expect(5);
    host.run(&["replicate", "--replica", "copy", "--quiet"]).expect(0);
    host.run(&["status", "--check", "--replica", "copy"]).expect(0);
    host.set_time("2025-05-10 12:00:00");
    let outcome = host.run(&["status", "--check"]).expect(5);
    assert!(outcome.stderr.contains("1 month of events late"), "{}", outcome.stderr);
    host.run(&["status"]).expect(0);
}

//! Archives that lost or changed their identity, or hold files that do not belong to them.

use crate::support::{
    archive::{Archive, manifest_path},
    cli::{Host, Outcome},
};
use std::fs;

fn archived() -> (Host, Archive) {
    let mut host = Host::new();
    let archive = Archive::at(host.path("archive"));
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=60&seed=5");
    host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
    host.run(&["backfill", "--from", "2025-01", "--to", "2025-03", "--json"]).expect(0);
    (host, archive)
}

#[track_caller]
fn assert_contains(outcome: &Outcome, words: &str) {
    assert!(outcome.output().contains(words), "{words} is missing: {}", outcome.output());
}

#[test]
fn missing_archive_json_is_damage_and_is_not_recreated() {
    let (host, archive) = archived();
    fs::remove_file(archive.path("archive.json")).unwrap();
    let before = archive.snapshot();
    for arguments in [&["verify", "--json"][..], &["status", "--json"], &["run", "--month", "2025-04", "--json"]] {
        assert_contains(&host.run(arguments).expect(4), "archive.json");
    }
    assert_eq!(archive.snapshot(), before);
}

#[test]
fn identity_that_is_no_uuid_is_damage_and_never_used_as_a_path() {
    let (host, archive) = archived();
    fs::create_dir(host.path("precious")).unwrap();
    fs::create_dir(host.path("precious/folder")).unwrap();
    let path = host.path("precious").display().to_string();
    for identity in [path.as_str(), "../../../precious", ""] {
        let document = serde_json::json!({
            "format": "keeptrusts-archive/1", "archive": identity, "created_at": "2025-01-01T00:00:00.000000Z"
        });
        fs::write(archive.path("archive.json"), document.to_string()).unwrap();
        for arguments in [&["verify", "--json"][..], &["run", "--month", "2025-04", "--json"]] {
            assert_contains(&host.run(arguments).expect(4), "archive.json");
        }
    }
    assert!(host.path("precious/folder").is_dir(), "a run emptied a folder that an archive named");
}

#[test]
fn changed_identity_disowns_every_manifest() {
    let (host, archive) = archived();
    let document = fs::read_to_string(archive.path("archive.json")).unwrap();
    let identity = serde_json::from_str::<serde_json::Value>(&document).unwrap()["archive"].clone();
    let other = document.replace(identity.as_str().unwrap(), "00000000-0000-4000-8000-000000000000");
    fs::write(archive.path("archive.json"), other).unwrap();
    let found = host.run(&["verify", "--level", "quick", "--json"]).expect(4);
    assert_eq!(found.stdout.matches("V007").count(), 3, "{}", found.stdout);
    host.run(&["run", "--month", "2025-04", "--json"]).expect(4);
}

#[test]
fn absurd_manifest_number_is_a_gap_in_the_chain() {
    let (host, archive) = archived();
    for sequence in [99_999_999, u64::MAX] {
        fs::write(archive.path(&manifest_path(sequence)), "{}").unwrap();
        let found = host.run(&["verify", "--level", "quick", "--json"]).expect(4);
        let holes = found.stdout.matches("V004").count();
        assert!((1..5_000).contains(&holes), "{holes} holes");
        host.run(&["run", "--month", "2025-04", "--json"]).expect(4);
        host.run(&["status", "--json"]).expect(4);
    }
}

#[test]
fn missing_manifest_is_listed_before_the_files_that_it_leaves_without_a_name() {
    let (host, archive) = archived();
    fs::remove_file(archive.path(&manifest_path(2))).unwrap();
    let found = host.run(&["verify", "--level", "quick", "--json"]).expect(4).json();
    let codes = found["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
    let codes = codes.collect::<Vec<_>>();
    assert!(codes[0] == "V004" && codes.contains(&"V015"), "{codes:?}");
    let text = host.run(&["verify", "--level", "quick"]).expect(4).stdout;
    assert!(text.starts_with("V004  damage\n"), "{text}");
}

#[test]
fn file_in_a_subfolder_of_a_committed_month_is_damage() {
    let (host, archive) = archived();
    let folder = archive.path("events/parquet/month=2025-02/deeper");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("part.parquet"), "").unwrap();
    assert_contains(&host.run(&["verify", "--level", "quick", "--json"]).expect(4), "V015");
}

#[test]
fn missing_month_and_damage_exit_with_4() {
    let (host, archive) = archived();
    host.run(&["verify", "--from", "2025-01", "--to", "2025-04", "--json"]).expect(5);
    fs::remove_file(archive.path(&archive.file("2025-02", "parquet"))).unwrap();
    let found = host.run(&["verify", "--from", "2025-01", "--to", "2025-04", "--json"]).expect(4);
    assert!(found.stdout.contains("V010") && found.stdout.contains("V030"), "{}", found.stdout);
    let other = host.run(&["verify", "--month", "2025-03", "--json"]).expect(4).json();
    assert_eq!(
        (&other["findings"], &other["earlier"][0]["code"]),
        (&serde_json::json!([]), &serde_json::json!("V010"))
    );
}

#[test]
fn run_of_an_archived_month_that_lost_a_file_exits_with_4() {
    let (host, archive) = archived();
    let file = archive.file("2025-03", "parquet");
    let content = fs::read(archive.path(&file)).unwrap();
    fs::write(archive.path(&file), &content[1..]).unwrap();
    host.run(&["run", "--month", "2025-03", "--json"]).expect(4);
    fs::remove_file(archive.path(&file)).unwrap();
    let outcome = host.run(&["run", "--month", "2025-03", "--json"]).expect(4);
    assert!(outcome.stdout.contains(&file) && outcome.stdout.contains("replicate --repair"), "{}", outcome.stdout);
    let outcome = host.run(&["backfill", "--from", "2025-02", "--to", "2025-04", "--json"]).expect(3).json();
    let states = outcome["months"].as_array().unwrap().iter().map(|month| month["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["already", "failed", "archived"]);
}

#[test]
fn run_of_an_archived_month_removes_orphans_of_a_crash() {
    let (host, archive) = archived();
    let before = archive.snapshot();
    let orphan = "events/parquet/month=2025-03/part-00001-0123456789abcdef.parquet";
    for command in [&["run", "--month", "2025-03"][..], &["backfill", "--from", "2025-03", "--to", "2025-04"]] {
        fs::write(archive.path(orphan), "half").unwrap();
        host.run(&["verify", "--level", "quick"]).expect(4);
        let outcome = host.run(command).expect(0);
        assert!(!archive.objects().contains(orphan), "{command:?} left it");
        assert_contains(&outcome, "removed files that an unfinished run left");
        host.run(&["verify", "--level", "quick"]).expect(0);
    }
    let foreign = ["notes.txt", ".DS_Store", "part-00000-0123456789abcdef.parquet.bak", "notes.txt#1"];
    let foreign = foreign.map(|name| archive.path(&format!("events/parquet/month=2025-03/{name}")));
    for path in &foreign {
        fs::write(path, "of another program").unwrap();
    }
    host.run(&["run", "--month", "2025-03"]).expect(0);
    assert!(foreign.iter().all(|path| path.is_file()), "a run removes only what runs make");
    assert_contains(&host.run(&["verify", "--level", "quick"]).expect(4), "notes.txt");
    let after = archive.snapshot();
    assert!(before.iter().all(|(path, digest)| after.get(path) == Some(digest)));
}

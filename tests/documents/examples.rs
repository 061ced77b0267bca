//! The examples do what their documentation says, and leave nothing behind.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Runs an example with its own temporary folder, and returns its output.
#[track_caller]
fn run(name: &str, argument: Option<&Path>) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program(name));
    command.args(argument).env_clear().env("TMPDIR", scratch.path()).current_dir(scratch.path());
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}: `cargo build --examples` makes it"));
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}:\n{stdout}\n{stderr}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{name} leaves something behind");
    stdout
}

/// Path of an example, which Cargo builds beside the folder of the test binary.
fn program(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("examples").join(name)
}

/// An archive made by `archive_demo`, and the output of that.
fn demo() -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let printed = run("archive_demo", Some(&archive));
    (folder, archive, printed)
}

#[test]
fn archive_demo_prints_the_manifest_it_commits() {
    let (_folder, archive, printed) = demo();
    let manifest = fs::read_to_string(archive.join("manifests/00000001.json")).unwrap();
    assert!(printed.contains("events 2025-03: Archived, 1 files"), "{printed}");
    assert!(printed.contains(&manifest), "{printed}");
    assert_eq!(run("archive_demo", None).lines().count(), printed.lines().count());
}

#[test]
fn custom_source_is_archived_to_the_last_digit() {
    let manifest: serde_json::Value = serde_json::from_str(&run("custom_source", None)).unwrap();
    assert_eq!(manifest["source"]["type"], "letter");
    assert_eq!((&manifest["events"]["read"], &manifest["events"]["archived"]), (&1.into(), &1.into()));
}

#[test]
fn custom_store_holds_a_whole_archive() {
    let printed = run("custom_store", None);
    for part in ["archive.json", "manifests/00000003.json", "verified 3 files, 3000 events: 0 findings"] {
        assert!(printed.contains(part), "{printed}");
    }
}

#[test]
fn verify_archive_finds_damage() {
    let (_folder, archive, _) = demo();
    assert!(run("verify_archive", Some(&archive)).ends_with("1 manifests, 1 files, 1000 events\nunchanged\n"));
    let printed = run("verify_archive", None);
    assert!(printed.starts_with("V012 Damage events/parquet/month=2025-03/part-00000-"), "{printed}");
    assert!(printed.ends_with("not what was committed\n"), "{printed}");
}

#[test]
fn walk_chain_needs_only_the_formats_crate() {
    let (_folder, archive, made) = demo();
    let printed = run("walk_chain", Some(&archive));
    let head = made.lines().find(|line| line.starts_with("head ")).unwrap();
    assert_eq!(printed, format!("00000001 2025-03 1000\n{head}\n"));
    assert_eq!(run("walk_chain", None).lines().count(), 4);
}

#[test]
fn every_example_is_short_documented_and_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("rs".as_ref()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() < 60, "{} has 60 lines or more", path.display());
        assert!(text.starts_with("//! "), "{} has no documentation", path.display());
        names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    let here = include_str!("examples.rs");
    names.retain(|name| !here.contains(&format!("run(\"{name}\"")));
    assert_eq!(names, BTreeSet::new(), "no test runs them");
}

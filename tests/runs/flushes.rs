//! Flushes of an archive in a directory that fail, or that a killed run did not reach.

use crate::support::{
    archive::{Archive, manifest_path},
    cli::{Host, Outcome},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub(super) const RUN: [&str; 4] = ["run", "--month", "2025-03", "--json"];

pub(super) fn host() -> (Host, Archive) {
    let mut host = Host::new();
    // Two folders above the archive are missing.
    let archive = Archive::at(host.path("a/b/archive"));
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=30&seed=5");
    host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
    host.set("KT_ARCHIVE_FORMAT", "csv");
    (host, archive)
}

/// Runs the program while `strace` injects a fault into each flush of `path`.
fn run_with_fault(host: &Host, fault: &str, path: &Path) -> Outcome {
    // Without a slash at the end, as the kernel prints it.
    let path = path.components().collect::<PathBuf>().display().to_string();
    let inject = format!("inject=fsync:{fault}");
    host.run_under(&["strace", "-f", "-qq", "-o", "trace", "-P", &path, "-e", &inject], &RUN)
}

/// The paths that a run flushes, relative to the host's home, which is empty.
fn flushed(host: &Host) -> BTreeSet<String> {
    let outcome = host.run_under(&["strace", "-f", "-qq", "-y", "-o", "trace", "-e", "trace=fsync"], &RUN);
    outcome.expect(0);
    let trace = fs::read_to_string(host.path("trace")).unwrap();
    let paths = trace.lines().filter_map(|line| Some(line.split_once('<')?.1.split_once('>')?.0));
    let home = host.path("").display().to_string();
    paths.filter_map(|path| Some(format!("{path}/").strip_prefix(&home)?.trim_end_matches('/').to_owned())).collect()
}

fn data_file() -> String {
    let (host, archive) = host();
    host.run(&RUN).expect(0);
    archive.file("2025-03", "csv")
}

#[test]
fn failed_flush_of_anything_commits_nothing_and_the_next_run_completes_the_month() {
    let file = data_file();
    let folder = Path::new(&file).parent().unwrap().display().to_string();
    let manifest = format!("{}#1", manifest_path(1));
    // Its digest is not known when it is begun.
    let begun = format!("{folder}/part-00000-{:016}.csv.gz#1", 0);
    for path in ["archive.json#1", &begun, &folder, "events", "", "manifests", &manifest] {
        let (host, archive) = host();
        let outcome = run_with_fault(&host, "error=EIO", &archive.path(path)).expect(7);
        assert!(outcome.stderr.contains("not flushed") && outcome.stderr.contains("hint: "), "{path}: {outcome:?}");
        assert!(path == "manifests" || archive.sequences().is_empty(), "{path}");
        assert_eq!(archive.objects().iter().find(|object| object.contains('#')), None, "{path}");
        host.run(&RUN).expect(0);
        archive.check();
    }
}

#[test]
fn what_a_killed_run_left_is_flushed_before_it_counts() {
    let file = data_file();
    let ancestors = |path: &str| {
        let path = Path::new("a/b/archive").join(path);
        let paths = path.ancestors().take_while(|path| path.starts_with("a/b"));
        paths.map(|path| path.display().to_string()).collect::<BTreeSet<_>>()
    };
    for (killed_at, found) in
        [(Path::new(&file).parent().unwrap(), file.clone()), (Path::new("manifests"), manifest_path(1))]
    {
        let (host, archive) = host();
        let outcome = run_with_fault(&host, "signal=KILL", &archive.path(killed_at.to_str().unwrap()));
        assert_ne!(outcome.code, Some(0), "{outcome:?}");
        assert!(archive.objects().contains(&found), "{killed_at:?}");
        assert!(flushed(&host).is_superset(&ancestors(&found)), "{killed_at:?}");
        archive.check();
    }
}

#[test]
fn folders_above_a_new_archive_are_flushed() {
    let flushed = flushed(&host().0);
    for folder in ["", "a", "a/b", "a/b/archive", "a/b/archive/events", "a/b/archive/manifests"] {
        assert!(flushed.contains(folder), "{folder}: {flushed:?}");
    }
}

//! Kills, failed calls and power cuts at every place of a command, judged by readers of others: `crashes.py` has the cases.
//!
//! Here each scenario has a sample of its calls; `tests/run --long` has all of them.

use crate::support::suite::{assert_no_failures, is_long};
use std::{path::Path, process::Command, sync::LazyLock};
use tempfile::TempDir;

/// The tool that stops and fails system calls.
pub(crate) static CALLS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes/calls.c");
    let compiled =
        Command::new("cc").args(["-O2", "-o"]).arg(folder.path().join("calls")).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    folder
});

/// Runs every `K`th fault of a scenario; all of them in the long run.
#[track_caller]
fn assert_whole_after_faults(scenario: &str, every: u32) {
    let calls = CALLS.path().join("calls").display().to_string();
    let every = if is_long() { 1 } else { every }.to_string();
    let arguments = [calls.as_str(), "--only", scenario, "--every", every.as_str()];
    assert_no_failures("crashes/crashes.py", &arguments, 20);
}

#[test]
fn run_is_whole_after_any_fault() {
    assert_whole_after_faults("run", 17);
}

#[test]
fn second_month_is_whole_after_any_fault() {
    assert_whole_after_faults("run-again", 19);
}

#[test]
fn backfill_is_whole_after_any_fault() {
    assert_whole_after_faults("backfill", 41);
}

#[test]
fn replica_is_whole_after_any_fault() {
    assert_whole_after_faults("replicate", 11);
}

#[test]
fn slice_is_whole_or_absent_after_any_fault() {
    assert_whole_after_faults("pull", 5);
}

#[test]
fn repaired_replica_is_whole_after_any_fault() {
    assert_whole_after_faults("repair", 11);
}

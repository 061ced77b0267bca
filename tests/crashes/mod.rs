//! Kills, failed calls and power cuts at every place of a command, judged by readers of others: `crashes.py` has the cases.
//!
//! Here each scenario has a sample of its calls; `tests/run --long` has all of them.

use crate::support::test_variable;
use serde_json::Value;
use std::{path::Path, process::Command, sync::LazyLock};
use tempfile::TempDir;

/// The tool that stops and fails system calls.
static CALLS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes/calls.c");
    let compiled =
        Command::new("cc").args(["-O2", "-o"]).arg(folder.path().join("calls")).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    folder
});

/// Runs every `K`th fault of a scenario; all of them if `KT_TEST_LONG` is set.
#[track_caller]
fn assert_whole_after_faults(scenario: &str, every: u32) {
    let every = if std::env::var_os("KT_TEST_LONG").is_some() { 1 } else { every };
    let output = Command::new(test_variable("KT_TEST_PYTHON"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes/crashes.py"))
        .arg(env!("CARGO_BIN_EXE_kt-archive"))
        .arg(CALLS.path().join("calls"))
        .args(["--only", scenario, "--every", &every.to_string()])
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let report = serde_json::from_str::<Value>(&report)
        .unwrap_or_else(|error| panic!("{error}: {report} {}", String::from_utf8_lossy(&output.stderr)));
    #[expect(clippy::print_stdout, reason = "the numbers of the long run")]
    {
        println!("{scenario}: {}", report["faults"]);
    }
    let faults = report["faults"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert!(faults >= 20, "only {faults} faults: {report}");
    assert_eq!(report["failures"], serde_json::json!([]), "{scenario}");
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
fn repaired_replica_is_whole_after_any_fault() {
    assert_whole_after_faults("repair", 11);
}

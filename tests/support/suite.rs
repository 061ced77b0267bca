//! Runs suites of faults, which are Python scripts, and checks their reports.
//!
//! Short: the cases are in the suites.

use super::test_variable;
use serde_json::{Value, json};
use std::{ffi::OsStr, fs::OpenOptions, io::Write as _, path::Path, process::Command};

/// Whether `tests/run --long` asked for every fault instead of a sample.
pub(crate) fn is_long() -> bool {
    std::env::var_os("KT_TEST_LONG").is_some()
}

/// Runs `script` of `tests/` on the program with these arguments, and asserts that it tried at least `least` faults, and
/// that none of them had a failure.
#[track_caller]
pub(crate) fn assert_no_failures(script: &str, arguments: &[impl AsRef<OsStr>], least: u64) {
    let report = report_of(script, arguments);
    let faults = report["faults"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert!(faults >= least, "only {faults} faults: {report}");
}

/// Runs `script` of `tests/` on the program with these arguments, asserts that nothing in it failed, and returns its
/// report.
#[track_caller]
pub(crate) fn report_of(script: &str, arguments: &[impl AsRef<OsStr>]) -> Value {
    let output = Command::new(test_variable("KT_TEST_PYTHON"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script))
        .arg(env!("CARGO_BIN_EXE_kt-archive"))
        .args(arguments)
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let report = serde_json::from_str::<Value>(&report)
        .unwrap_or_else(|error| panic!("{error}: {report} {}", String::from_utf8_lossy(&output.stderr)));
    count(&report);
    assert_eq!(report["failures"], json!([]), "{script}");
    report
}

/// Adds the numbers of a report to those that `tests/run` prints at its end.
fn count(report: &Value) {
    let Some(numbers) = std::env::var_os("KT_TEST_NUMBERS") else { return };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let mut tried = report.clone();
    tried.as_object_mut().unwrap().remove("failures");
    // One write, so that tests that end together do not mix their lines.
    let line = format!("{test} {tried}\n");
    OpenOptions::new().append(true).create(true).open(numbers).unwrap().write_all(line.as_bytes()).unwrap();
}

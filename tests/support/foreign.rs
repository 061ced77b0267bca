//! Other people's readers: DuckDB and PyArrow.

use super::{archive::Archive, handed_over};
use serde_json::Value;
use std::{path::Path, process::Command};

/// What another program read.
#[derive(Debug)]
pub(crate) struct ReadBack {
    /// Column to the reader's name of its type.
    pub(crate) columns: Value,
    /// Rows in the order of their ids, every value as text.
    pub(crate) rows: Vec<Value>,
}

/// Reads an archive with `duckdb-parquet`, `duckdb-csv` or `pyarrow-parquet`.
pub(crate) fn read_back(reader: &str, archive: &Archive) -> ReadBack {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read_back.py");
    let mut command = Command::new(handed_over("KT_TEST_PYTHON"));
    let output = command.arg(script).arg(reader).arg(archive.root()).output().unwrap();
    assert!(output.status.success(), "{reader}: {}", String::from_utf8_lossy(&output.stderr));
    let document = serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap().clone();
    ReadBack { columns: document["columns"].clone(), rows }
}

//! Every column type: in data files, in slices, and for independent readers.

use crate::support::{
    archive::Archive,
    cli::Host,
    foreign::{count_nan, verify},
    typed::{self, MONTH},
};
use archive_formats::FileFormat;
use serde_json::{Value, json};
use std::fs;

/// A host with an archive of events of every type.
fn archived(formats: &[FileFormat]) -> (Host, Archive) {
    let mut host = Host::new();
    let place = host.path("archive");
    typed::archive(&place, formats);
    host.set("KT_ARCHIVE_ARCHIVE", place.display().to_string());
    (host, Archive::at(place))
}

/// A slice with all events, and its manifest.
#[track_caller]
fn slice(host: &Host, format: &str) -> (Vec<u8>, Value) {
    let output = format!("slice.{format}");
    let window = ["--from", "2025-03-01", "--to", "2025-04-01"];
    let arguments = [&["pull", "--format", format, "--output", &output, "--json"], &window[..]].concat();
    let report = host.run(&arguments).expect(0).json();
    (fs::read(host.path(&output)).unwrap(), report)
}

#[test]
fn csv_and_parquet_give_the_same_slices() {
    let (csv, _) = archived(&[FileFormat::Csv]);
    let (parquet, _) = archived(&[FileFormat::Parquet]);
    for format in ["parquet", "csv", "jsonl"] {
        let (from_csv, report) = slice(&csv, format);
        let (from_parquet, _) = slice(&parquet, format);
        assert_eq!(report["rows"], 4);
        assert!(from_csv == from_parquet, "the slices as {format} differ");
        if format == "csv" {
            assert_eq!(String::from_utf8(from_csv).unwrap(), typed::csv());
        }
    }
}

#[test]
fn files_hold_every_value_in_its_canonical_text() {
    let (host, archive) = archived(&[FileFormat::Csv, FileFormat::Parquet]);
    archive.check();
    assert_eq!(String::from_utf8(archive.unzipped(&archive.file(MONTH, "csv"))).unwrap(), typed::csv());
    let report = host.run(&["verify", "--json"]).expect(0).json();
    assert_eq!((&report["findings"], &report["events"]), (&json!([]), &json!(4)));
}

#[test]
fn readers_that_use_statistics_find_nan() {
    let (host, archive) = archived(&[FileFormat::Parquet]);
    slice(&host, "parquet");
    for file in [archive.path(&archive.file(MONTH, "parquet")), host.path("slice.parquet")] {
        assert_eq!(count_nan(&file), json!({"duckdb": 1, "pyarrow": 1, "bounds": []}));
    }
}

#[test]
fn independent_reader_finds_the_same_values_in_both_formats() {
    let (_host, archive) = archived(&[FileFormat::Csv, FileFormat::Parquet]);
    assert_eq!(verify(&archive), json!({"manifests": 1, "files": 2, "events": 4, "findings": []}));
}

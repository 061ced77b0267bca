//! `report`: the content of the page, its behaviour in a browser, and failures. Short, since it only holds the modules and
//! what they share.

mod browser;
mod counts;
mod damage;
mod output;
mod verifications;

use crate::support::{
    archive::Archive,
    cli::{Host, Outcome},
};
use std::fs;

/// A host on 2025-04-10 with an archive of demo events of these months.
fn archived(from: &str, to: &str) -> (Host, Archive) {
    let mut host = Host::new();
    let archive = Archive::at(host.path("archive"));
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=300&seed=3");
    host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
    host.set_time("2025-04-10 12:00:00");
    host.run(&["backfill", "--from", from, "--to", to, "--quiet"]).expect(0);
    (host, archive)
}

/// Writes the page, with `--force`.
fn report(host: &Host, more: &[&str]) -> Outcome {
    host.run(&[&["report", "--output", "report.html", "--force", "--json"][..], more].concat())
}

/// Writes the page and returns it.
#[track_caller]
fn page(host: &Host, more: &[&str]) -> String {
    report(host, more).expect(0);
    read(host)
}

fn read(host: &Host) -> String {
    fs::read_to_string(host.path("report.html")).unwrap()
}

/// Asserts that two pages are equal except for their time.
#[track_caller]
fn assert_same(one: &str, other: &str) {
    let timeless = |page: &str| {
        let times = (0..60).map(|second| format!("2025-04-10 12:00:{second:02} UTC"));
        times.fold(page.to_owned(), |page, time| page.replace(&time, ""))
    };
    let (one, other) = (timeless(one), timeless(other));
    let first = one.bytes().zip(other.bytes()).position(|(one, other)| one != other);
    assert!(one == other, "they differ at byte {first:?}");
}

#[track_caller]
fn assert_contains(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "{word} is missing");
    }
}

//! Replicas equal the archive byte for byte. Foreign files are never touched, and damage is repaired.

mod copying;
mod refusals;
mod repair;
mod stores;

use crate::support::{
    archive::Archive,
    cli::{Host, Outcome},
};
use serde_json::Value;
use std::fs;

/// An archive of three months in two formats, and a folder for its replica.
struct Copies {
    host: Host,
    archive: Archive,
    replica: Archive,
}

impl Copies {
    /// Without a replica yet.
    fn new() -> Self {
        let mut host = Host::new();
        let [archive, replica] = ["archive", "replica"].map(|name| Archive::at(host.path(name)));
        host.set("KT_ARCHIVE_SOURCE", "demo:?events=60&seed=5");
        host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
        host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
        let copies = Self { host, archive, replica };
        copies.backfill("2025-01", "2025-03", &[]).expect(0);
        copies
    }

    /// With an up-to-date replica.
    fn current() -> Self {
        let copies = Self::new();
        copies.replicate(&[]).expect(0);
        copies.assert_same();
        copies
    }

    fn backfill(&self, from: &str, to: &str, options: &[&str]) -> Outcome {
        let command = ["backfill", "--from", from, "--to", to, "--json"];
        self.host.run(&[&command[..], options].concat())
    }

    fn replicate(&self, options: &[&str]) -> Outcome {
        self.replicate_to(&self.replica.root().display().to_string(), options)
    }

    fn replicate_to(&self, replica: &str, options: &[&str]) -> Outcome {
        self.host.run(&[&["replicate", "--json", "--replica", replica][..], options].concat())
    }

    /// Asserts that the replica is a valid archive and equals the archive.
    #[track_caller]
    fn assert_same(&self) {
        self.replica.check();
        assert_eq!(self.replica.snapshot(), self.archive.snapshot());
        let replica = self.replica.root().display().to_string();
        let found = self.host.run(&["verify", "--json", "--archive", &replica]).expect(0).json();
        assert_eq!(found["findings"], Value::Array(Vec::new()));
    }

    /// Changes the bytes of an object.
    fn change(archive: &Archive, object: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(archive.path(object)).unwrap();
        change(&mut bytes);
        fs::write(archive.path(object), bytes).unwrap();
    }
}

/// The states of the replicas, in the order given.
fn states(outcome: &Outcome) -> Vec<String> {
    let document = outcome.json();
    let replicas = document["replicas"].as_array().unwrap().iter();
    replicas.map(|replica| replica["state"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_contains(outcome: &Outcome, words: &[&str]) {
    for word in words {
        assert!(outcome.output().contains(word), "{word} is missing: {}", outcome.output());
    }
}

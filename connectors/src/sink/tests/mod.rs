//! Tests of the sink over memory, directories, and stores that fail on a script.

mod chains;
mod commits;
mod directories;
mod documents;
mod files;
mod interleavings;

use super::*;
use crate::testing::FaultyStore;
use archive_formats::{
    Chain, Column, ColumnType, CommitRecord as _, Manifest, Month, Schema, Sha256, Timestamp, key,
    manifest::{ArchiveDocument, CommitKind, DataFile, EventCounts, SourceRecord, Tool},
};
use bytes::Bytes;
use object_store::{ObjectStoreExt as _, memory::InMemory};
use serde_json::Value;
use std::sync::atomic;

const ARCHIVE: &str = "6f6d6a8e-0000-4000-8000-000000000000";
const OTHER: &str = "6f6d6a8e-0000-4000-8000-000000000001";

/// A store in memory that fails on demand, a sink over it, and a folder to stage files in.
struct Fixture {
    store: FaultyStore,
    sink: Sink,
    folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let sink = Sink::from_store(Arc::new(store.clone()), Confirm::ReadBack, "memory");
    Fixture { store, sink, folder: tempfile::tempdir().unwrap() }
}

impl Fixture {
    /// A staged file of `month` with these bytes.
    fn staged(&self, month: &str, bytes: &[u8]) -> StagedFile {
        staged(self.folder.path(), month, bytes)
    }

    async fn put(&self, path: &str, bytes: &'static str) {
        self.sink.store.put(&Path::from(path), bytes.into()).await.unwrap();
    }

    async fn get(&self, path: &str) -> Option<Bytes> {
        self.sink.document(path).await.unwrap()
    }
}

fn staged(folder: &std::path::Path, month: &str, bytes: &[u8]) -> StagedFile {
    let sha256 = Sha256::digest(bytes);
    // One file per call: racing writers must not share staged files.
    let local = tempfile::NamedTempFile::new_in(folder).unwrap().into_temp_path();
    std::fs::write(&local, bytes).unwrap();
    let format = archive_formats::FileFormat::Csv;
    let folder = key::month_folder(&"events".parse().unwrap(), format, month.parse().unwrap());
    let path = key::data_file(&folder, 0, &sha256, "csv.gz");
    let bytes = bytes.len() as u64;
    StagedFile::new(local, DataFile { path, format, rows: 1, bytes, sha256, first: None, last: None, ranges: None })
        .unwrap()
}

/// A draft of `month` with one event.
fn draft(month: &str) -> MonthDraft {
    let month: Month = month.parse().unwrap();
    let events = EventCounts { read: 1, archived: 1, ..EventCounts::default() };
    MonthDraft {
        archive_sha256: Some(Sha256::digest(b"archive.json")),
        kind: CommitKind::Month,
        dataset: "events".parse().unwrap(),
        month,
        window: month.window(),
        committed_at: Timestamp::from_micros(1),
        source_clock: None,
        tool: Tool { name: "kt-archive".to_owned(), version: "0.0.0".to_owned() },
        source: SourceRecord { kind: "demo".to_owned(), url: String::new(), changed_from: None, detail: Value::Null },
        schema: None,
        transforms: Vec::new(),
        events,
        accept_schema_change: false,
    }
}

/// Stores one file of `month`, and commits it.
async fn archive(fixture: &Fixture, chain: &mut Chain, month: &str) -> Result<Commit> {
    let file = fixture.sink.store(&fixture.staged(month, month.as_bytes()), |_| {}).await?;
    fixture.sink.commit(chain, &draft(month), &[file]).await
}

fn empty() -> Chain {
    Chain::new(ARCHIVE.to_owned())
}

//! The commit record of a month: what was read, what was archived, and the digest of every file.
//!
//! [`Manifest::to_bytes`] and [`Manifest::from_bytes`] are the only places where the bytes of a manifest are made and
//! read. The order of the fields here is the order of the keys there.

use crate::{Dataset, FileFormat, Month, Schema, Sha256, Timestamp, Window, key};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;

/// The name and version of the archive format.
pub const FORMAT: &str = "keeptrusts-archive/1";

/// The identity of an archive, `archive.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveDocument {
    /// Always [`FORMAT`].
    pub format: String,
    /// A UUID that every manifest of the archive repeats.
    pub archive: String,
    /// When the place became an archive.
    pub created_at: Timestamp,
}

/// A commit record. Numbers are dense from 1, and each names the digest of the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// The archive's UUID.
    pub archive: String,
    /// This manifest's number.
    pub sequence: u64,
    /// The manifest before this one; null for the first.
    pub previous: Option<Link>,
    /// What kind of commit this is.
    pub kind: CommitKind,
    /// The dataset that the month belongs to.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The half-open interval that was archived.
    pub window: Window,
    /// When the manifest was made, by the clock of the host.
    pub committed_at: Timestamp,
    /// What the source's clock showed, where it has one.
    pub source_clock: Option<Timestamp>,
    /// The program.
    pub tool: Tool,
    /// Where the events came from.
    pub source: SourceRecord,
    /// The columns; null when no event and so no file was archived.
    pub schema: Option<Schema>,
    /// What was done to the events on the way, in order.
    pub transforms: Vec<Value>,
    /// The counts.
    pub events: EventCounts,
    /// Every file of the month.
    pub files: Vec<DataFile>,
}

/// A manifest as its successor names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// What a manifest commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitKind {
    /// A whole month.
    Month,
    /// Events that were found later, for a month that is committed already.
    Addendum,
}

/// The program that wrote a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `kt-archive`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where events came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The connector: `exports-api`, `demo`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address without user, password and query.
    pub url: String,
    /// What the connector has to say: jobs, layout, snapshot.
    pub detail: Value,
}

/// The counts of a month. `read = archived + outside_window + duplicates + rejected`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// Rows that the source delivered.
    pub read: u64,
    /// Events in the archive.
    pub archived: u64,
    /// Rows of other months, which the margin around the window brought along.
    pub outside_window: u64,
    /// Exact repetitions, dropped.
    pub duplicates: u64,
    /// Archived events that share an id with another one.
    pub conflicts: u64,
    /// Rows that could not become events.
    pub rejected: u64,
    /// The source's own count, where it gives one.
    pub source_count: Option<u64>,
    /// Time of the earliest archived event.
    pub first: Option<Timestamp>,
    /// Time of the latest archived event.
    pub last: Option<Timestamp>,
}

/// One file of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the archive's root.
    pub path: String,
    /// What it holds.
    pub format: FileFormat,
    /// Events, or rows of a `rejects` file. For an artifact: rows that it held.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// Digest of its bytes.
    pub sha256: Sha256,
    /// Time of its earliest event.
    pub first: Option<Timestamp>,
    /// Time of its latest event.
    pub last: Option<Timestamp>,
}

/// Counts of a manifest that contradict each other.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Imbalance {
    /// Rows went missing or appeared between reading and archiving.
    #[error("{read} rows were read, but {accounted} are accounted for")]
    Rows {
        /// What the source delivered.
        read: u64,
        /// Archived, outside the window, duplicates and rejected.
        accounted: u64,
    },
    /// The files of a format do not hold the month's events.
    #[error("the {format} files hold {rows} events, but {archived} were archived")]
    Files {
        /// The format.
        format: FileFormat,
        /// Rows of its files.
        rows: u64,
        /// What should be there.
        archived: u64,
    },
    /// The rejected rows are not where they should be.
    #[error("the rejects files hold {rows} rows, but {rejected} were rejected")]
    Rejects {
        /// Rows of its files.
        rows: u64,
        /// What should be there.
        rejected: u64,
    },
    /// Events that lie nowhere.
    #[error("{archived} events were archived, but there is no file of them")]
    NoFile {
        /// What should be there.
        archived: u64,
    },
    /// The times of the files are not those of the month.
    #[error("the first and last event of the {format} files are not those of the month")]
    Span {
        /// The format.
        format: FileFormat,
    },
}

impl Manifest {
    /// The bytes that are stored: JSON with two-space indentation and a line feed at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }

    /// Reads a stored manifest. Unknown fields are ignored, so that later versions may add some.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The bytes of this manifest's `SHA256SUMS`, in the form that `sha256sum -c` of coreutils checks: a line for each
    /// file, and one for the manifest, whose own bytes have the digest `own`. Made from the manifest alone, so that a
    /// later run can add what a crash left out.
    pub fn sha256sums(&self, own: &Sha256) -> Vec<u8> {
        let mut lines = String::new();
        let files = self.files.iter().map(|file| (&file.sha256, file.path.clone()));
        for (digest, path) in files.chain([(own, key::manifest(self.sequence))]) {
            writeln!(lines, "{digest}  {path}").unwrap_or_else(|_| unreachable!("a String takes all that is written"));
        }
        lines.into_bytes()
    }

    /// The formats of its files.
    pub fn formats(&self) -> std::collections::BTreeSet<FileFormat> {
        self.files.iter().map(|file| file.format).collect()
    }

    /// Size of its files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Checks that the counts add up: a month whose counts do not is neither committed nor believed.
    pub fn check_balance(&self) -> Result<(), Imbalance> {
        let EventCounts { read, archived, outside_window, duplicates, rejected, .. } = self.events;
        let parts = [archived, outside_window, duplicates, rejected];
        let accounted = parts.into_iter().fold(0, u64::saturating_add);
        if read != accounted {
            return Err(Imbalance::Rows { read, accounted });
        }
        let files = |format| self.files.iter().filter(move |file| file.format == format);
        let rows = |format| files(format).fold(0, |sum: u64, file| sum.saturating_add(file.rows));
        let kept = rows(FileFormat::Rejects);
        if kept != rejected {
            return Err(Imbalance::Rejects { rows: kept, rejected });
        }
        let formats = self.formats();
        if archived > 0 && formats.iter().all(|format| *format == FileFormat::Rejects) {
            return Err(Imbalance::NoFile { archived });
        }
        for format in formats.into_iter().filter(|format| format.holds_events()) {
            let rows = rows(format);
            if rows != archived {
                return Err(Imbalance::Files { format, rows, archived });
            }
            let span =
                (files(format).filter_map(|file| file.first).min(), files(format).filter_map(|file| file.last).max());
            if span != (self.events.first, self.events.last) {
                return Err(Imbalance::Span { format });
            }
        }
        Ok(())
    }
}

impl ArchiveDocument {
    /// The document of a new archive.
    pub fn new(archive: String, created_at: Timestamp) -> Self {
        Self { format: FORMAT.to_owned(), archive, created_at }
    }

    /// The bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }

    /// Reads a stored document.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

pub(crate) fn document_bytes(document: &impl Serialize) -> Vec<u8> {
    let bytes = serde_json::to_vec_pretty(document);
    let mut bytes = bytes.unwrap_or_else(|_| unreachable!("documents have string keys and finite numbers"));
    bytes.push(b'\n');
    bytes
}

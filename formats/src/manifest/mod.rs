//! The commit record of a month: what was read, what was archived, and the digest of every file.
//!
//! The order of the fields is the order of the keys in the stored documents.

use crate::{
    CommitRecord, Dataset, FileFormat, Month, ParquetPart, ParquetRanges, RangesError, RowGroup, Schema, Sha256,
    Timestamp, Window, digest::ByteRange, printable,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name and version of the archive format.
pub const FORMAT: &str = "keeptrusts-archive/1";

/// The identity of an archive, `archive.json`, or of backups, `backups.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveDocument {
    /// The format of its manifests: [`FORMAT`] for an archive.
    pub format: String,
    /// Its UUID, repeated in every manifest.
    pub archive: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A commit record. Manifests are numbered from 1 without gaps, and each has the digest of the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// The archive's UUID.
    pub archive: String,
    /// The number of this manifest.
    pub sequence: u64,
    /// The manifest before; null in the first.
    pub previous: Option<Link>,
    /// The kind of commit.
    pub kind: CommitKind,
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The archived interval.
    pub window: Window,
    /// When the manifest was made, by the host's clock.
    pub committed_at: Timestamp,
    /// The time by the source's clock, if it has one.
    pub source_clock: Option<Timestamp>,
    /// The program that wrote the manifest.
    pub tool: Tool,
    /// The source of the events.
    pub source: SourceRecord,
    /// The columns; null when no event was archived.
    pub schema: Option<Schema>,
    /// The transforms of the events, in order.
    pub transforms: Vec<Value>,
    /// The counts.
    pub events: EventCounts,
    /// All files of the month.
    pub files: Vec<DataFile>,
    /// The digest of `archive.json`, in the first manifest alone. Archives of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<Sha256>,
}

/// A reference to the previous manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// The kind of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitKind {
    /// A whole month.
    Month,
    /// Events found later, for a committed month.
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

impl Tool {
    /// This version of `kt-archive`.
    pub fn current() -> Self {
        Self { name: "kt-archive".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The source of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The connector: `exports-api`, `demo`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address without user, password and query.
    pub url: String,
    /// The source of the dataset before this commit, if this one took over from it with the operator's consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_from: Option<SourceIdentity>,
    /// Details from the connector: jobs, layout, snapshot.
    pub detail: Value,
}

/// What tells one source from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceIdentity {
    /// The connector.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address without user, password and query.
    pub url: String,
    /// The organisation whose rows are selected, where the source has those of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
}

impl From<&SourceRecord> for SourceIdentity {
    fn from(record: &SourceRecord) -> Self {
        let organisation = record.detail.get("org_id").and_then(Value::as_str).map(str::to_owned);
        Self { kind: record.kind.clone(), url: record.url.clone(), organisation }
    }
}

impl SourceIdentity {
    /// Whether its events were made up.
    pub fn is_invented(&self) -> bool {
        self.kind == INVENTED
    }

    /// The source for people, printable.
    pub fn sentence(&self) -> String {
        let invented = if self.is_invented() { " (invented events)" } else { "" };
        let organisation = self.organisation.as_ref();
        let organisation = organisation.map_or_else(String::new, |name| format!(", organisation {}", printable(name)));
        format!("{}{organisation}{invented}", printable(&self.url))
    }
}

/// The connector whose events are made up, for trials.
pub const INVENTED: &str = "demo";

/// The counts of a month. `read = archived + outside_window + duplicates + rejected`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// Rows from the source.
    pub read: u64,
    /// Events in the archive.
    pub archived: u64,
    /// Rows of other months, from the margin around the window.
    pub outside_window: u64,
    /// Exact repetitions, which are dropped.
    pub duplicates: u64,
    /// Archived events that share an id with another event.
    pub conflicts: u64,
    /// Rows that could not become events.
    pub rejected: u64,
    /// The source's own count, if it has one.
    pub source_count: Option<u64>,
    /// The time of the earliest archived event.
    pub first: Option<Timestamp>,
    /// The time of the latest archived event.
    pub last: Option<Timestamp>,
}

/// One file of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredDataFile")]
pub struct DataFile {
    /// The path, relative to the archive's root.
    pub path: String,
    /// The format.
    pub format: FileFormat,
    /// Events; rejected rows in a `rejects` file; all rows of an artifact.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// The time of its earliest event.
    pub first: Option<Timestamp>,
    /// The time of its latest event.
    pub last: Option<Timestamp>,
    /// The ranges of a Parquet file; `None` in files of earlier versions and of other formats.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<ParquetRanges>,
}

impl DataFile {
    /// What a reader of `window` needs; `None` if it is the whole file.
    pub fn part(&self, window: Window) -> Option<ParquetPart> {
        self.ranges.as_ref()?.part(window)
    }
}

/// A [`DataFile`] before its ranges were compared with its size.
#[derive(Deserialize)]
struct StoredDataFile {
    path: String,
    format: FileFormat,
    rows: u64,
    bytes: u64,
    sha256: Sha256,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    row_groups: Option<Vec<RowGroup>>,
    footer: Option<ByteRange>,
}

impl TryFrom<StoredDataFile> for DataFile {
    type Error = RangesError;

    fn try_from(stored: StoredDataFile) -> Result<Self, RangesError> {
        let StoredDataFile { path, format, rows, bytes, sha256, first, last, row_groups, footer } = stored;
        let ranges = match (format, row_groups, footer) {
            (_, None, None) => None,
            (FileFormat::Parquet, Some(row_groups), Some(footer)) => {
                Some(ParquetRanges::new(row_groups, footer, bytes)?)
            }
            _ => return Err(RangesError),
        };
        Ok(Self { path, format, rows, bytes, sha256, first, last, ranges })
    }
}

/// Counts of a manifest contradict each other.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Imbalance {
    /// The rows read are not those accounted for.
    #[error("{read} rows were read, but {accounted} are accounted for")]
    Rows {
        /// Rows from the source.
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
        /// The expected number.
        archived: u64,
    },
    /// The rejects files do not hold the rejected rows.
    #[error("the rejects files hold {rows} rows, but {rejected} were rejected")]
    Rejects {
        /// Rows of the files.
        rows: u64,
        /// The expected number.
        rejected: u64,
    },
    /// Archived events are in no file.
    #[error("{archived} events were archived, but there is no file of them")]
    NoFile {
        /// The number of events.
        archived: u64,
    },
    /// The row groups of a file do not hold its events.
    #[error("the row groups of {path} do not hold the events of the file")]
    RowGroups {
        /// The file.
        path: String,
    },
    /// The times of the files are not those of the month.
    #[error("the first and last event of the {format} files are not those of the month")]
    Span {
        /// The format.
        format: FileFormat,
    },
}

impl Manifest {
    /// The formats of its files.
    pub fn formats(&self) -> std::collections::BTreeSet<FileFormat> {
        self.files.iter().map(|file| file.format).collect()
    }

    /// The total size of its files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Checks that the counts add up, before a commit and in `verify`.
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
        let contradicts = |file: &&DataFile| {
            file.ranges.as_ref().is_some_and(|ranges| ranges.counts() != (file.rows, file.first, file.last))
        };
        match self.files.iter().find(contradicts) {
            Some(file) => Err(Imbalance::RowGroups { path: file.path.clone() }),
            None => Ok(()),
        }
    }
}

impl ArchiveDocument {
    /// The document of a new archive, or of the root of another chain.
    pub fn new<M: CommitRecord>(archive: String, created_at: Timestamp) -> Self {
        Self { format: M::FORMAT.to_owned(), archive, created_at }
    }

    /// The bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }

    /// Parses a stored document.
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

#[cfg(test)]
pub(crate) mod tests;

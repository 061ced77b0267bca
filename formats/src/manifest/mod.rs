//! The commit record of a month: what was read, what was archived, and the digest of every file.
//!
//! The order of the fields is the order of the keys in the stored documents.

use crate::{
    Dataset, FileFormat, Month, ParquetPart, ParquetRanges, RangesError, RowGroup, Schema, Sha256, Timestamp, Window,
    digest::ByteRange, key, printable,
};
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
    /// The archive's UUID, repeated in every manifest.
    pub archive: String,
    /// When the archive was created.
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
    /// The bytes that are stored: JSON with two-space indentation and a line feed at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }

    /// Parses a stored manifest. Unknown fields are ignored: later versions may add some.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The `SHA256SUMS` of this manifest, as `sha256sum -c` of coreutils reads it: a line for each file, and one for the
    /// manifest, whose bytes have the digest `own`. It depends on the manifest alone, so that a later run can add one
    /// that is missing after a crash.
    pub fn sha256sums(&self, own: &Sha256) -> Vec<u8> {
        let mut lines = String::new();
        let files = self.files.iter().map(|file| (&file.sha256, file.path.clone()));
        for (digest, path) in files.chain([(own, key::manifest(self.sequence))]) {
            writeln!(lines, "{digest}  {path}").unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
        }
        lines.into_bytes()
    }

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
    /// The document of a new archive.
    pub fn new(archive: String, created_at: Timestamp) -> Self {
        Self { format: FORMAT.to_owned(), archive, created_at }
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
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A month of two events as Parquet and CSV, one repetition, one event of another month and one rejected row.
    pub(crate) const DOCUMENT: &str = r#"{
  "format": "keeptrusts-archive/1",
  "archive": "6f4b3c1e-6f0e-4c58-9a55-0b1f4ab0a001",
  "sequence": 1,
  "previous": null,
  "kind": "month",
  "dataset": "events",
  "month": "2025-03",
  "window": {
    "from": "2025-03-01T00:00:00.000000Z",
    "to": "2025-04-01T00:00:00.000000Z"
  },
  "committed_at": "2025-04-01T04:00:00.000000Z",
  "source_clock": null,
  "tool": {
    "name": "kt-archive",
    "version": "0.1.0"
  },
  "source": {
    "type": "exports-api",
    "url": "https://api.keeptrusts.example",
    "detail": {}
  },
  "schema": {
    "sha256": "0227dafe8f938035bdef4e563142f7950a6e6c7836a6e944004b1091f83102c6",
    "id": "event_id",
    "time": "timestamp",
    "columns": [
      {
        "name": "event_id",
        "type": "text",
        "source_type": null,
        "nullable": false
      },
      {
        "name": "timestamp",
        "type": "timestamp(us,UTC)",
        "source_type": null,
        "nullable": false
      }
    ]
  },
  "transforms": [],
  "events": {
    "read": 5,
    "archived": 2,
    "outside_window": 1,
    "duplicates": 1,
    "conflicts": 0,
    "rejected": 1,
    "source_count": null,
    "first": "2025-03-02T00:00:00.000000Z",
    "last": "2025-03-05T00:00:00.000000Z"
  },
  "files": [
    {
      "path": "events/parquet/month=2025-03/part-00000-1111111111111111.parquet",
      "format": "parquet",
      "rows": 2,
      "bytes": 700,
      "sha256": "1111111111111111111111111111111111111111111111111111111111111111",
      "first": "2025-03-02T00:00:00.000000Z",
      "last": "2025-03-05T00:00:00.000000Z"
    },
    {
      "path": "events/csv/month=2025-03/part-00000-2222222222222222.csv.gz",
      "format": "csv",
      "rows": 1,
      "bytes": 50,
      "sha256": "2222222222222222222222222222222222222222222222222222222222222222",
      "first": "2025-03-02T00:00:00.000000Z",
      "last": "2025-03-02T00:00:00.000000Z"
    },
    {
      "path": "events/csv/month=2025-03/part-00001-3333333333333333.csv.gz",
      "format": "csv",
      "rows": 1,
      "bytes": 40,
      "sha256": "3333333333333333333333333333333333333333333333333333333333333333",
      "first": "2025-03-05T00:00:00.000000Z",
      "last": "2025-03-05T00:00:00.000000Z"
    },
    {
      "path": "events/rejects/month=2025-03/part-00000-4444444444444444.jsonl.gz",
      "format": "rejects",
      "rows": 1,
      "bytes": 30,
      "sha256": "4444444444444444444444444444444444444444444444444444444444444444",
      "first": null,
      "last": null
    }
  ]
}
"#;

    pub(crate) fn manifest() -> Manifest {
        Manifest::from_bytes(DOCUMENT.as_bytes()).unwrap()
    }

    mod what_is_stored {
        use super::*;

        #[test]
        fn a_manifest_is_written_as_it_was_read() {
            assert_eq!(String::from_utf8(manifest().to_bytes()).unwrap(), DOCUMENT);
            assert!(manifest().schema.unwrap().is_consistent());
        }

        #[test]
        fn an_identity_is_written_as_it_was_read() {
            let document = ArchiveDocument::new("6f4b".to_owned(), Timestamp::from_micros(0));
            let text = "{\n  \"format\": \"keeptrusts-archive/1\",\n  \"archive\": \"6f4b\",\n  \
                        \"created_at\": \"1970-01-01T00:00:00.000000Z\"\n}\n";
            assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), text);
            assert_eq!(ArchiveDocument::from_bytes(text.as_bytes()).unwrap(), document);
        }

        #[test]
        fn sums_list_each_file_and_the_manifest() {
            let [one, two, three, four, own] = ["1", "2", "3", "4", "5"].map(|digit| digit.repeat(64));
            let expected = format!(
                "{one}  events/parquet/month=2025-03/part-00000-1111111111111111.parquet\n\
                 {two}  events/csv/month=2025-03/part-00000-2222222222222222.csv.gz\n\
                 {three}  events/csv/month=2025-03/part-00001-3333333333333333.csv.gz\n\
                 {four}  events/rejects/month=2025-03/part-00000-4444444444444444.jsonl.gz\n\
                 {own}  manifests/00000001.json\n"
            );
            let sums = manifest().sha256sums(&own.parse().unwrap());
            assert_eq!(String::from_utf8(sums).unwrap(), expected);
        }

        #[test]
        fn files_are_summed_up_by_format_and_size() {
            assert_eq!(manifest().formats(), [FileFormat::Parquet, FileFormat::Csv, FileFormat::Rejects].into());
            assert_eq!(manifest().bytes(), 700 + 50 + 40 + 30);
        }
    }

    mod counts_that_add_up {
        use super::*;

        fn balance(change: impl FnOnce(&mut Manifest)) -> Result<(), Imbalance> {
            let mut manifest = manifest();
            change(&mut manifest);
            manifest.check_balance()
        }

        #[test]
        fn a_whole_month_is_balanced() {
            assert_eq!(balance(|_| ()), Ok(()));
        }

        #[test]
        fn a_month_without_events_needs_no_file() {
            let empty = |manifest: &mut Manifest| {
                manifest.events = EventCounts { read: 1, rejected: 1, ..EventCounts::default() };
                manifest.files.retain(|file| file.format == FileFormat::Rejects);
            };
            assert_eq!(balance(empty), Ok(()));
            let without_rows = |manifest: &mut Manifest| {
                manifest.events = EventCounts::default();
                manifest.files.clear();
            };
            assert_eq!(balance(without_rows), Ok(()));
        }

        #[test]
        fn events_may_be_in_an_artifact_alone() {
            let artifact = |manifest: &mut Manifest| {
                manifest.files.retain(|file| !file.format.holds_events());
                manifest.files[0].format = FileFormat::Artifact;
                manifest.files[0].rows = 5;
                manifest.events.rejected = 0;
                manifest.events.read = 4;
            };
            assert_eq!(balance(artifact), Ok(()));
        }

        #[test]
        fn each_row_read_is_accounted_for() {
            let changes: [fn(&mut EventCounts); 4] = [
                |events| events.read += 1,
                |events| events.outside_window -= 1,
                |events| events.duplicates -= 1,
                |events| events.archived -= 1,
            ];
            for change in changes {
                let result = balance(|manifest| change(&mut manifest.events));
                assert!(
                    matches!(result, Err(Imbalance::Rows { read, accounted }) if read == accounted + 1),
                    "{result:?}"
                );
            }
            let overflow = balance(|manifest| manifest.events.duplicates = u64::MAX);
            assert_eq!(overflow, Err(Imbalance::Rows { read: 5, accounted: u64::MAX }));
        }

        #[test]
        fn each_rejected_row_is_in_a_file() {
            let lost = balance(|manifest| manifest.files.retain(|file| file.format != FileFormat::Rejects));
            assert_eq!(lost, Err(Imbalance::Rejects { rows: 0, rejected: 1 }));
        }

        #[test]
        fn each_format_has_each_event() {
            for (format, lost) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 1), (FileFormat::Csv, 2)] {
                let result = balance(|manifest| manifest.files[lost].rows += 1);
                assert_eq!(result, Err(Imbalance::Files { format, rows: 3, archived: 2 }));
            }
            let part = balance(|manifest| drop(manifest.files.remove(2)));
            assert_eq!(part, Err(Imbalance::Files { format: FileFormat::Csv, rows: 1, archived: 2 }));
        }

        #[test]
        fn archived_events_are_in_some_file() {
            let none = balance(|manifest| manifest.files.retain(|file| file.format == FileFormat::Rejects));
            assert_eq!(none, Err(Imbalance::NoFile { archived: 2 }));
        }

        #[test]
        fn times_of_files_are_those_of_the_month() {
            let other = Some(Timestamp::from_micros(1_741_000_000_000_000));
            for (format, file) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 1)] {
                let first = balance(|manifest| manifest.files[file].first = other);
                assert_eq!(first, Err(Imbalance::Span { format }));
            }
            for (format, file) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 2)] {
                let last = balance(|manifest| manifest.files[file].last = other);
                assert_eq!(last, Err(Imbalance::Span { format }));
            }
        }
    }

    mod sources {
        use super::*;
        use serde_json::json;

        fn identity(kind: &str, detail: Value) -> SourceIdentity {
            let url = "postgres://db.example/kt".to_owned();
            (&SourceRecord { kind: kind.to_owned(), url, changed_from: None, detail }).into()
        }

        #[test]
        fn a_source_is_its_connector_address_and_organisation() {
            let source = identity("postgres", json!({ "org_id": "acme", "snapshot": "3" }));
            let organisation = Some("acme".to_owned());
            let url = "postgres://db.example/kt".to_owned();
            assert_eq!(source, SourceIdentity { kind: "postgres".to_owned(), url, organisation });
            assert!(!source.is_invented());
            assert_eq!(source.sentence(), "postgres://db.example/kt, organisation acme");
        }

        #[test]
        fn invented_events_are_named_as_such() {
            let source = identity("demo", json!({}));
            assert!(source.is_invented());
            assert_eq!(source.sentence(), "postgres://db.example/kt (invented events)");
        }
    }

    /// The entry of a file of 30 bytes with two row groups, after `change`.
    fn entry(change: impl FnOnce(&mut Value)) -> serde_json::Result<DataFile> {
        let digest = Sha256::digest(b"");
        let times = |day: u8| format!("2025-03-0{day}T00:00:00.000000Z");
        let mut entry = json!({
            "path": "events/parquet/month=2025-03/part", "format": "parquet", "rows": 5, "bytes": 30, "sha256": digest,
            "first": times(1), "last": times(4),
            "row_groups": [
                {"offset": 4, "bytes": 10, "rows": 3, "first": times(1), "last": times(3), "sha256": digest},
                {"offset": 14, "bytes": 6, "rows": 2, "first": times(2), "last": times(4), "sha256": digest},
            ],
            "footer": {"offset": 20, "bytes": 10, "sha256": digest},
        });
        change(&mut entry);
        serde_json::from_value(entry)
    }

    #[test]
    fn row_groups_of_a_file_round_trip() {
        let file = entry(|_| {}).unwrap();
        let ranges = file.ranges.as_ref().unwrap();
        assert_eq!(ranges.counts(), (file.rows, file.first, file.last));
        assert_eq!(serde_json::from_value::<DataFile>(serde_json::to_value(&file).unwrap()).unwrap(), file);
    }

    #[test]
    fn files_of_earlier_versions_have_no_row_groups() {
        let remove = |entry: &mut Value, name: &str| drop(entry.as_object_mut().unwrap().remove(name));
        let old = entry(|entry| ["row_groups", "footer"].iter().for_each(|name| remove(entry, name))).unwrap();
        assert_eq!(old.ranges, None);
        let printed = serde_json::to_value(&old).unwrap();
        assert!(printed.get("row_groups").is_none() && printed.get("footer").is_none(), "{printed}");
    }

    #[test]
    fn ranges_that_are_not_those_of_a_file_are_refused() {
        for (pointer, value) in [
            ("/bytes", json!(31)),
            ("/bytes", json!(29)),
            ("/format", json!("csv")),
            ("/footer", Value::Null),
            ("/row_groups", Value::Null),
            ("/row_groups/1/offset", json!(13)),
            ("/row_groups/1/offset", json!(u64::MAX)),
            ("/row_groups/0/bytes", json!(u64::MAX)),
            ("/row_groups/0/rows", json!(-1)),
            ("/row_groups/0/first", Value::Null),
            ("/row_groups/0/sha256", json!("")),
        ] {
            let changed = entry(|entry| *entry.pointer_mut(pointer).unwrap() = value.clone());
            assert!(changed.is_err(), "{pointer} {value}");
        }
    }
}

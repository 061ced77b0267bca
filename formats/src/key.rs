//! Names of the objects of an archive. They are built and read here and nowhere else.

use crate::{Dataset, Month, Sha256};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The document that makes a place an archive.
pub const ARCHIVE: &str = "archive.json";

/// The folder of the commit records.
pub const MANIFESTS: &str = "manifests";

/// What a data file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Events as Parquet.
    Parquet,
    /// Events as gzipped CSV.
    Csv,
    /// What the exports API delivered, byte for byte, gzipped.
    Artifact,
    /// Rejected rows, as gzipped JSON lines.
    Rejects,
}

/// A format name that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown file format {0:?}")]
pub struct UnknownFormat(String);

impl FileFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Artifact, Self::Rejects];

    /// The name of its folder.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Artifact => "artifact",
            Self::Rejects => "rejects",
        }
    }

    /// How the names of its files end. Those of artifacts end as their [kind](ArtifactKind::extension) does.
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Parquet => Some("parquet"),
            Self::Csv => Some("csv.gz"),
            Self::Rejects => Some("jsonl.gz"),
            Self::Artifact => None,
        }
    }

    /// Whether each archived event is one row of the format's files.
    pub const fn holds_events(self) -> bool {
        matches!(self, Self::Parquet | Self::Csv)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for FileFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// The kind of an artifact's content, once it is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// RFC 4180, with a header.
    Csv,
    /// One JSON document: an array of events, or an envelope around one.
    Json,
    /// One JSON object per line.
    JsonLines,
}

impl ArtifactKind {
    /// How the name of a gzipped artifact in an archive ends.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv.gz",
            Self::Json => "json.gz",
            Self::JsonLines => "jsonl.gz",
        }
    }
}

/// What the path of an object says it is. Paths are relative to the archive's root and separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// `archive.json`.
    Archive,
    /// The manifest with this sequence number.
    Manifest(u64),
    /// The `SHA256SUMS` of the manifest with this sequence number.
    Sums(u64),
    /// A file in the folder of a month, or further down: readers take whatever lies below it for events.
    Data {
        /// The dataset's folder.
        dataset: Dataset,
        /// The month of the folder.
        month: Month,
    },
    /// Nothing that an archive has.
    Other,
}

impl ObjectName {
    /// Reads the path of an object.
    pub fn parse(path: &str) -> Self {
        let parts = path.split('/').collect::<Vec<_>>();
        match parts.as_slice() {
            [ARCHIVE] => Self::Archive,
            [MANIFESTS, name] => chain_name(name),
            [dataset, format, folder, _, ..] if format.parse::<FileFormat>().is_ok() => {
                let month = folder.strip_prefix("month=").and_then(|month| month.parse().ok());
                match (dataset.parse(), month) {
                    (Ok(dataset), Some(month)) => Self::Data { dataset, month },
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

fn chain_name(name: &str) -> ObjectName {
    let number =
        |digits: &str| (digits.len() >= 8).then(|| digits.parse::<u64>().ok()).flatten().filter(|number| *number > 0);
    let parsed = name.split_once('.').and_then(|(digits, kind)| match kind {
        "json" => number(digits).map(ObjectName::Manifest),
        "SHA256SUMS" => number(digits).map(ObjectName::Sums),
        _ => None,
    });
    // Only the one canonical spelling counts: a second spelling of a number would be a second manifest.
    let canonical = parsed.filter(|parsed| match parsed {
        ObjectName::Manifest(sequence) => manifest(*sequence).ends_with(name),
        ObjectName::Sums(sequence) => sums(*sequence).ends_with(name),
        _ => false,
    });
    canonical.unwrap_or(ObjectName::Other)
}

/// Path of the manifest with the number `sequence`.
pub fn manifest(sequence: u64) -> String {
    format!("{MANIFESTS}/{sequence:08}.json")
}

/// Path of the `SHA256SUMS` of that manifest.
pub fn sums(sequence: u64) -> String {
    format!("{MANIFESTS}/{sequence:08}.SHA256SUMS")
}

/// Path of the folder of a month's files of one format, without a slash at the end.
pub fn month_folder(dataset: &Dataset, format: FileFormat, month: Month) -> String {
    format!("{dataset}/{format}/month={month}")
}

/// Path of the file number `part`, whose bytes have the digest `sha256`. The digest in the name makes a rerun find its
/// own files, and keeps two files with different bytes from ever sharing a name.
pub fn data_file(folder: &str, part: usize, sha256: &Sha256, extension: &str) -> String {
    format!("{folder}/part-{part:05}-{}.{extension}", sha256.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_format() {
        let month = "2025-03".parse().unwrap();
        let folder = month_folder(&"events".parse().unwrap(), FileFormat::Parquet, month);
        assert_eq!(folder, "events/parquet/month=2025-03");
        let path = data_file(&folder, 0, &Sha256::of(b"abc"), "parquet");
        assert_eq!(path, "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.parquet");
        let deeper = format!("{folder}/deeper/part.parquet");
        for path in [path, deeper] {
            assert_eq!(ObjectName::parse(&path), ObjectName::Data { dataset: "events".parse().unwrap(), month });
        }
    }

    #[test]
    fn reads_the_names_of_the_chain() {
        assert_eq!(ObjectName::parse("manifests/00000042.json"), ObjectName::Manifest(42));
        assert_eq!(ObjectName::parse("manifests/123456789.json"), ObjectName::Manifest(123_456_789));
        assert_eq!(ObjectName::parse("manifests/00000042.SHA256SUMS"), ObjectName::Sums(42));
        let others = "manifests/42.json manifests/000000042.json manifests/00000042.json.bak manifests/00000000.json \
                      x/archive.json";
        for other in others.split_whitespace() {
            assert_eq!(ObjectName::parse(other), ObjectName::Other, "{other}");
        }
    }
}

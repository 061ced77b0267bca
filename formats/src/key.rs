//! Paths of the objects of an archive, built and parsed here only.

use crate::{Dataset, Month, Sha256};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The document that identifies an archive.
pub const ARCHIVE: &str = "archive.json";

/// The folder of the manifests.
pub const MANIFESTS: &str = "manifests";

/// The format of a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Events as Parquet.
    Parquet,
    /// Events as gzipped CSV.
    Csv,
    /// An artifact of the exports API, byte for byte, gzipped.
    Artifact,
    /// Rejected rows, as gzipped JSON lines.
    Rejects,
}

/// The format is unknown to this version.
#[derive(Debug, thiserror::Error)]
#[error("unknown file format {0:?}")]
pub struct UnknownFormat(String);

impl FileFormat {
    /// All formats.
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

    /// The extension of its files; `None` for artifacts, whose extension depends on their [kind](ArtifactKind::extension).
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Parquet => Some("parquet"),
            Self::Csv => Some("csv.gz"),
            Self::Rejects => Some("jsonl.gz"),
            Self::Artifact => None,
        }
    }

    /// The possible extensions of its files.
    fn extensions(self) -> Vec<&'static str> {
        match self.extension() {
            Some(extension) => vec![extension],
            None => {
                [ArtifactKind::Csv, ArtifactKind::Json, ArtifactKind::JsonLines].map(ArtifactKind::extension).into()
            }
        }
    }

    /// Whether each row of its files is an archived event.
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

/// The kind of an artifact's unpacked content.
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
    /// The extension of a gzipped artifact in an archive.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv.gz",
            Self::Json => "json.gz",
            Self::JsonLines => "jsonl.gz",
        }
    }
}

/// The meaning of an object's path, which is relative to the archive's root and separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// `archive.json`.
    Archive,
    /// The manifest with this sequence number.
    Manifest(u64),
    /// The `SHA256SUMS` of that manifest.
    Sums(u64),
    /// A file anywhere below the folder of a month: readers such as DuckDB read all of them as events.
    Data {
        /// The dataset's folder.
        dataset: Dataset,
        /// The month of the folder.
        month: Month,
    },
    /// No object of an archive.
    Other,
}

impl ObjectName {
    /// Parses a path.
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
    // Only the canonical spelling: another spelling of a number would be a second manifest.
    let canonical = parsed.filter(|parsed| match parsed {
        ObjectName::Manifest(sequence) => manifest(*sequence).ends_with(name),
        ObjectName::Sums(sequence) => sums(*sequence).ends_with(name),
        _ => false,
    });
    canonical.unwrap_or(ObjectName::Other)
}

/// The path of the manifest with the number `sequence`.
pub fn manifest(sequence: u64) -> String {
    format!("{MANIFESTS}/{sequence:08}.json")
}

/// The path of the `SHA256SUMS` of that manifest.
pub fn sums(sequence: u64) -> String {
    format!("{MANIFESTS}/{sequence:08}.SHA256SUMS")
}

/// The path of the folder of a month's files of one format, without a trailing slash.
pub fn month_folder(dataset: &Dataset, format: FileFormat, month: Month) -> String {
    format!("{dataset}/{format}/month={month}")
}

/// The path of the file number `part`, whose bytes have the digest `sha256`. With the digest in the name a rerun finds its
/// own files, and files with different bytes have different names.
pub fn data_file(folder: &str, part: usize, sha256: &Sha256, extension: &str) -> String {
    format!("{folder}/part-{part:05}-{}.{extension}", sha256.short())
}

/// The path of the content `sha256` of the configuration `name`. Folders show names, and manifests hold them: characters that
/// a folder cannot have everywhere become `_`, and two names may have one folder.
pub fn configuration(name: &str, sha256: &Sha256, extension: &str) -> String {
    /// Bytes of a folder's name: file systems take 255.
    const LONGEST: usize = 100;
    let safe = |letter: char| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let fits = |(index, letter): &(usize, char)| index + letter.len_utf8() <= LONGEST;
    let mut folder = name.char_indices().take_while(fits).map(|(_, letter)| safe(letter)).collect::<String>();
    if folder.is_empty() || folder.starts_with('.') {
        folder.insert(0, '_');
    }
    format!("configuration/{folder}/{}.{extension}", sha256.short())
}

/// The path of an export artifact whose bytes have the digest `sha256`.
pub fn export_artifact(sha256: &Sha256) -> String {
    format!("artifacts/{sha256}")
}

/// Whether `path` is one that [`data_file`] makes: only such files are removed when no manifest names them.
pub fn is_data_file(path: &str) -> bool {
    let [dataset, format, month, name] = path.split('/').collect::<Vec<_>>()[..] else { return false };
    let (Ok(_), Ok(format)) = (dataset.parse::<Dataset>(), format.parse::<FileFormat>()) else { return false };
    let month = month.strip_prefix("month=").and_then(|month| month.parse::<Month>().ok());
    let is_hex =
        |digest: &str| digest.len() == 16 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_name = |name: &str| {
        let (part, rest) = name.strip_prefix("part-")?.split_once('-')?;
        let (digest, extension) = rest.split_once('.')?;
        let is_part = part.len() >= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
        Some(is_part && is_hex(digest) && format.extensions().contains(&extension))
    };
    month.is_some() && is_name(name) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_parses_paths_of_data_files() {
        let month = "2025-03".parse().unwrap();
        let folder = month_folder(&"events".parse().unwrap(), FileFormat::Parquet, month);
        assert_eq!(folder, "events/parquet/month=2025-03");
        let path = data_file(&folder, 0, &Sha256::digest(b"abc"), "parquet");
        assert_eq!(path, "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.parquet");
        let deeper = format!("{folder}/deeper/part.parquet");
        for path in [path, deeper] {
            assert_eq!(ObjectName::parse(&path), ObjectName::Data { dataset: "events".parse().unwrap(), month });
        }
        for other in ["events/copies/month=2025-03/part.parquet", "events/parquet/2025-03/part.parquet"] {
            assert_eq!(ObjectName::parse(other), ObjectName::Other, "{other}");
        }
    }

    #[test]
    fn names_of_configurations_are_no_paths() {
        let digest = Sha256::digest(b"abc");
        let folder = |name: &str| configuration(name, &digest, "yaml").split('/').nth(1).unwrap().to_owned();
        for (name, safe) in [
            ("prod-eu_1.2", "prod-eu_1.2"),
            ("EU / production", "EU___production"),
            ("größe", "größe"),
            ("..", "_.."),
            ("../../etc", "_.._.._etc"),
            (".hidden", "_.hidden"),
            ("a\nb\0c", "a_b_c"),
            ("", "_"),
        ] {
            assert_eq!(folder(name), safe);
        }
        assert_eq!(folder(&"ü".repeat(90)).len(), 100);
        assert_eq!(configuration("a", &digest, "yaml"), "configuration/a/ba7816bf8f01cfea.yaml");
        assert!(export_artifact(&digest).starts_with("artifacts/ba7816bf8f01cfea"));
    }

    #[test]
    fn only_names_that_are_built_are_data_files() {
        for made in [
            "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.parquet",
            "a_1/csv/month=2025-03/part-123456-ba7816bf8f01cfea.csv.gz",
            "events/artifact/month=2025-03/part-00001-ba7816bf8f01cfea.json.gz",
        ] {
            assert!(is_data_file(made), "{made}");
        }
        for other in [
            "events/parquet/month=2025-03/notes.txt",
            "events/parquet/month=2025-03/.DS_Store",
            "events/parquet/month=2025-03/@eaDir/part-00000-ba7816bf8f01cfea.parquet",
            "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.csv.gz",
            "events/parquet/month=2025-03/part-00000-BA7816BF8F01CFEA.parquet",
            "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfe.parquet",
            "events/parquet/month=2025-03/part-0000-ba7816bf8f01cfea.parquet",
            "events/parquet/month=2025-03/part-0000x-ba7816bf8f01cfea.parquet",
            "events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.parquet.bak",
            "events/parquet/month=2025-3/part-00000-ba7816bf8f01cfea.parquet",
            "events/copies/month=2025-03/part-00000-ba7816bf8f01cfea.parquet",
            "part-00000-ba7816bf8f01cfea.parquet",
        ] {
            assert!(!is_data_file(other), "{other}");
        }
    }

    #[test]
    fn parses_paths_of_manifests_and_checksums() {
        assert_eq!(ObjectName::parse("archive.json"), ObjectName::Archive);
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

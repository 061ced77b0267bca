//! What `verify` found.

use crate::exit::ExitCode;
use archive_formats::Head;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What `verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// How thoroughly it looked.
    pub level: Level,
    /// The last manifest that can be read.
    #[serde(skip)]
    pub head: Option<Head>,
    /// Manifests that were read.
    pub manifests: u64,
    /// Data files that were checked.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
    /// What is wrong, in the order of the paths.
    pub findings: Vec<Finding>,
}

/// How thoroughly `verify` looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Chain, names and sizes.
    Quick,
    /// Every byte hashed, every row read.
    #[default]
    Full,
}

/// One thing that `verify` found wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of finding.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The object that it is about.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The archive is not what was committed.
    Damage,
    /// Worth a look; the committed events are whole.
    Warning,
}

/// The codes of `verify`. They are part of the contract of the command line and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// V003: a manifest is not the one that its successor names.
    ChainBroken,
    /// V004: a manifest is missing.
    SequenceHole,
    /// V005: the head is older than expected.
    OldHead,
    /// V006: `SHA256SUMS` differs from its manifest, or is missing.
    Sums,
    /// V007: a manifest of another archive.
    ForeignManifest,
    /// V010: an object is missing.
    Missing,
    /// V011: an object has another size.
    Size,
    /// V012: an object has other bytes.
    Digest,
    /// V015: a file that no manifest names.
    Unnamed,
    /// V016: a month was committed twice.
    MonthTwice,
    /// V020: a file holds another number of rows.
    RowCount,
    /// V021: counts do not add up.
    Balance,
    /// V022: a row lies outside its month.
    OutsideMonth,
    /// V023: an id appears more often than the manifest says.
    IdTwice,
    /// V024: a file has other columns than its manifest says.
    Schema,
    /// V030: a month of the range is missing.
    MonthMissing,
}

impl Code {
    /// Every code.
    const ALL: [Self; 16] = [
        Self::ChainBroken,
        Self::SequenceHole,
        Self::OldHead,
        Self::Sums,
        Self::ForeignManifest,
        Self::Missing,
        Self::Size,
        Self::Digest,
        Self::Unnamed,
        Self::MonthTwice,
        Self::RowCount,
        Self::Balance,
        Self::OutsideMonth,
        Self::IdTwice,
        Self::Schema,
        Self::MonthMissing,
    ];

    /// The code as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChainBroken => "V003",
            Self::SequenceHole => "V004",
            Self::OldHead => "V005",
            Self::Sums => "V006",
            Self::ForeignManifest => "V007",
            Self::Missing => "V010",
            Self::Size => "V011",
            Self::Digest => "V012",
            Self::Unnamed => "V015",
            Self::MonthTwice => "V016",
            Self::RowCount => "V020",
            Self::Balance => "V021",
            Self::OutsideMonth => "V022",
            Self::IdTwice => "V023",
            Self::Schema => "V024",
            Self::MonthMissing => "V030",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|code| code.as_str() == text);
        known.ok_or_else(|| D::Error::custom(format!("unknown code {text:?}")))
    }
}

impl VerifyReport {
    /// The code of the whole verification: damage beats a missing month, warnings alone are no failure.
    pub fn exit(&self) -> ExitCode {
        if self.findings.iter().any(|finding| finding.severity == Severity::Damage) {
            ExitCode::Damaged
        } else if self.findings.iter().any(|finding| finding.code == Code::MonthMissing) {
            ExitCode::Incomplete
        } else {
            ExitCode::Done
        }
    }
}

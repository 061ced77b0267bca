//! What a command found out, in the shape of its `--json` document.

use crate::{exit::ExitCode, plan::Planned};
use archive_connectors::Error;
use archive_formats::{Dataset, Entry, Head, Month, Sha256, Timestamp, manifest::EventCounts};
use serde::{Deserialize, Serialize, Serializer};

/// A failure as a person or a program reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed, on what, and why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The code that this failure alone exits with.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some crates print their cause inside their own message; saying it twice helps nobody.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self { message, hint: error.hint().map(str::to_owned), exit: ExitCode::from(error.kind()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// What `run` and `backfill` did.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The archive's URL, printable.
    pub archive: String,
    /// The last manifest; null for an archive without any.
    pub head: Option<Head>,
    /// Every month that was asked for, oldest first.
    pub months: Vec<MonthReport>,
    /// Every replica.
    pub replicas: Vec<ReplicaReport>,
}

/// What became of one month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthReport {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// What became of it.
    pub state: MonthState,
    /// Number of its manifest.
    pub sequence: Option<u64>,
    /// Digest of its manifest.
    pub manifest_sha256: Option<Sha256>,
    /// The manifest's counts.
    pub events: Option<EventCounts>,
    /// How many files it has.
    pub files: u64,
    /// Their size together.
    pub bytes: u64,
    /// How long this run worked on it.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<Failure>,
}

impl MonthReport {
    /// The report of a month that `entry` commits.
    pub fn committed(entry: &Entry, state: MonthState, seconds: f64) -> Self {
        let manifest = &entry.manifest;
        Self {
            dataset: manifest.dataset.clone(),
            month: manifest.month,
            state,
            sequence: Some(manifest.sequence),
            manifest_sha256: Some(entry.sha256),
            events: Some(manifest.events),
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            seconds,
            error: None,
        }
    }

    /// The report of a month that would be archived.
    pub fn planned(planned: &Planned) -> Self {
        Self {
            dataset: planned.dataset.clone(),
            month: planned.month,
            state: MonthState::Planned,
            sequence: None,
            manifest_sha256: None,
            events: None,
            files: 0,
            bytes: 0,
            seconds: 0.0,
            error: None,
        }
    }

    /// The report of a month that was not committed.
    pub fn failed(planned: &Planned, failure: Failure, seconds: f64) -> Self {
        Self { state: MonthState::Failed, error: Some(failure), seconds, ..Self::planned(planned) }
    }
}

/// What became of a month in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MonthState {
    /// Committed by this run.
    Archived,
    /// Committed before.
    Already,
    /// Not committed.
    Failed,
    /// Would be archived (`--dry-run`).
    Planned,
}

/// Where a replica stands.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaReport {
    /// Its URL, printable.
    pub url: String,
    /// `current`, `behind` or `failed`.
    pub state: &'static str,
    /// Why it failed.
    pub error: Option<Failure>,
}

impl RunReport {
    /// The code of the whole run.
    pub fn exit(&self) -> ExitCode {
        let failures = self.months.iter().filter_map(|month| month.error.as_ref()).map(|failure| failure.exit);
        let good = self.months.iter().any(|month| month.error.is_none());
        ExitCode::combine(good, failures)
    }
}

/// What `verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// How thoroughly it looked.
    pub level: Level,
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// Where an archive stands.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// The last manifest; null for an archive without any.
    pub head: Option<Head>,
    /// Every dataset.
    pub datasets: Vec<DatasetStatus>,
}

/// Where a dataset stands.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetStatus {
    /// Its name.
    pub dataset: Dataset,
    /// Every month of the range, both ends included.
    pub months: Vec<MonthStatus>,
}

/// Where a month stands.
#[derive(Clone, Debug, Serialize)]
pub struct MonthStatus {
    /// The month.
    pub month: Month,
    /// Whether it is there.
    pub state: Presence,
    /// Its archived events.
    pub events: Option<u64>,
    /// The size of its files.
    pub bytes: Option<u64>,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    /// Number of its manifest.
    pub sequence: Option<u64>,
}

/// Whether a month is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Committed.
    Archived,
    /// Over, and not committed.
    Missing,
    /// Not over yet.
    Open,
}

//! What `run` and `backfill` did.

use super::{Failure, ReplicaReport};
use crate::{exit::ExitCode, plan::Planned};
use archive_formats::{Dataset, Entry, FileFormat, Head, Manifest, Month, Sha256, key, manifest::EventCounts};
use serde::Serialize;

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
    /// Why it failed; of an archived month, what was kept that should not have been there.
    pub error: Option<Failure>,
}

/// The reports of months that no time was spent on yet; the run fills the seconds in.
impl MonthReport {
    /// The report of a month that `entry` commits.
    pub fn committed(entry: &Entry, state: MonthState) -> Self {
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
            seconds: 0.0,
            error: None,
        }
    }

    /// The report of a month that `entry` has just committed.
    pub fn archived(entry: &Entry) -> Self {
        Self { error: reservation(&entry.manifest), ..Self::committed(entry, MonthState::Archived) }
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
    pub fn failed(planned: &Planned, failure: Failure) -> Self {
        Self { state: MonthState::Failed, error: Some(failure), ..Self::planned(planned) }
    }
}

/// What a person must look at in a month that was committed all the same.
fn reservation(manifest: &Manifest) -> Option<Failure> {
    let EventCounts { read, rejected, conflicts, .. } = manifest.events;
    let folder = key::month_folder(&manifest.dataset, FileFormat::Rejects, manifest.month);
    let rejects = (rejected > 0).then(|| {
        let hint = format!("the rows lie in {folder}, each with its line and the reason");
        (format!("{rejected} of {read} rows were rejected"), hint)
    });
    let conflicts = (conflicts > 0).then(|| {
        let hint = "find out which version of each is right".to_owned();
        (format!("{conflicts} events share an id but not their content"), hint)
    });
    let (messages, hints): (Vec<_>, Vec<_>) = rejects.into_iter().chain(conflicts).unzip();
    let message = format!("archived, but {}", messages.join(", and "));
    (!messages.is_empty()).then(|| Failure { message, hint: Some(hints.join("; ")), exit: ExitCode::Incomplete })
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

impl MonthState {
    /// In a word, as JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Planned => "planned",
        }
    }
}

impl RunReport {
    /// The code of the whole run. A replica that lacked nothing does not make a failed run a partial one.
    pub fn exit(&self) -> ExitCode {
        let months = self.months.iter().filter_map(|month| month.error.as_ref());
        let replicas = self.replicas.iter().filter_map(|replica| replica.error.as_ref());
        let good = self.months.is_empty()
            || self.months.iter().any(|month| month.error.is_none())
            || self.replicas.iter().any(|replica| replica.copied > 0);
        ExitCode::combine(good, months.chain(replicas).map(|failure| failure.exit))
    }
}

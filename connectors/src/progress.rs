//! Progress of a run. Libraries report it; the command line draws bars and lines.

use archive_formats::{Dataset, Month, Window};
use std::{fmt, sync::Arc};

/// A step of the work on a month, with the unit of its amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Creating an export job.
    Create,
    /// Waiting for the server to finish the job.
    Wait,
    /// Downloading the artifact, in bytes.
    Download,
    /// Indexing files once for all months, in bytes.
    Index,
    /// Decoding and encoding events, in bytes of the artifact, or in events where there is none.
    Decode,
    /// Reading archived files back, in bytes.
    Check,
    /// Uploading files, in bytes.
    Upload,
    /// Dumping a database, in bytes.
    Dump,
    /// Reading the contents of a database, in tables.
    Digest,
    /// Restoring a dump, in bytes.
    Restore,
}

impl Step {
    /// Every step of a month, in order. It skips those that it does not need.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Wait, Self::Download, Self::Index, Self::Decode, Self::Check, Self::Upload];

    /// The name on bars and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Wait => "wait",
            Self::Download => "download",
            Self::Index => "index",
            Self::Decode => "decode",
            Self::Check => "check",
            Self::Upload => "upload",
            Self::Dump => "dump",
            Self::Digest => "digest",
            Self::Restore => "restore",
        }
    }
}

/// A month of a dataset: the unit of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatasetMonth {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
}

impl fmt::Display for DatasetMonth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.dataset, self.month)
    }
}

/// What a commit, or the work on one, is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A month of a dataset.
    Month(DatasetMonth),
    /// A backup, or a part of the work on it, by the name that bars show.
    Backup(String),
}

impl From<DatasetMonth> for Subject {
    fn from(month: DatasetMonth) -> Self {
        Self::Month(month)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(month) => month.fmt(formatter),
            Self::Backup(name) => formatter.write_str(name),
        }
    }
}

/// The work of a whole command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Months to archive.
    Months(u64),
    /// Bytes to read back.
    Bytes(u64),
}

/// Receives the progress of months and backups. Called often and from several threads, so implementations must not block.
pub trait Progress: fmt::Debug + Send + Sync + 'static {
    /// The command has this much to do. Called at most once, before its first step.
    fn begin(&self, _: Whole) {}

    /// `subject` entered `step`, whose amount is `total` where known.
    fn step(&self, subject: &Subject, step: Step, total: Option<u64>);

    /// `subject` completed `amount` more of its step.
    fn advance(&self, subject: &Subject, amount: u64);

    /// `subject` is done or failed.
    fn finish(&self, subject: &Subject);
}

/// Ignores all progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &Subject, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &Subject, _: u64) {}

    fn finish(&self, _: &Subject) {}
}

/// Reports the progress of the month that a source reads.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    progress: Arc<dyn Progress>,
    /// `None` for instants outside the supported months: no progress is reported.
    month: Option<Subject>,
}

impl Meter {
    pub(crate) fn new(progress: Arc<dyn Progress>, dataset: &Dataset, window: Window) -> Self {
        let month = Month::containing(window.from()).ok();
        Self { progress, month: month.map(|month| DatasetMonth { dataset: dataset.clone(), month }.into()) }
    }

    pub(crate) fn step(&self, step: Step, total: Option<u64>) {
        if let Some(month) = &self.month {
            self.progress.step(month, step, total);
        }
    }

    pub(crate) fn advance(&self, amount: u64) {
        if let Some(month) = &self.month {
            self.progress.advance(month, amount);
        }
    }
}

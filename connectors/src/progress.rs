//! What a run tells while it works. Bars and lines are drawn by the command line; libraries only report.

use archive_formats::{Dataset, Month, Window};
use std::{fmt, sync::Arc};

/// What a month is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// An export job is being created.
    Create,
    /// The server works on the job.
    Wait,
    /// The artifact is downloaded; amounts are bytes.
    Download,
    /// Files are looked through, once for all months; amounts are bytes.
    Index,
    /// Events are decoded and encoded; amounts are bytes of the artifact, or events where there is none.
    Decode,
    /// Archived files are read back; amounts are bytes.
    Check,
    /// Files are uploaded; amounts are bytes.
    Upload,
}

impl Step {
    /// Every step, in the order in which a month goes through those that it needs.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Wait, Self::Download, Self::Index, Self::Decode, Self::Check, Self::Upload];

    /// Its name on bars and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Wait => "wait",
            Self::Download => "download",
            Self::Index => "index",
            Self::Decode => "decode",
            Self::Check => "check",
            Self::Upload => "upload",
        }
    }
}

/// What one commit covers: a month of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coverage {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.dataset, self.month)
    }
}

/// Receives the progress of months. Called often and from several threads; must return at once.
pub trait Progress: fmt::Debug + Send + Sync + 'static {
    /// `coverage` entered `step`, whose whole amount is `total` where it is known.
    fn step(&self, coverage: &Coverage, step: Step, total: Option<u64>);

    /// `coverage` did `amount` more of its step.
    fn advance(&self, coverage: &Coverage, amount: u64);

    /// `coverage` is done, well or badly.
    fn finish(&self, coverage: &Coverage);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &Coverage, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &Coverage, _: u64) {}

    fn finish(&self, _: &Coverage) {}
}

/// Tells the progress of the month that a source reads.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    progress: Arc<dyn Progress>,
    /// Nothing is told of instants that are in no month.
    coverage: Option<Coverage>,
}

impl Meter {
    pub(crate) fn new(progress: Arc<dyn Progress>, dataset: &Dataset, window: Window) -> Self {
        let month = Month::containing(window.from()).ok();
        Self { progress, coverage: month.map(|month| Coverage { dataset: dataset.clone(), month }) }
    }

    pub(crate) fn step(&self, step: Step, total: Option<u64>) {
        if let Some(coverage) = &self.coverage {
            self.progress.step(coverage, step, total);
        }
    }

    pub(crate) fn advance(&self, amount: u64) {
        if let Some(coverage) = &self.coverage {
            self.progress.advance(coverage, amount);
        }
    }
}

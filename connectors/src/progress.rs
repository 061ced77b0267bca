//! What a run tells while it works. Bars and lines are drawn by the command line; libraries only report.

use archive_formats::Month;
use std::fmt;

/// What a month is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An export job is being created.
    Create,
    /// The server works on the job.
    Wait,
    /// The artifact is downloaded; amounts are bytes.
    Download,
    /// Events are decoded and encoded; amounts are bytes of the artifact, or events where there is none.
    Decode,
    /// Archived files are read back; amounts are bytes.
    Check,
    /// Files are uploaded; amounts are bytes.
    Upload,
}

/// Receives the progress of months. Called often and from several threads; must return at once.
pub trait Progress: fmt::Debug + Send + Sync + 'static {
    /// `month` entered `step`, whose whole amount is `total` where it is known.
    fn step(&self, month: Month, step: Step, total: Option<u64>);

    /// `month` did `amount` more of its step.
    fn advance(&self, month: Month, amount: u64);

    /// `month` is done, well or badly.
    fn finish(&self, month: Month);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: Month, _: Step, _: Option<u64>) {}

    fn advance(&self, _: Month, _: u64) {}

    fn finish(&self, _: Month) {}
}

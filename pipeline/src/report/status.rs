//! Where an archive stands.

use archive_formats::{Dataset, Head, Month, Timestamp};
use serde::Serialize;

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

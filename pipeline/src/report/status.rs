//! Where an archive stands.

use super::{Failure, ReplicaState};
use archive_formats::{Dataset, Head, Month, Timestamp};
use serde::Serialize;

/// Where an archive stands.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// The archive's URL, printable.
    pub archive: String,
    /// The last manifest; null for an archive without any.
    pub head: Option<Head>,
    /// Every dataset.
    pub datasets: Vec<DatasetStatus>,
    /// Every replica, as they were named.
    pub replicas: Vec<ReplicaStatus>,
}

/// Where a dataset stands.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetStatus {
    /// Its name.
    pub dataset: Dataset,
    /// Every month of the range, both ends included.
    pub months: Vec<MonthStatus>,
    /// How many months are missing although they have been over for three days: whatever runs on the first of the month
    /// should have archived them.
    pub late: u64,
    /// The end of the months that are archived without a gap since the first one; none while none is.
    #[serde(skip)]
    pub complete_until: Option<Timestamp>,
    /// When the platform begins to lose what is not archived; null when nobody said how long it keeps events.
    pub prune: Option<PruneDeadline>,
}

/// When the platform prunes what is not archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PruneDeadline {
    /// The oldest month since the first archived one that is not archived, which may not be over yet.
    pub month: Month,
    /// When its first event is pruned.
    pub at: Timestamp,
    /// Whole days until then; below zero once it is past.
    pub days: i64,
}

/// Where a replica stands, by its last manifest alone.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaStatus {
    /// Its URL, printable.
    pub url: String,
    /// Whether it holds the archive's chain. Not whether it holds every file: `replicate --repair` tells.
    pub state: ReplicaState,
    /// How many of the archive's manifests it lacks; null when it could not be asked.
    pub behind: Option<u64>,
    /// Why it could not be asked, or is no replica of this archive.
    pub error: Option<Failure>,
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
    /// Its rejected rows.
    #[serde(skip)]
    pub rejected: Option<u64>,
    /// How much the source delivered for it, where the source is one of artifacts: before anything was decoded.
    #[serde(skip)]
    pub source_bytes: Option<u64>,
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

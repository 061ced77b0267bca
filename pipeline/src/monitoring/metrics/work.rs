//! What a run spent: seconds by stage, and tries that had to be repeated.

use archive_connectors::progress::Step;
use std::time::Duration;

/// What a run spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How long months were in each stage, added up: of two months that were in it at once, each counts.
    pub stages: Vec<(Step, Duration)>,
    /// How often a call had to be repeated.
    pub retries: RetryCounts,
}

/// How often a call had to be repeated, by who did not answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// Calls to the source.
    pub source: u64,
    /// Calls to the stores of the archive and of its replicas.
    pub store: u64,
}

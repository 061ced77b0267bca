//! Where replicas stand.

use super::Failure;
use crate::exit::ExitCode;
use serde::Serialize;
use std::fmt;

/// What `replicate` did.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicateReport {
    /// Every replica, as they were named.
    pub replicas: Vec<ReplicaReport>,
}

/// Where a replica stands.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaReport {
    /// Its URL, printable.
    pub url: String,
    /// Whether it holds what the archive holds.
    pub state: ReplicaState,
    /// Why it does not.
    pub error: Option<Failure>,
    /// How many manifests it was given.
    #[serde(skip)]
    pub copied: u64,
    /// How many objects of earlier manifests were put right; only told of a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended: Option<u64>,
}

/// Whether a replica holds what the archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaState {
    /// It does.
    Current,
    /// It may not: the command was stopped before it was done, or there is no archive yet. A later one goes on.
    Behind,
    /// It could not be brought up.
    Failed,
}

impl fmt::Display for ReplicaState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Failed => "failed",
        })
    }
}

impl ReplicaReport {
    /// The report of a replica that was not tried, since there is no archive yet.
    pub fn behind(url: &str) -> Self {
        Self { url: url.to_owned(), state: ReplicaState::Behind, error: None, copied: 0, mended: None }
    }
}

impl ReplicateReport {
    /// The code of the whole command.
    pub fn exit(&self) -> ExitCode {
        let failures = self.replicas.iter().filter_map(|replica| replica.error.as_ref()).map(|failure| failure.exit);
        let good = self.replicas.iter().any(|replica| replica.state == ReplicaState::Current);
        ExitCode::combine(good, failures)
    }
}

//! The chain of manifests: the state of an archive.

use crate::{Dataset, Manifest, Month, Schema, Sha256, manifest::CommitKind};
use serde::{Deserialize, Serialize};

/// The last manifest of a chain. The digest of its bytes covers all earlier manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the manifest.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// A manifest and the digest of its stored bytes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The digest.
    pub sha256: Sha256,
    /// The manifest.
    pub manifest: Manifest,
}

/// The manifests of an archive, each proven to follow the one before. There is no other record of progress.
#[derive(Clone, Debug)]
pub struct Chain {
    archive: String,
    entries: Vec<Entry>,
}

/// Manifests that do not form a chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BrokenChain {
    /// A number is missing.
    #[error("manifest {missing} is missing")]
    Hole {
        /// The first missing number.
        missing: u64,
    },
    /// The manifest does not have the digest of the one before it.
    #[error("manifest {sequence} does not follow the one before it")]
    Link {
        /// The manifest whose link is wrong.
        sequence: u64,
    },
    /// The manifest belongs to another archive.
    #[error("manifest {sequence} belongs to another archive")]
    Foreign {
        /// Its number.
        sequence: u64,
    },
    /// The month is committed already.
    #[error("manifest {sequence} commits {dataset} {month} again")]
    Twice {
        /// Its number.
        sequence: u64,
        /// The dataset.
        dataset: Dataset,
        /// The month.
        month: Month,
    },
}

impl Chain {
    /// The empty chain of the archive with the UUID `archive`.
    pub fn new(archive: String) -> Self {
        Self { archive, entries: Vec::new() }
    }

    /// Appends the next manifest.
    pub fn push(&mut self, entry: Entry) -> Result<(), BrokenChain> {
        let sequence = entry.manifest.sequence;
        let expected = self.next_sequence();
        if sequence != expected {
            return Err(BrokenChain::Hole { missing: expected });
        }
        if entry.manifest.archive != self.archive {
            return Err(BrokenChain::Foreign { sequence });
        }
        let previous = entry.manifest.previous.as_ref().map(|link| (link.sequence, link.sha256));
        if previous != self.head().map(|head| (head.sequence, head.sha256)) {
            return Err(BrokenChain::Link { sequence });
        }
        let Manifest { dataset, month, kind, .. } = &entry.manifest;
        if *kind == CommitKind::Month && self.month(dataset, *month).is_some() {
            return Err(BrokenChain::Twice { sequence, dataset: dataset.clone(), month: *month });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// The archive's UUID.
    pub fn archive(&self) -> &str {
        &self.archive
    }

    /// The last manifest; `None` in an empty chain.
    pub fn head(&self) -> Option<Head> {
        self.entries.last().map(|entry| Head { sequence: entry.manifest.sequence, sha256: entry.sha256 })
    }

    /// How many manifests follow `head`; `None` if the chain does not contain it.
    pub fn commits_after(&self, head: Head) -> Option<u64> {
        let is_head = |entry: &Entry| entry.manifest.sequence == head.sequence && entry.sha256 == head.sha256;
        self.entries.iter().rev().position(is_head).map(|after| after as u64)
    }

    /// The number of the next manifest.
    pub fn next_sequence(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// All manifests, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The commit of a month; `None` before it is committed.
    pub fn month(&self, dataset: &Dataset, month: Month) -> Option<&Entry> {
        self.commits(dataset).find(|entry| entry.manifest.month == month)
    }

    /// The first and the last archived month of a dataset.
    pub fn span(&self, dataset: &Dataset) -> Option<(Month, Month)> {
        let months = || self.commits(dataset).map(|entry| entry.manifest.month);
        months().min().zip(months().max())
    }

    /// The datasets with a commit, by name.
    pub fn datasets(&self) -> std::collections::BTreeSet<&Dataset> {
        self.entries.iter().map(|entry| &entry.manifest.dataset).collect()
    }

    /// The columns of a dataset in its last commit that has columns.
    pub fn last_schema(&self, dataset: &Dataset) -> Option<&Schema> {
        let mut newest_first = self.entries.iter().rev().filter(|entry| entry.manifest.dataset == *dataset);
        newest_first.find_map(|entry| entry.manifest.schema.as_ref())
    }

    fn commits(&self, dataset: &Dataset) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.manifest.dataset == *dataset && entry.manifest.kind == CommitKind::Month)
    }
}

//! What a chain of manifests adds up to.

use crate::{Dataset, Manifest, Month, Schema, Sha256, manifest::CommitKind};
use serde::{Deserialize, Serialize};

/// The last manifest of a chain: its number, and the digest of its bytes, which covers all that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the manifest.
    pub sequence: u64,
    /// Digest of its bytes.
    pub sha256: Sha256,
}

/// A manifest and the digest of the bytes that it was read from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The digest.
    pub sha256: Sha256,
    /// The manifest.
    pub manifest: Manifest,
}

/// The state of an archive: its manifests, proven to follow one another. There is no other record of progress.
#[derive(Clone, Debug)]
pub struct Chain {
    archive: String,
    entries: Vec<Entry>,
}

/// Why manifests are not one chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BrokenChain {
    /// A number is missing.
    #[error("manifest {missing} is missing")]
    Hole {
        /// The first missing number.
        missing: u64,
    },
    /// A manifest does not name the bytes of the one before it.
    #[error("manifest {sequence} does not follow from the one before it")]
    Link {
        /// The manifest whose link is wrong.
        sequence: u64,
    },
    /// A manifest of another archive.
    #[error("manifest {sequence} belongs to another archive")]
    Foreign {
        /// Its number.
        sequence: u64,
    },
    /// A month was committed more than once.
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
    /// The chain of the archive with the UUID `archive`, without a manifest yet.
    pub fn new(archive: String) -> Self {
        Self { archive, entries: Vec::new() }
    }

    /// Adds the next manifest, or says why it cannot be the next.
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

    /// The last manifest, if there is one.
    pub fn head(&self) -> Option<Head> {
        self.entries.last().map(|entry| Head { sequence: entry.manifest.sequence, sha256: entry.sha256 })
    }

    /// The number that the next manifest will have.
    pub fn next_sequence(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// Every manifest, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The commit of a month, if it was committed.
    pub fn month(&self, dataset: &Dataset, month: Month) -> Option<&Entry> {
        self.commits(dataset).find(|entry| entry.manifest.month == month)
    }

    /// The first and the last archived month of a dataset.
    pub fn span(&self, dataset: &Dataset) -> Option<(Month, Month)> {
        let months = || self.commits(dataset).map(|entry| entry.manifest.month);
        months().min().zip(months().max())
    }

    /// The datasets that have a month, in the order of their names.
    pub fn datasets(&self) -> std::collections::BTreeSet<&Dataset> {
        self.entries.iter().map(|entry| &entry.manifest.dataset).collect()
    }

    /// The columns that a dataset had in its last commit.
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

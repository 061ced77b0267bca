//! The chain of manifests: the state of an archive.

use crate::{
    CommitRecord, Dataset, Manifest, Month, Schema, Sha256,
    commit_record::Header,
    manifest::{CommitKind, Link},
};
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
pub struct Entry<M = Manifest> {
    /// The digest.
    pub sha256: Sha256,
    /// The manifest.
    pub manifest: M,
}

/// The manifests of an archive, each proven to follow the one before. There is no other record of progress.
#[derive(Clone, Debug)]
pub struct Chain<M = Manifest> {
    archive: String,
    entries: Vec<Entry<M>>,
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

impl<M: CommitRecord> Entry<M> {
    /// The reference to this manifest.
    pub fn link(&self) -> Link {
        Link { sequence: self.manifest.sequence(), sha256: self.sha256 }
    }
}

impl<M: CommitRecord> Chain<M> {
    /// The empty chain of the archive with the UUID `archive`.
    pub fn new(archive: String) -> Self {
        Self { archive, entries: Vec::new() }
    }

    /// Appends the next manifest.
    pub fn push(&mut self, entry: Entry<M>) -> Result<(), BrokenChain> {
        let Header { archive, sequence, previous, .. } = entry.manifest.header();
        let expected = self.next_sequence();
        if sequence != expected {
            return Err(BrokenChain::Hole { missing: expected });
        }
        if archive != self.archive {
            return Err(BrokenChain::Foreign { sequence });
        }
        if previous != self.link().as_ref() {
            return Err(BrokenChain::Link { sequence });
        }
        entry.manifest.check_new(self)?;
        self.entries.push(entry);
        Ok(())
    }

    /// The archive's UUID.
    pub fn archive(&self) -> &str {
        &self.archive
    }

    /// The last manifest; `None` in an empty chain.
    pub fn head(&self) -> Option<Head> {
        self.entries.last().map(|entry| Head { sequence: entry.manifest.sequence(), sha256: entry.sha256 })
    }

    /// The reference of the next manifest to the last one; `None` in an empty chain.
    pub fn link(&self) -> Option<Link> {
        self.entries.last().map(Entry::link)
    }

    /// The manifest with the number `sequence`.
    pub fn entry(&self, sequence: u64) -> Option<&Entry<M>> {
        // Numbers begin at 1, without a hole.
        self.entries.get(usize::try_from(sequence.checked_sub(1)?).ok()?)
    }

    /// How many manifests follow `head`; `None` if the chain does not contain it.
    pub fn commits_after(&self, head: Head) -> Option<u64> {
        let entry = self.entry(head.sequence).filter(|entry| entry.sha256 == head.sha256)?;
        Some(self.entries.len() as u64 - entry.manifest.sequence())
    }

    /// The number of the next manifest.
    pub fn next_sequence(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// All manifests, oldest first.
    pub fn entries(&self) -> &[Entry<M>] {
        &self.entries
    }
}

impl Chain {
    /// Fails if `manifest` commits a month that is committed already.
    pub(crate) fn check_month(&self, manifest: &Manifest) -> Result<(), BrokenChain> {
        let Manifest { sequence, dataset, month, kind, .. } = manifest;
        if *kind == CommitKind::Month && self.month(dataset, *month).is_some() {
            return Err(BrokenChain::Twice { sequence: *sequence, dataset: dataset.clone(), month: *month });
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::manifest;

    fn events() -> Dataset {
        Dataset::default()
    }

    fn traces() -> Dataset {
        "traces".parse().unwrap()
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    /// The manifest that follows `chain`, whose bytes have the digest of its number.
    fn next(chain: &Chain, dataset: Dataset, month: Month) -> Entry {
        let sequence = chain.next_sequence();
        let previous = chain.link();
        let sha256 = Sha256::digest(&sequence.to_be_bytes());
        Entry { sha256, manifest: Manifest { sequence, previous, dataset, month, ..manifest() } }
    }

    /// March and January of the events, and March of the traces.
    fn chain() -> Chain {
        let mut chain = Chain::new(manifest().archive);
        for (dataset, text) in [(events(), "2025-03"), (traces(), "2025-03"), (events(), "2025-01")] {
            chain.push(next(&chain, dataset, month(text))).unwrap();
        }
        chain
    }

    mod manifests_that_follow_each_other {
        use super::*;

        fn refused(change: impl FnOnce(&mut Entry)) -> BrokenChain {
            let mut chain = chain();
            let mut entry = next(&chain, events(), month("2025-02"));
            change(&mut entry);
            let error = chain.push(entry).unwrap_err();
            assert_eq!(chain.entries().len(), 3, "a refused manifest is not added");
            error
        }

        #[test]
        fn the_next_manifest_is_added() {
            let chain = chain();
            let sequences = chain.entries().iter().map(|entry| entry.manifest.sequence).collect::<Vec<_>>();
            assert_eq!((sequences, chain.next_sequence()), (vec![1, 2, 3], 4));
            assert_eq!(chain.archive(), manifest().archive);
        }

        #[test]
        fn a_number_is_neither_skipped_nor_repeated() {
            for sequence in [1, 3, 5] {
                let error = refused(|entry| entry.manifest.sequence = sequence);
                assert_eq!(error, BrokenChain::Hole { missing: 4 });
            }
        }

        #[test]
        fn a_manifest_of_another_archive_is_refused() {
            let error = refused(|entry| entry.manifest.archive = "another".to_owned());
            assert_eq!(error, BrokenChain::Foreign { sequence: 4 });
        }

        #[test]
        fn a_link_names_the_manifest_before_and_its_digest() {
            let link = BrokenChain::Link { sequence: 4 };
            assert_eq!(refused(|entry| entry.manifest.previous = None), link);
            let changed = |link: &mut Option<Link>| link.as_mut().unwrap().sha256 = Sha256::digest(b"changed");
            assert_eq!(refused(|entry| changed(&mut entry.manifest.previous)), link);
            let earlier = |link: &mut Option<Link>| link.as_mut().unwrap().sequence = 2;
            assert_eq!(refused(|entry| earlier(&mut entry.manifest.previous)), link);
        }

        #[test]
        fn the_first_manifest_has_no_link() {
            let mut chain = Chain::new(manifest().archive);
            let mut entry = next(&chain, events(), month("2025-03"));
            entry.manifest.previous = Some(Link { sequence: 0, sha256: Sha256::digest(b"") });
            assert_eq!(chain.push(entry), Err(BrokenChain::Link { sequence: 1 }));
        }

        #[test]
        fn a_month_of_a_dataset_is_committed_once() {
            let error = refused(|entry| entry.manifest.month = month("2025-01"));
            assert_eq!(error, BrokenChain::Twice { sequence: 4, dataset: events(), month: month("2025-01") });
            let mut chain = chain();
            chain.push(next(&chain, traces(), month("2025-01"))).unwrap();
        }

        #[test]
        fn an_addendum_repeats_a_month() {
            let mut chain = chain();
            let mut entry = next(&chain, events(), month("2025-01"));
            entry.manifest.kind = CommitKind::Addendum;
            chain.push(entry).unwrap();
        }
    }

    mod the_state_of_an_archive {
        use super::*;

        fn head(sequence: u64) -> Head {
            Head { sequence, sha256: Sha256::digest(&sequence.to_be_bytes()) }
        }

        #[test]
        fn the_head_is_the_last_manifest() {
            assert_eq!(chain().head(), Some(head(3)));
            assert_eq!(Chain::<Manifest>::new(String::new()).head(), None);
        }

        #[test]
        fn commits_after_a_head_are_counted() {
            let after = [3, 2, 1].map(|sequence| chain().commits_after(head(sequence)));
            assert_eq!(after, [Some(0), Some(1), Some(2)]);
            assert_eq!(chain().commits_after(head(4)), None);
            // A number or a digest alone is another chain.
            assert_eq!(chain().commits_after(Head { sequence: 2, ..head(3) }), None);
            assert_eq!(chain().commits_after(head(0)), None);
        }

        #[test]
        fn a_month_is_found_by_dataset_and_month() {
            let chain = chain();
            let sequence = |dataset, text| chain.month(&dataset, month(text)).map(|entry| entry.manifest.sequence);
            assert_eq!(sequence(events(), "2025-03"), Some(1));
            assert_eq!(sequence(traces(), "2025-03"), Some(2));
            assert_eq!(sequence(events(), "2025-01"), Some(3));
            assert_eq!(sequence(traces(), "2025-01"), None);
        }

        #[test]
        fn an_addendum_is_not_the_commit_of_a_month() {
            let mut chain = chain();
            let mut entry = next(&chain, events(), month("2024-12"));
            entry.manifest.kind = CommitKind::Addendum;
            chain.push(entry).unwrap();
            assert!(chain.month(&events(), month("2024-12")).is_none());
            assert_eq!(chain.span(&events()), Some((month("2025-01"), month("2025-03"))));
        }

        #[test]
        fn a_dataset_spans_its_first_to_its_last_month() {
            assert_eq!(chain().span(&events()), Some((month("2025-01"), month("2025-03"))));
            assert_eq!(chain().span(&traces()), Some((month("2025-03"), month("2025-03"))));
            assert_eq!(chain().span(&"audit".parse().unwrap()), None);
            assert_eq!(chain().datasets(), [&events(), &traces()].into());
        }

        #[test]
        fn the_last_columns_are_those_of_the_last_month_with_events() {
            let mut chain = chain();
            let wide = manifest().schema.unwrap();
            let mut columns = wide.columns().to_vec();
            columns[0].name = "id".to_owned();
            let renamed = Schema::new(columns, "id", "timestamp").unwrap();
            for (text, schema) in [("2025-04", Some(renamed.clone())), ("2025-05", None)] {
                let mut entry = next(&chain, events(), month(text));
                entry.manifest.schema = schema;
                chain.push(entry).unwrap();
            }
            assert_eq!(chain.last_schema(&events()), Some(&renamed));
            assert_eq!(chain.last_schema(&traces()), Some(&wide));
            assert_eq!(chain.last_schema(&"audit".parse().unwrap()), None);
        }
    }
}

//! Verifies the chain of manifests.

use super::{Code, Findings, Listing};
use crate::{archive::ArchiveRecord, expected_head::ExpectedHead};
use archive_connectors::{Result, Sink};
use archive_formats::{
    Manifest, Sha256,
    key::{self, ObjectName},
    manifest::CommitKind,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

/// Concurrent fetches of manifests.
const CONCURRENT_FETCHES: usize = 8;

/// Maximum missing manifests in a row that are reported one by one.
const LONG_HOLE: u64 = 1_000;

const MISSING: &str = "the manifest is missing";

/// A readable manifest, and the digest of its bytes.
#[derive(Debug)]
pub(crate) struct Commit<M = Manifest> {
    pub(crate) sha256: Sha256,
    pub(crate) manifest: M,
}

/// By sequence number.
pub(crate) type Commits<M = Manifest> = BTreeMap<u64, Commit<M>>;

/// What a manifest must be by itself, and beside the ones before it.
pub(crate) trait VerifiedRecord: ArchiveRecord {
    /// Reports what is wrong with the content, apart from its place in the chain.
    fn check_content(&self, before: &Commits<Self>, findings: &mut Findings);
}

/// The chain of an archive, as it is stored.
#[derive(Debug)]
pub(crate) struct StoredChain<'a> {
    pub(crate) sink: &'a Sink,
    /// The UUID of the archive.
    pub(crate) archive: &'a str,
    pub(crate) listing: &'a Listing,
}

impl StoredChain<'_> {
    /// Reads every manifest and `SHA256SUMS`, and reports inconsistencies. Returns all readable manifests, consistent
    /// or not: their files are verified too.
    pub(crate) async fn verify<M: VerifiedRecord>(&self, findings: &mut Findings) -> Result<Commits<M>> {
        let &Self { archive, listing, .. } = self;
        let numbers = listing.keys().filter_map(|path| match ObjectName::parse(path) {
            ObjectName::Manifest(sequence) | ObjectName::Sums(sequence) => Some(sequence),
            _ => None,
        });
        let fetched = stream::iter(numbers.collect::<BTreeSet<_>>()).map(|sequence| async move {
            let manifest = self.document(&key::manifest(sequence)).await?;
            let sums = self.document(&key::sums(sequence)).await?;
            Ok::<_, archive_connectors::Error>((sequence, manifest, sums))
        });
        let mut fetched = fetched.buffered(CONCURRENT_FETCHES);
        let mut walk = Walk { archive, findings, commits: Commits::new(), digests: BTreeMap::new(), next: 1 };
        while let Some((sequence, manifest, sums)) = fetched.try_next().await? {
            walk.step(sequence, manifest, sums);
        }
        let commits = walk.commits;
        if let Some(named) = commits.get(&1).and_then(|first: &Commit<M>| first.manifest.header().archive_sha256) {
            let found = self.sink.document(M::IDENTITY).await?.map(|bytes| Sha256::digest(&bytes));
            if found != Some(named) {
                let message = format!("the document is not the one that the first manifest names ({named})");
                findings.damage(Code::Digest, M::IDENTITY, message);
            }
        }
        Ok(commits)
    }

    async fn document(&self, path: &str) -> Result<Option<Bytes>> {
        if self.listing.contains_key(path) { self.sink.document(path).await } else { Ok(None) }
    }
}

struct Walk<'a, M> {
    archive: &'a str,
    findings: &'a mut Findings,
    commits: Commits<M>,
    /// Digest of every existing manifest, readable or not.
    digests: BTreeMap<u64, Sha256>,
    /// The expected next sequence number.
    next: u64,
}

impl<M: VerifiedRecord> Walk<'_, M> {
    fn step(&mut self, sequence: u64, manifest: Option<Bytes>, sums: Option<Bytes>) {
        let path = key::manifest(sequence);
        self.holes(sequence);
        self.next = sequence.saturating_add(1);
        let Some(bytes) = manifest else {
            self.findings.damage(Code::SequenceHole, path, MISSING);
            return;
        };
        let sha256 = Sha256::digest(&bytes);
        self.digests.insert(sequence, sha256);
        match M::from_bytes(&bytes) {
            Ok(manifest) => {
                self.link(sequence, &manifest);
                self.header(sequence, &manifest);
                manifest.check_content(&self.commits, self.findings);
                self.sums(&manifest, sha256, sums);
                self.commits.insert(sequence, Commit { sha256, manifest: manifest.without_details() });
            }
            Err(error) => {
                let message = format!("the manifest cannot be read: {error}");
                self.findings.damage(Code::ChainBroken, path, message);
            }
        }
    }

    /// V004: missing sequence numbers before `sequence`. A file with a huge number must not cause as many findings, so
    /// the rest of a very long hole is one finding.
    fn holes(&mut self, sequence: u64) {
        let rest = self.next.saturating_add(LONG_HOLE).min(sequence);
        for missing in self.next..rest {
            self.findings.damage(Code::SequenceHole, key::manifest(missing), MISSING);
        }
        if rest < sequence {
            let message = format!("{MISSING}, and so is every other before number {sequence}");
            self.findings.damage(Code::SequenceHole, key::manifest(rest), message);
        }
    }

    /// V003: whether this manifest references the previous one.
    fn link(&mut self, sequence: u64, manifest: &M) {
        let named = manifest.header().previous.map(|link| (link.sequence, link.sha256));
        let before = sequence.checked_sub(1).filter(|before| *before > 0);
        let before = before.map(|before| (before, self.digests.get(&before).copied()));
        match (named, before) {
            (None, None) => {}
            (Some((number, digest)), Some((before, Some(found)))) if number == before => {
                if digest != found {
                    let message = format!("the manifest is not the one that number {sequence} names ({digest})");
                    self.findings.damage(Code::ChainBroken, key::manifest(before), message);
                }
            }
            // The previous one is missing, which is reported separately.
            (Some((number, _)), Some((before, None))) if number == before => {}
            _ => {
                let message = "the manifest does not name the one before it";
                self.findings.damage(Code::ChainBroken, key::manifest(sequence), message);
            }
        }
    }

    fn header(&mut self, sequence: u64, manifest: &M) {
        let (path, header) = (key::manifest(sequence), manifest.header());
        if header.format != M::FORMAT {
            self.findings.damage(Code::ChainBroken, path.clone(), "the manifest has another format");
        }
        if header.sequence != sequence {
            let message = format!("the manifest has the number {}", header.sequence);
            self.findings.damage(Code::ChainBroken, path.clone(), message);
        }
        if header.archive != self.archive {
            self.findings.damage(Code::ForeignManifest, path, "the manifest belongs to another archive");
        }
    }

    /// V006: whether `SHA256SUMS` agrees with the manifest.
    fn sums(&mut self, manifest: &M, sha256: Sha256, found: Option<Bytes>) {
        let path = key::sums(manifest.sequence());
        match found {
            None => self.findings.damage(Code::Sums, path, "SHA256SUMS is missing; the next run adds it"),
            Some(found) if found == manifest.sha256sums(&sha256) => {}
            Some(_) => self.findings.damage(Code::Sums, path, "SHA256SUMS is not what its manifest makes it"),
        }
    }
}

impl VerifiedRecord for Manifest {
    fn check_content(&self, before: &Commits, findings: &mut Findings) {
        let (sequence, manifest) = (self.sequence, self);
        let path = key::manifest(sequence);
        if let Err(imbalance) = manifest.check_balance() {
            findings.damage(Code::Balance, path.clone(), imbalance.to_string());
        }
        match &manifest.schema {
            Some(schema) if !schema.is_consistent() => {
                let message = "the schema's digest is not the one of its columns";
                findings.damage(Code::Schema, path.clone(), message);
            }
            None if manifest.files.iter().any(|file| file.format.holds_events()) => {
                findings.damage(Code::Schema, path.clone(), "the manifest names event files and no schema");
            }
            Some(_) | None => {}
        }
        for file in &manifest.files {
            let folder = key::month_folder(&manifest.dataset, file.format, manifest.month);
            if !file.path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/')) {
                let message = format!("manifest {sequence} names this file, which does not lie in {folder}");
                findings.damage(Code::OutsideMonth, file.path.clone(), message);
            }
        }
        let same = |commit: &&Commit| {
            let other = &commit.manifest;
            let months = manifest.kind == CommitKind::Month && other.kind == CommitKind::Month;
            months && other.dataset == manifest.dataset && other.month == manifest.month
        };
        if let Some(other) = before.values().find(same) {
            let message =
                format!("{} {} is committed by {} too", manifest.dataset, manifest.month, other.manifest.sequence);
            findings.damage(Code::MonthTwice, path, message);
        }
    }
}

/// V005: whether the chain contains the expected head, which a message calls `what`.
pub(crate) fn expect_head<M>(commits: &Commits<M>, expected: &ExpectedHead, what: &str, findings: &mut Findings) {
    let head = commits.keys().next_back().copied().unwrap_or(0);
    let found = match expected.sequence {
        // An unreadable manifest before the head is reported separately.
        Some(sequence) if expected.digest.is_none() => sequence <= head,
        Some(sequence) => commits.get(&sequence).is_some_and(|commit| expected.matches(&commit.sha256)),
        None => commits.values().any(|commit| expected.matches(&commit.sha256)),
    };
    if !found {
        let message = format!("{what} is not in the chain, which ends with number {head}");
        findings.damage(Code::OldHead, key::manifest(head.max(1)), message);
    }
}

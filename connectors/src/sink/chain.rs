//! Reads and checks the chain of manifests.

use super::Sink;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, CommitRecord, Sha256,
    chain::{BrokenChain, Entry},
    key::{self, ObjectName},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;

/// Manifests fetched concurrently.
const FETCHES: usize = 16;

impl Sink {
    /// Reads every manifest and checks that they form one chain of the archive with the UUID `archive`: dense numbers,
    /// each with the digest of its predecessor, no month twice. Otherwise fails with [`ErrorKind::BrokenChain`], also
    /// for a `SHA256SUMS` without its manifest, which is written first: the end of the chain was removed.
    pub async fn chain<M: CommitRecord>(&self, archive: &str) -> Result<Chain<M>> {
        let mut chain = Chain::new(archive.to_owned());
        self.catch_up(&mut chain).await?;
        Ok(chain)
    }

    /// Adds the manifests committed since `chain` was read.
    pub async fn catch_up<M: CommitRecord>(&self, chain: &mut Chain<M>) -> Result<()> {
        let last = self.names().await?.last();
        if last.saturating_add(1) < chain.next_sequence() {
            return Err(self.broken(&BrokenChain::Hole { missing: last.saturating_add(1) }));
        }
        // The listing gives only the last number. Holes are found by reading each manifest, since a listing during a
        // commit may omit objects.
        let entries = stream::iter(chain.next_sequence()..=last).map(|sequence| self.entry(sequence));
        let mut entries = entries.buffered(FETCHES);
        while let Some(entry) = entries.try_next().await? {
            chain.push(entry).map_err(|broken| self.broken(&broken))?;
        }
        Ok(())
    }

    /// Reads the end of `chain` again, before a commit names its digest. Every other manifest is vouched for by the one
    /// after it, and the last one by its `SHA256SUMS`, or by a second read; before the first commit, so is the document
    /// that identifies the root, with the digest `identity`. A network can change bytes, and a wrong digest in a manifest
    /// would stay for ever.
    pub async fn confirm_end<M: CommitRecord>(&self, chain: &Chain<M>, identity: Sha256) -> Result<()> {
        let (path, digest) = match chain.entries().last() {
            None => (M::IDENTITY.to_owned(), identity),
            Some(entry) => {
                let sums = self.document(&key::sums(entry.manifest.sequence())).await?;
                if sums.is_some_and(|sums| sums == entry.manifest.sha256sums(&entry.sha256)) {
                    return Ok(());
                }
                (key::manifest(entry.manifest.sequence()), entry.sha256)
            }
        };
        let again = self.document(&path).await?.map(|bytes| Sha256::digest(&bytes));
        if again == Some(digest) {
            return Ok(());
        }
        Err(self.object_error("was read twice, with different bytes", &path).with_hint(
            "nothing was committed; run again, and `kt-archive verify`: the store, or what is between, changes bytes",
        ))
    }

    /// Makes the manifests of `chain` survive a power failure, before any of them counts as committed: the run that made
    /// the last one may have been killed before it was flushed.
    pub async fn flush_head<M: CommitRecord>(&self, chain: &Chain<M>) -> Result<()> {
        match chain.head() {
            Some(head) => self.make_durable(&key::manifest(head.sequence)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Adds the `SHA256SUMS` of commits without them, as after a crash right after the commit.
    pub async fn complete_sums<M: CommitRecord>(&self, chain: &Chain<M>) -> Result<()> {
        let names = self.names().await?;
        for entry in chain.entries().iter().filter(|entry| !names.sums.contains(&entry.manifest.sequence())) {
            self.put_sums(entry).await?;
        }
        Ok(())
    }

    /// Writes the `SHA256SUMS` of a commit unless they exist.
    pub(super) async fn put_sums<M: CommitRecord>(&self, entry: &Entry<M>) -> Result<()> {
        let bytes = entry.manifest.sha256sums(&entry.sha256);
        self.create_document(&key::sums(entry.manifest.sequence()), Bytes::from(bytes)).await?;
        Ok(())
    }

    /// Whether any manifest or `SHA256SUMS` exists.
    pub(super) async fn has_commits(&self) -> Result<bool> {
        Ok(self.names().await?.last() > 0)
    }

    async fn names(&self) -> Result<Names> {
        let mut names = Names::default();
        let mut objects = self.list(Some(key::MANIFESTS));
        while let Some(object) = objects.try_next().await? {
            match ObjectName::parse(&object.path) {
                ObjectName::Manifest(sequence) => names.last_manifest = names.last_manifest.max(sequence),
                ObjectName::Sums(sequence) => {
                    names.sums.insert(sequence);
                }
                _ => {}
            }
        }
        Ok(names)
    }

    async fn entry<M: CommitRecord>(&self, sequence: u64) -> Result<Entry<M>> {
        let path = key::manifest(sequence);
        let bytes = self.document(&path).await?;
        let bytes = bytes.ok_or_else(|| self.broken(&BrokenChain::Hole { missing: sequence }))?;
        let unreadable = |message| {
            Error::new(ErrorKind::BrokenChain, message).with_context("path", &path).with_context("archive", self.url())
        };
        let manifest = M::from_bytes(&bytes).map_err(|error| {
            unreadable("a manifest cannot be read").with_source(error).with_hint("run `kt-archive verify`")
        })?;
        if manifest.header().format != M::FORMAT {
            return Err(unreadable("a manifest has another format").with_hint("a newer version may know it"));
        }
        Ok(Entry { sha256: Sha256::digest(&bytes), manifest: manifest.without_details() })
    }

    fn broken(&self, broken: &BrokenChain) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, format!("the chain of manifests is broken: {broken}"));
        error.with_context("archive", self.url()).with_hint("run `kt-archive verify` to see all that is damaged")
    }
}

/// The numbers in the folder of the manifests.
#[derive(Default)]
struct Names {
    last_manifest: u64,
    sums: BTreeSet<u64>,
}

impl Names {
    /// The last number of a manifest or `SHA256SUMS`; zero if there is none.
    fn last(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0).max(self.last_manifest)
    }
}

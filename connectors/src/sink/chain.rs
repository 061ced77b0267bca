//! Reading the chain of manifests, and proving it.

use super::Sink;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Manifest, Sha256,
    chain::{BrokenChain, Entry},
    key::{self, ObjectName},
    manifest::FORMAT,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;

/// Manifests that are fetched at once.
const FETCHES: usize = 16;

impl Sink {
    /// Reads every manifest and proves that they are one chain of the archive with the UUID `archive`: dense numbers,
    /// each naming the bytes of the one before, no month twice. Anything else is [`ErrorKind::BrokenChain`], also a
    /// `SHA256SUMS` whose manifest is gone: it was written after it, so somebody cut off the end of the chain.
    pub async fn chain(&self, archive: &str) -> Result<Chain> {
        let mut chain = Chain::new(archive.to_owned());
        self.catch_up(&mut chain).await?;
        Ok(chain)
    }

    /// Adds the manifests that were committed since `chain` was read.
    pub async fn catch_up(&self, chain: &mut Chain) -> Result<()> {
        let last = self.names().await?.last();
        if last.saturating_add(1) < chain.next_sequence() {
            return Err(self.broken(&BrokenChain::Hole { missing: last.saturating_add(1) }));
        }
        // The listing only says how far to look. What is missing on the way is found by asking for it, so that a
        // listing taken while somebody commits cannot show a hole that is none.
        let entries = stream::iter(chain.next_sequence()..=last).map(|sequence| self.entry(sequence));
        let mut entries = entries.buffered(FETCHES);
        while let Some(entry) = entries.try_next().await? {
            chain.push(entry).map_err(|broken| self.broken(&broken))?;
        }
        Ok(())
    }

    /// Adds the `SHA256SUMS` of commits that lack them, as after a crash right after the commit.
    pub async fn complete_sums(&self, chain: &Chain) -> Result<()> {
        let names = self.names().await?;
        for entry in chain.entries().iter().filter(|entry| !names.sums.contains(&entry.manifest.sequence)) {
            self.put_sums(entry).await?;
        }
        Ok(())
    }

    /// Writes the `SHA256SUMS` of a commit, unless there are some.
    pub(super) async fn put_sums(&self, entry: &Entry) -> Result<()> {
        let bytes = entry.manifest.sha256sums(&entry.sha256);
        self.create_document(&key::sums(entry.manifest.sequence), Bytes::from(bytes)).await?;
        Ok(())
    }

    /// Whether there is a trace of a commit.
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

    async fn entry(&self, sequence: u64) -> Result<Entry> {
        let path = key::manifest(sequence);
        let bytes = self.document(&path).await?;
        let bytes = bytes.ok_or_else(|| self.broken(&BrokenChain::Hole { missing: sequence }))?;
        let unreadable = |message| {
            Error::new(ErrorKind::BrokenChain, message).with_context("path", &path).with_context("archive", self.url())
        };
        let manifest = Manifest::from_bytes(&bytes).map_err(|error| {
            unreadable("a manifest cannot be read").with_source(error).with_hint("run `kt-archive verify`")
        })?;
        if manifest.format != FORMAT {
            return Err(unreadable("a manifest has another format").with_hint("a newer version may know it"));
        }
        Ok(Entry { sha256: Sha256::digest(&bytes), manifest })
    }

    fn broken(&self, broken: &BrokenChain) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, format!("the chain of manifests is broken: {broken}"));
        error.with_context("archive", self.url()).with_hint("run `kt-archive verify` to see all that is damaged")
    }
}

/// What lies in the folder of the manifests.
#[derive(Default)]
struct Names {
    last_manifest: u64,
    sums: BTreeSet<u64>,
}

impl Names {
    /// The last number of which there is a trace; zero where there is none.
    fn last(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0).max(self.last_manifest)
    }
}

//! Compares the chain of a replica with the archive's, before anything is written.

use crate::archive::{Archive, ArchiveRecord};
use archive_connectors::{Error, ErrorKind, Result, Sink};
use archive_formats::{
    Chain, Sha256,
    chain::Entry,
    key::{self, ObjectName},
    manifest::ArchiveDocument,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeSet, marker::PhantomData};

/// Concurrent fetches of manifests.
const FETCHES: usize = 16;

/// The replica's copy of a document of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Identical.
    Same,
    /// Missing.
    Missing,
    /// Different.
    Damaged,
}

/// The state of a replica's chain.
#[derive(Debug)]
pub(super) struct ReplicaChain {
    pub(super) identity: Held,
    /// For each manifest of the archive, oldest first.
    pub(super) manifests: Vec<Held>,
    /// Sequence numbers that have a `SHA256SUMS`.
    pub(super) sums: BTreeSet<u64>,
    /// The highest sequence number found; zero if none.
    pub(super) last: u64,
}

impl ReplicaChain {
    /// Compares the chain of `replica` with that of `archive`, whose `archive.json` is `identity`. Fails unless it is a
    /// prefix. Refreshes the archive's chain first.
    pub(super) async fn compare<M: ArchiveRecord>(
        replica: &Sink,
        archive: &mut Archive<M>,
        identity: &Bytes,
    ) -> Result<Self> {
        let (last, sums) = numbers(replica).await?;
        // Only after the replica was listed: another host may commit and copy a month meanwhile.
        archive.refresh().await?;
        let chain = archive.chain();
        let comparison = Comparison::<M> { replica, archive: archive.id(), records: PhantomData };
        let found = stream::iter(chain.entries()).map(|entry| comparison.manifest(entry, last)).buffered(FETCHES);
        let found = found.try_collect::<Vec<_>>().await?;
        let is_ours = found.iter().any(|(_, is_ours)| *is_ours);
        let identity = comparison.identity(identity, is_ours).await?;
        let manifests = found.into_iter().map(|(held, _)| held).collect::<Vec<_>>();
        if last > chain.entries().len() as u64 {
            return Err(longer(replica, archive.sink(), chain));
        }
        if !is_ours && identity != Held::Same && manifests.contains(&Held::Damaged) {
            return Err(unknown(replica));
        }
        Ok(Self { identity, manifests, sums, last })
    }

    /// Rejects damage, which only `--repair` may replace.
    pub(super) fn check_undamaged<M: ArchiveRecord>(&self, replica: &Sink) -> Result<()> {
        let damaged = self.manifests.iter().zip(1..).find(|(held, _)| **held == Held::Damaged);
        let path = match (self.identity, damaged) {
            (Held::Damaged, _) => M::IDENTITY.to_owned(),
            (_, Some((_, sequence))) => key::manifest(sequence),
            (_, None) => return Ok(()),
        };
        let error = Error::new(ErrorKind::BrokenChain, "the replica is damaged").with_context("path", path);
        Err(error.with_context("replica", replica.url()).with_hint(format!("`{}` mends it", M::REPAIR)))
    }
}

/// The highest sequence number in the replica, and the sequence numbers of its `SHA256SUMS`.
pub(super) async fn numbers(replica: &Sink) -> Result<(u64, BTreeSet<u64>)> {
    let (mut last, mut sums) = (0, BTreeSet::new());
    let mut objects = replica.list(Some(key::MANIFESTS));
    while let Some(object) = objects.try_next().await? {
        match ObjectName::parse(&object.path) {
            ObjectName::Manifest(sequence) => last = last.max(sequence),
            ObjectName::Sums(sequence) => drop(sums.insert(sequence)),
            _ => {}
        }
    }
    Ok((last.max(sums.last().copied().unwrap_or(0)), sums))
}

struct Comparison<'a, M> {
    replica: &'a Sink,
    archive: &'a str,
    records: PhantomData<M>,
}

impl<M: ArchiveRecord> Comparison<'_, M> {
    /// The replica's copy of a manifest, and whether it proves that the replica belongs to this archive.
    async fn manifest(&self, ours: &Entry<M>, last: u64) -> Result<(Held, bool)> {
        let sequence = ours.manifest.sequence();
        if sequence > last {
            return Ok((Held::Missing, false));
        }
        let Some(bytes) = self.replica.document(&key::manifest(sequence)).await? else {
            return Ok((Held::Missing, false));
        };
        if Sha256::digest(&bytes) == ours.sha256 {
            return Ok((Held::Same, true));
        }
        // The replica's own record of the original digest: the next manifest, and the sums.
        if self.is_named(ours).await? {
            return Ok((Held::Damaged, true));
        }
        match M::from_bytes(&bytes) {
            Err(_) => Ok((Held::Damaged, false)),
            Ok(theirs) if theirs.header().archive != self.archive => {
                Err(self.foreign(theirs.header().archive).with_context("path", key::manifest(sequence)))
            }
            Ok(_) => Err(self.diverged(ours, Sha256::digest(&bytes))),
        }
    }

    async fn is_named(&self, ours: &Entry<M>) -> Result<bool> {
        let sequence = ours.manifest.sequence();
        let next = self.replica.document(&key::manifest(sequence.saturating_add(1))).await?;
        let next = next.and_then(|bytes| M::from_bytes(&bytes).ok());
        let next = next.as_ref().and_then(|manifest| manifest.header().previous);
        if next.is_some_and(|link| link.sequence == sequence && link.sha256 == ours.sha256) {
            return Ok(true);
        }
        let line = format!("{}  {}", ours.sha256, key::manifest(sequence));
        let sums = self.replica.document(&key::sums(sequence)).await?.unwrap_or_default();
        Ok(sums.split(|byte| *byte == b'\n').any(|found| found == line.as_bytes()))
    }

    /// The replica's copy of `archive.json`. If it is unreadable or names another archive, it is damaged if the
    /// manifests beside it are ours, and the location of something else otherwise.
    async fn identity(&self, ours: &Bytes, is_ours: bool) -> Result<Held> {
        let Some(bytes) = self.replica.document(M::IDENTITY).await? else { return Ok(Held::Missing) };
        if bytes == *ours {
            return Ok(Held::Same);
        }
        match ArchiveDocument::from_bytes(&bytes) {
            _ if is_ours => Ok(Held::Damaged),
            Ok(document) if document.archive == self.archive => Ok(Held::Damaged),
            Ok(document) => Err(self.foreign(&document.archive)),
            Err(_) => Err(unknown(self.replica).with_context("path", M::IDENTITY)),
        }
    }

    fn foreign(&self, uuid: &str) -> Error {
        Error::new(ErrorKind::Configuration, "the replica's place holds another archive")
            .with_context("replica", self.replica.url())
            .with_context("its archive", uuid.escape_debug())
            .with_context("ours", self.archive)
            .with_hint(format!("check {} and --replica, or choose an empty place", M::OPTION))
    }

    fn diverged(&self, ours: &Entry<M>, theirs: Sha256) -> Error {
        let sequence = ours.manifest.sequence();
        let message =
            format!("the chain of the replica is not the beginning of the archive's: manifest {sequence} differs");
        Error::new(ErrorKind::BrokenChain, message)
            .with_context("replica", self.replica.url())
            .with_context("its sha256", theirs)
            .with_context("ours", ours.sha256)
            .with_hint(
                "the archive was cut short and went on, or somebody wrote to the replica: keep both, and find out which \
                 is right",
            )
    }
}

pub(super) fn longer<M: ArchiveRecord>(replica: &Sink, archive: &Sink, chain: &Chain<M>) -> Error {
    let next = chain.next_sequence();
    let message = format!("the replica goes on where the archive ends: manifest {next} is in the replica alone");
    Error::new(ErrorKind::BrokenChain, message)
        .with_context("replica", replica.url())
        .with_context(M::NAME, archive.url())
        .with_hint(format!(
            "if the archive lost its end, give the replica as {}, and the archive as --replica",
            M::OPTION
        ))
}

fn unknown(replica: &Sink) -> Error {
    Error::new(ErrorKind::Configuration, "nothing shows that this is a replica of the archive")
        .with_context("replica", replica.url())
        .with_hint("check --replica, or choose an empty place")
}

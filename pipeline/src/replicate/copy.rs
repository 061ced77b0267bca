//! Copies missing objects to one replica, manifest by manifest.

use super::{
    Replicator, Tally,
    compare::{Held, ReplicaChain},
};
use crate::archive::{ArchiveRecord, remove_removed, removed};
use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    progress::{DatasetMonth, Step, Subject},
};
use archive_formats::{
    FileRecord as _, Sha256,
    chain::Entry,
    key::{self, ObjectName},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;

/// Concurrent copies or comparisons of files.
const CONCURRENT_FILES: usize = 2;

impl<M: ArchiveRecord> Replicator<'_, M> {
    /// Brings `replica` up to date. `tally` counts what was written, even on error.
    pub(super) async fn copy_to(&mut self, replica: &Sink, tally: &mut Tally) -> Result<()> {
        let identity = self.document(M::IDENTITY).await?;
        // A repair would replace a good document by what was changed on the way here.
        if Sha256::digest(&identity) != self.archive.identity_sha256() {
            return Err(changed(self.archive.sink(), M::IDENTITY));
        }
        let replica_chain = ReplicaChain::compare(replica, self.archive, &identity).await?;
        if !self.repair {
            replica_chain.check_undamaged::<M>(replica)?;
        }
        // A replica must not go on where the archive may end after a power failure.
        self.archive.sink().flush_head(self.archive.chain()).await?;
        let removed = removed(self.archive.chain().entries().iter().map(|entry| &entry.manifest));
        let copying = Copying { replicator: self, replica, replica_chain: &replica_chain, removed: &removed };
        if copying.put(M::IDENTITY, identity, replica_chain.identity).await? && replica_chain.last > 0 {
            tally.mended += 1;
        }
        let mut lost = None;
        for (entry, held) in self.archive.chain().entries().iter().zip(&replica_chain.manifests) {
            let subject = entry.manifest.subject();
            let done = copying.month(entry, *held, &subject, tally).await;
            self.observer.finish(&subject);
            match done {
                // Data missing from the archive affects only manifests that the replica does not have.
                Err(error) if error.kind() == ErrorKind::BrokenChain && *held != Held::Missing => {
                    lost.get_or_insert(error);
                }
                done => done?,
            }
        }
        replica.flush_head(self.archive.chain()).await?;
        // After the removals, which a reader of the replica then knows.
        remove_removed(replica, self.archive.chain()).await?;
        if self.repair {
            copying.warn_of_unnamed_files().await?;
        }
        lost.map_or(Ok(()), Err)
    }

    /// Reads a document of the archive, which must exist.
    async fn document(&self, path: &str) -> Result<Bytes> {
        self.archive.sink().document(path).await?.ok_or_else(|| changed(self.archive.sink(), path))
    }
}

struct Copying<'a, M: ArchiveRecord> {
    replicator: &'a Replicator<'a, M>,
    replica: &'a Sink,
    replica_chain: &'a ReplicaChain,
    /// Numbers of the manifests whose files may be absent.
    removed: &'a HashSet<u64>,
}

impl<M: ArchiveRecord> Copying<'_, M> {
    /// Copies what the replica lacks of one commit: files, manifest, sums, in this order. A repair compares all of it.
    async fn month(&self, entry: &Entry<M>, held: Held, subject: &Subject, tally: &mut Tally) -> Result<()> {
        let sequence = entry.manifest.sequence();
        let is_new = sequence > self.replica_chain.last;
        let (mut written, lost) = match held {
            Held::Same if !self.replicator.repair => (0, None),
            _ if self.removed.contains(&sequence) => (0, None),
            _ => self.files(entry.manifest.files(), subject).await,
        };
        if held == Held::Missing
            && let Some(error) = lost
        {
            return Err(error);
        }
        if held != Held::Same {
            let bytes = self.manifest(entry).await?;
            written += u64::from(self.put(&key::manifest(sequence), bytes, held).await?);
        }
        written += u64::from(self.sums(entry).await?);
        if is_new {
            tally.copied += 1;
        } else {
            tally.mended += written;
        }
        let is_head = sequence + 1 == self.replicator.archive.chain().next_sequence();
        if written > 0 || is_head {
            self.cleanup(subject).await;
        }
        lost.map_or(Ok(()), Err)
    }

    /// Copies missing files. Returns how many, and the first error.
    async fn files(&self, files: &[M::File], subject: &Subject) -> (u64, Option<Error>) {
        let Replicator { archive, observer, repair, .. } = self.replicator;
        let step = if *repair { Step::Check } else { Step::Upload };
        observer.step(subject, step, Some(files.iter().map(|file| file.object().bytes).sum()));
        let copies =
            files.iter().map(|file| self.replica.copy(archive.sink(), file, |bytes| observer.advance(subject, bytes)));
        let (mut sent, mut lost) = (0, None);
        for copied in stream::iter(copies).buffered(CONCURRENT_FILES).collect::<Vec<_>>().await {
            match copied {
                Ok(was_sent) => sent += u64::from(was_sent),
                Err(error) => drop(lost.get_or_insert(error)),
            }
        }
        (sent, lost)
    }

    /// The manifest's bytes as stored in the archive: a verifier hashes them unchanged.
    async fn manifest(&self, entry: &Entry<M>) -> Result<Bytes> {
        let path = key::manifest(entry.manifest.sequence());
        let bytes = self.replicator.document(&path).await?;
        if Sha256::digest(&bytes) == entry.sha256 {
            Ok(bytes)
        } else {
            Err(changed(self.replicator.archive.sink(), &path))
        }
    }

    async fn sums(&self, entry: &Entry<M>) -> Result<bool> {
        let path = key::sums(entry.manifest.sequence());
        let bytes = Bytes::from(entry.manifest.sha256sums(&entry.sha256));
        let held = match self.replica_chain.sums.contains(&entry.manifest.sequence()) {
            false => Held::Missing,
            true if !self.replicator.repair => Held::Same,
            true => match self.replica.document(&path).await? {
                Some(found) if found == bytes => Held::Same,
                Some(_) => Held::Damaged,
                None => Held::Missing,
            },
        };
        self.put(&path, bytes, held).await
    }

    /// Writes a document unless the replica has it. Returns whether it was written.
    async fn put(&self, path: &str, bytes: Bytes, held: Held) -> Result<bool> {
        match held {
            Held::Same => return Ok(false),
            Held::Damaged => self.replica.replace_document(path, bytes).await?,
            Held::Missing => {
                if self.replica.create_document(path, bytes.clone()).await? != bytes {
                    return Err(changed(self.replica, path));
                }
            }
        }
        Ok(true)
    }

    /// Removes leftovers of interrupted writes from a directory replica.
    async fn cleanup(&self, subject: &Subject) {
        let Subject::Month(DatasetMonth { dataset, month }) = subject else { return };
        let next = self.replicator.archive.chain().next_sequence();
        if let Err(error) = self.replica.remove_leftovers(next, dataset, *month).await {
            tracing::warn!(%error, "could not look for leftovers of interrupted writes");
        }
    }

    /// Warns of files that no manifest names. They are kept: their owner is unknown.
    async fn warn_of_unnamed_files(&self) -> Result<()> {
        let files = self.replicator.archive.chain().entries().iter().flat_map(|entry| entry.manifest.files());
        let named = files.map(|file| file.object().path).collect::<HashSet<_>>();
        let mut objects = self.replica.list(None);
        while let Some(object) = objects.try_next().await? {
            let is_data = matches!(ObjectName::parse(&object.path), ObjectName::Data { .. } | ObjectName::Other)
                && object.path != M::IDENTITY;
            if is_data && !named.contains(object.path.as_str()) {
                let replica = self.replica.url();
                tracing::warn!(replica, path = object.path, "left alone a file that no manifest names");
            }
        }
        Ok(())
    }
}

/// The error for a document that changed during replication.
fn changed(sink: &Sink, path: &str) -> Error {
    Error::new(ErrorKind::BrokenChain, "a document changed or vanished while it was copied")
        .with_context("path", path)
        .with_context("archive", sink.url())
        .with_hint("find out who else writes there, then run again")
}

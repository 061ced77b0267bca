//! The commit protocol: a manifest is created if absent.

use super::{Sink, StoredFile, read::LARGEST_DOCUMENT};
use crate::{Error, ErrorKind, Result};
use archive_formats::{Chain, CommitRecord, FileRecord, Manifest, Sha256, chain::Entry, key, manifest::DataFile};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

/// Races that a commit may lose. Each one is a commit of another writer, so this many are never lost by accident.
const MAX_RACES: usize = 64;

/// Data files checked concurrently.
const HEADS: usize = 16;

/// What is to be committed: a manifest without number, link and files, which the commit adds.
pub trait Draft: Sync {
    /// The manifest that it becomes.
    type Record: CommitRecord;

    /// The digest of the document that identifies the root.
    fn identity(&self) -> Option<Sha256>;

    /// The manifest of `chain` that has committed the same, by another writer or by a call whose response was lost.
    fn committed<'a>(&self, chain: &'a Chain<Self::Record>) -> Option<&'a Entry<Self::Record>>;

    /// The manifest that continues `chain` with `files`, unless it contradicts itself or the chain.
    fn manifest(
        &self,
        chain: &Chain<Self::Record>,
        files: Vec<<Self::Record as CommitRecord>::File>,
    ) -> Result<Self::Record>;
}

/// The result of a commit. Either way the archive has what was to be committed.
#[derive(Clone, Debug)]
pub enum Commit<M = Manifest> {
    /// Committed by this manifest with the given files.
    Done(Entry<M>),
    /// Committed before, by another writer or by a call whose response was lost. Given files that this manifest does
    /// not name are orphans.
    Already(Entry<M>),
}

impl<M> Commit<M> {
    /// The manifest, with the digest of its bytes.
    pub const fn entry(&self) -> &Entry<M> {
        match self {
            Self::Done(entry) | Self::Already(entry) => entry,
        }
    }
}

impl Sink {
    /// Commits `draft` with `files` as the successor of the current head of the chain.
    ///
    /// The end of `chain` was confirmed ([`Sink::confirm_end`]). Before each try it catches up with the store; afterwards
    /// it includes the commit. Checks right before that every file exists.
    /// After `Ok` every reader sees the manifest and all of its files. After an error the commit may have happened, or
    /// may happen when a pending request arrives: call it again to find out.
    ///
    /// | the store after the put of manifest *n* ([`Sink::create_document`]) | result |
    /// |---|---|
    /// | *n* holds our bytes | committed |
    /// | *n* holds another manifest, and the chain includes what was to be committed now | already committed |
    /// | *n* holds another manifest, of something else | try again as head + 1 |
    /// | *n* is absent, and the store keeps failing | an error |
    /// | the chain is broken | an error: a broken chain is never continued |
    ///
    /// `SHA256SUMS` follow the commit. Failures to write them into a bucket are logged, and [`Sink::complete_sums`] adds
    /// them later.
    pub async fn commit<D: Draft>(
        &self,
        chain: &mut Chain<D::Record>,
        draft: &D,
        files: &[StoredFile<<D::Record as CommitRecord>::File>],
    ) -> Result<Commit<D::Record>> {
        uuid::Uuid::parse_str(chain.archive()).map_err(|error| {
            let error = Error::new(ErrorKind::Internal, "a commit into an archive without identity").with_source(error);
            error.with_context("archive", self.url())
        })?;
        for _ in 0..MAX_RACES {
            let known = chain.head();
            self.catch_up(chain).await?;
            self.flush_head(chain).await?;
            if let Some(entry) = draft.committed(chain) {
                return Ok(Commit::Already(entry.clone()));
            }
            // Another writer's manifest, which this one has read once.
            if chain.head() != known
                && let Some(identity) = draft.identity()
            {
                self.confirm_end(chain, identity).await?;
            }
            if let Err(missing) = self.check_stored(files).await {
                // The winner of a race for the same may have removed our files as orphans.
                self.catch_up(chain).await?;
                self.flush_head(chain).await?;
                return draft.committed(chain).cloned().map(Commit::Already).ok_or(missing);
            }
            let manifest = draft.manifest(chain, files.iter().map(|stored| stored.file().clone()).collect())?;
            let bytes = Bytes::from(manifest.to_bytes());
            if bytes.len() as u64 > LARGEST_DOCUMENT {
                let error = Error::new(ErrorKind::Incomplete, "the manifest would be too large to be read again");
                return Err(error
                    .with_context("bytes", bytes.len())
                    .with_hint("nothing was committed; use larger parts"));
            }
            let found = self.create_document(&key::manifest(manifest.sequence()), bytes.clone()).await?;
            if found == bytes {
                let entry = Entry { sha256: Sha256::digest(&bytes), manifest };
                return self.finish(chain, entry).await;
            }
        }
        let error = Error::new(ErrorKind::Store, "lost every race for the next manifest");
        Err(error
            .with_context("archive", self.url())
            .with_hint("find out which other writers use the archive, and run again"))
    }

    async fn finish<M: CommitRecord>(&self, chain: &mut Chain<M>, entry: Entry<M>) -> Result<Commit<M>> {
        chain.push(entry.clone()).map_err(|broken| {
            Error::new(ErrorKind::Internal, "committed a manifest that does not continue the chain").with_source(broken)
        })?;
        if let Err(error) = self.put_sums(&entry).await {
            // On a disk that fails, more may be lost than these.
            if self.directory.is_some() {
                return Err(error);
            }
            tracing::warn!(sequence = entry.manifest.sequence(), %error, "could not add SHA256SUMS; a later run will");
        }
        Ok(Commit::Done(entry))
    }

    /// Looks at every file, without reading it. Fails with [`ErrorKind::BrokenChain`] if one is missing or has another
    /// size.
    pub async fn check_files(&self, files: &[DataFile]) -> Result<()> {
        let heads = stream::iter(files.to_vec()).map(|file| async move {
            if self.head(&file.path).await? == Some(file.bytes) { Ok(()) } else { Err(self.damaged(file.object())) }
        });
        heads.buffered(HEADS).try_collect().await
    }

    async fn check_stored<F: FileRecord>(&self, files: &[StoredFile<F>]) -> Result<()> {
        let heads = stream::iter(files.to_vec()).map(|file| self.check_file(file)).buffered(HEADS);
        heads.try_collect().await
    }

    async fn check_file<F: FileRecord>(&self, stored: StoredFile<F>) -> Result<()> {
        let file = stored.file().object();
        match self.head(file.path).await? {
            Some(bytes) if bytes == file.bytes => Ok(()),
            Some(_) => Err(self.object_error("changed its size before the commit", file.path)),
            None => Err(self.object_error("vanished before the commit", file.path)),
        }
    }
}

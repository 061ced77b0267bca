//! The commit protocol: a manifest is created if absent.

use super::{Sink, StoredFile};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, Manifest, Month, Schema, Sha256, Timestamp, Window,
    chain::Entry,
    key,
    manifest::{CommitKind, DataFile, EventCounts, FORMAT, Link, SourceRecord, Tool},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

/// Races that a commit may lose. Each one is a commit of another writer, so this many are never lost by accident.
const MAX_RACES: usize = 64;

/// Data files checked concurrently.
const HEADS: usize = 16;

/// The content of a manifest without number, link and files, which the commit adds.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The digest of `archive.json`. Only the first manifest names it.
    pub archive_sha256: Option<Sha256>,
    /// The kind of commit. Only months are committed at most once.
    pub kind: CommitKind,
    /// The dataset of the month.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The archived half-open interval.
    pub window: Window,
    /// The time of the commit, the same for each try.
    pub committed_at: Timestamp,
    /// The time by the source's clock, where it has one.
    pub source_clock: Option<Timestamp>,
    /// The program that commits.
    pub tool: Tool,
    /// The source of the events.
    pub source: SourceRecord,
    /// The columns, or `None` if no event was archived.
    pub schema: Option<Schema>,
    /// The transforms of the events.
    pub transforms: Vec<Value>,
    /// The counts of events.
    pub events: EventCounts,
    /// Whether columns may have another type than in the dataset's last commit. Not part of the manifest.
    pub accept_schema_change: bool,
}

/// The result of a commit. Either way the month is in the archive.
#[derive(Clone, Debug)]
pub enum Commit {
    /// Committed by this manifest with the given files.
    Done(Entry),
    /// Committed before, by another writer or by a call whose response was lost. Given files that this manifest does
    /// not name are orphans.
    Already(Entry),
}

impl Commit {
    /// The manifest of the month, with the digest of its bytes.
    pub const fn entry(&self) -> &Entry {
        match self {
            Self::Done(entry) | Self::Already(entry) => entry,
        }
    }
}

impl Sink {
    /// Commits `draft` with `files` as the successor of the current head of the chain.
    ///
    /// The end of `chain` was confirmed ([`Sink::confirm_end`]). Before each try it catches up with the store; afterwards
    /// it includes the commit. Refuses counts that do not
    /// add up, and columns of another type unless the draft accepts them. Checks right before that every file exists.
    /// After `Ok` every reader sees the manifest and all of its files. After an error the commit may have happened, or
    /// may happen when a pending request arrives: call it again to find out.
    ///
    /// | the store after the put of manifest *n* ([`Sink::create_document`]) | result |
    /// |---|---|
    /// | *n* holds our bytes | committed |
    /// | *n* holds another manifest, and the chain includes the month now | already committed |
    /// | *n* holds another manifest, for another month | try again as head + 1 |
    /// | *n* is absent, and the store keeps failing | an error |
    /// | the chain is broken | an error: a broken chain is never continued |
    ///
    /// `SHA256SUMS` follow the commit. Failures to write them into a bucket are logged, and [`Sink::complete_sums`] adds
    /// them later.
    pub async fn commit(&self, chain: &mut Chain, draft: &Draft, files: &[StoredFile]) -> Result<Commit> {
        uuid::Uuid::parse_str(chain.archive()).map_err(|error| {
            let error = Error::new(ErrorKind::Internal, "a commit into an archive without identity").with_source(error);
            error.with_context("archive", self.url())
        })?;
        for _ in 0..MAX_RACES {
            let known = chain.head();
            self.catch_up(chain).await?;
            self.flush_head(chain).await?;
            if let Some(entry) = committed(chain, draft) {
                return Ok(Commit::Already(entry));
            }
            // Another writer's manifest, which this one has read once.
            if chain.head() != known
                && let Some(identity) = draft.archive_sha256
            {
                self.confirm_end(chain, identity).await?;
            }
            if let Err(missing) = self.check_stored(files).await {
                // The winner of a race for this month may have removed our files as orphans.
                self.catch_up(chain).await?;
                self.flush_head(chain).await?;
                return committed(chain, draft).map(Commit::Already).ok_or(missing);
            }
            let manifest = draft.manifest(chain, files);
            check_balance(&manifest)?;
            if let Some(schema) = manifest.schema.as_ref().filter(|_| !draft.accept_schema_change) {
                check_types(chain, &manifest.dataset, schema)?;
            }
            let bytes = Bytes::from(manifest.to_bytes());
            let found = self.create_document(&key::manifest(manifest.sequence), bytes.clone()).await?;
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

    async fn finish(&self, chain: &mut Chain, entry: Entry) -> Result<Commit> {
        chain.push(entry.clone()).map_err(|broken| {
            Error::new(ErrorKind::Internal, "committed a manifest that does not continue the chain").with_source(broken)
        })?;
        if let Err(error) = self.put_sums(&entry).await {
            // On a disk that fails, more may be lost than these.
            if self.directory.is_some() {
                return Err(error);
            }
            tracing::warn!(sequence = entry.manifest.sequence, %error, "could not add SHA256SUMS; a later run will");
        }
        Ok(Commit::Done(entry))
    }

    /// Looks at every file, without reading it. Fails with [`ErrorKind::BrokenChain`] if one is missing or has another
    /// size.
    pub async fn check_files(&self, files: &[DataFile]) -> Result<()> {
        let heads = stream::iter(files.to_vec()).map(|file| async move {
            if self.head(&file.path).await? == Some(file.bytes) { Ok(()) } else { Err(self.damaged(&file)) }
        });
        heads.buffered(HEADS).try_collect().await
    }

    async fn check_stored(&self, files: &[StoredFile]) -> Result<()> {
        let heads = stream::iter(files.to_vec()).map(|file| self.check_file(file)).buffered(HEADS);
        heads.try_collect().await
    }

    async fn check_file(&self, stored: StoredFile) -> Result<()> {
        let file = stored.data_file();
        match self.head(&file.path).await? {
            Some(bytes) if bytes == file.bytes => Ok(()),
            Some(_) => Err(self.object_error("changed its size before the commit", &file.path)),
            None => Err(self.object_error("vanished before the commit", &file.path)),
        }
    }
}

fn committed(chain: &Chain, draft: &Draft) -> Option<Entry> {
    let entry = chain.month(&draft.dataset, draft.month).filter(|_| draft.kind == CommitKind::Month);
    entry.cloned()
}

/// Fails if a column of `schema` has another type than in the last schema of the dataset in `chain`. A commit checks
/// again against later commits.
pub fn check_types(chain: &Chain, dataset: &Dataset, schema: &Schema) -> Result<()> {
    let Some((name, before, now)) = chain.last_schema(dataset).and_then(|last| last.contradiction(schema)) else {
        return Ok(());
    };
    let message = format!("column {name} has the type {now}, but was archived as {before} before");
    Err(Error::new(ErrorKind::Incomplete, message)
        .with_context("dataset", dataset)
        .with_hint("archive the new type into a new archive or dataset, or accept it with --accept-schema-change"))
}

fn check_balance(manifest: &Manifest) -> Result<()> {
    manifest.check_balance().map_err(|imbalance| {
        let error = Error::new(ErrorKind::Incomplete, format!("the counts do not add up: {imbalance}"));
        let error = error.with_context("dataset", &manifest.dataset).with_context("month", manifest.month);
        error.with_hint("nothing was committed; run again, and report this if it stays")
    })
}

impl Draft {
    /// The manifest that continues `chain`.
    fn manifest(&self, chain: &Chain, files: &[StoredFile]) -> Manifest {
        let draft = self.clone();
        Manifest {
            format: FORMAT.to_owned(),
            archive: chain.archive().to_owned(),
            archive_sha256: draft.archive_sha256.filter(|_| chain.head().is_none()),
            sequence: chain.next_sequence(),
            previous: chain.head().map(|head| Link { sequence: head.sequence, sha256: head.sha256 }),
            kind: draft.kind,
            dataset: draft.dataset,
            month: draft.month,
            window: draft.window,
            committed_at: draft.committed_at,
            source_clock: draft.source_clock,
            tool: draft.tool,
            source: draft.source,
            schema: draft.schema,
            transforms: draft.transforms,
            events: draft.events,
            files: files.iter().map(|stored| stored.data_file().clone()).collect(),
        }
    }
}

//! The commit: one manifest, created where none is.

use super::{Sink, StoredFile};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, Manifest, Month, Schema, Sha256, Timestamp, Window,
    chain::Entry,
    key,
    manifest::{CommitKind, EventCounts, FORMAT, Link, SourceRecord, Tool},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

/// Races that a commit may lose. Each one lost is a commit of somebody else, so this many are never lost by accident.
const MAX_RACES: usize = 64;

/// Data files that are looked for at once.
const HEADS: usize = 16;

/// What a manifest says, but for what the commit itself decides: its number, its link, and the files.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What kind of commit it is. Only months are committed at most once.
    pub kind: CommitKind,
    /// The dataset that the month belongs to.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The half-open interval that was archived.
    pub window: Window,
    /// The time of the commit. It stays the same however often the commit has to be tried.
    pub committed_at: Timestamp,
    /// What the source's clock showed, where it has one.
    pub source_clock: Option<Timestamp>,
    /// The program.
    pub tool: Tool,
    /// Where the events came from.
    pub source: SourceRecord,
    /// The columns; none when no event was archived.
    pub schema: Option<Schema>,
    /// What was done to the events on the way.
    pub transforms: Vec<Value>,
    /// The counts.
    pub events: EventCounts,
    /// Whether columns may have another type than in the dataset's last commit. No manifest says so.
    pub accept_schema_change: bool,
}

/// How a commit ended. Either way the month is in the archive.
#[derive(Clone, Debug)]
pub enum Commit {
    /// By this manifest, with these files.
    Done(Entry),
    /// By a manifest that was there before, of another writer or of a call whose answer was lost. Files of ours that it
    /// does not name are orphans now.
    Already(Entry),
}

impl Commit {
    /// The manifest that commits the month, with the digest of its bytes.
    pub const fn entry(&self) -> &Entry {
        match self {
            Self::Done(entry) | Self::Already(entry) => entry,
        }
    }
}

impl Sink {
    /// Commits `draft` with `files`, as the successor of whatever is the head of the chain by then.
    ///
    /// `chain` is what the caller knows of the chain; it is caught up with the store before each try and holds the
    /// commit afterwards. Counts that do not add up are refused, and so are columns of another type, unless the
    /// draft accepts them. Every file is looked for right before. After `Ok` every reader sees the manifest and all of
    /// its files; after an error the commit may still have happened, or happen when a request that is under way
    /// arrives: calling it again, in this run or another, finds out.
    ///
    /// | the store after the put of manifest *n* ([`Sink::create_document`]) | next |
    /// |---|---|
    /// | *n* holds our bytes | committed |
    /// | *n* holds another manifest, and the month is in the chain now | already committed |
    /// | *n* holds another manifest, for another month | the same again as head + 1 |
    /// | nothing at *n*, and the store keeps failing | an error |
    /// | the chain is broken | an error: a broken chain is never continued |
    ///
    /// `SHA256SUMS` follow the commit. If they cannot be written that is only logged: [`Sink::complete_sums`] adds them.
    pub async fn commit(&self, chain: &mut Chain, draft: &Draft, files: &[StoredFile]) -> Result<Commit> {
        for _ in 0..MAX_RACES {
            self.catch_up(chain).await?;
            if let Some(entry) = committed(chain, draft) {
                return Ok(Commit::Already(entry));
            }
            if let Err(missing) = self.look_for(files).await {
                // Whoever commits a month removes the files of those who lost.
                self.catch_up(chain).await?;
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
        Err(error.with_context("archive", self.url()).with_hint("see who else writes to the archive, and run again"))
    }

    async fn finish(&self, chain: &mut Chain, entry: Entry) -> Result<Commit> {
        chain.push(entry.clone()).map_err(|broken| {
            Error::new(ErrorKind::Internal, "committed a manifest that does not continue the chain").with_source(broken)
        })?;
        if let Err(error) = self.put_sums(&entry).await {
            tracing::warn!(sequence = entry.manifest.sequence, %error, "could not add SHA256SUMS, a later run will");
        }
        Ok(Commit::Done(entry))
    }

    async fn look_for(&self, files: &[StoredFile]) -> Result<()> {
        let heads = stream::iter(files.to_vec()).map(|file| self.look_for_one(file)).buffered(HEADS);
        heads.try_collect().await
    }

    async fn look_for_one(&self, stored: StoredFile) -> Result<()> {
        let file = stored.data_file();
        match self.head(&file.path).await? {
            Some(bytes) if bytes == file.bytes => Ok(()),
            Some(_) => Err(self.gone("changed its size before the commit", &file.path)),
            None => Err(self.gone("vanished before the commit", &file.path)),
        }
    }
}

fn committed(chain: &Chain, draft: &Draft) -> Option<Entry> {
    let entry = chain.month(&draft.dataset, draft.month).filter(|_| draft.kind == CommitKind::Month);
    entry.cloned()
}

/// Whether `schema` may follow the last one of the dataset in `chain`: a column has one type in all of a dataset. A
/// commit asks again for what has been committed since.
pub fn check_types(chain: &Chain, dataset: &Dataset, schema: &Schema) -> Result<()> {
    let Some((name, before, now)) = chain.last_schema(dataset).and_then(|last| last.contradiction(schema)) else {
        return Ok(());
    };
    let message = format!("column {name} has the type {now}, but was archived as {before} before");
    Err(Error::new(ErrorKind::Incomplete, message).with_context("dataset", dataset).with_hint(
        "archive the new form into a new place or dataset, or take it into this one with --accept-schema-change",
    ))
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

//! One month, from the source to the manifest.

use crate::{
    Archive,
    config::Policy,
    duplicates::{Repetitions, Verdict},
    monitoring::spans,
    settings::{PART_SIZE, RowRules},
    stage::{
        self,
        encode::{Encoded, Target},
    },
    transform::Transforms,
};
use archive_connectors::{
    Clock, Error, ErrorKind, EventStream, Progress, Result, Sink, Source,
    error::local,
    progress::{DatasetMonth, Silent},
    retry::{self, Attempts},
    sink::{Commit, MonthDraft, StoredFile, check_types},
};
use archive_formats::{
    Dataset, FileFormat, Month, Sha256,
    encode::parquet::Label,
    manifest::{CommitKind, EventCounts, SourceIdentity, SourceRecord, Tool},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard};

/// Archives months of one source into one archive. Safe to use for several months concurrently.
#[derive(Debug)]
pub struct MonthPipeline {
    /// The event source.
    source: Arc<dyn Source>,
    /// The archive. Commits extend its chain, one at a time.
    archive: Mutex<Archive>,
    /// The archive's store, for uploads that must not wait for a commit.
    sink: Sink,
    /// The archive's UUID.
    archive_id: String,
    /// The digest of its `archive.json`.
    archive_sha256: Sha256,
    clock: Arc<dyn Clock>,
    /// Receives progress.
    pub progress: Arc<dyn Progress>,
    /// The formats to write.
    pub formats: BTreeSet<FileFormat>,
    /// Transforms applied to events.
    pub transforms: Arc<Transforms>,
    /// Rules for rows and months that may be committed.
    pub rules: RowRules,
    /// Size in bytes at which a file ends and the next begins.
    pub part_size: u64,
    /// The sources that this one takes over from, by dataset.
    pub changes: BTreeMap<Dataset, SourceIdentity>,
    /// An existing local folder for staged files.
    staging: PathBuf,
}

/// A month whose files are stored, but whose manifest is not.
#[derive(Debug)]
pub struct Ready {
    draft: MonthDraft,
    files: Vec<StoredFile>,
}

impl MonthPipeline {
    /// Creates a pipeline that writes Parquet and reports no progress. Set the public fields to change that.
    pub fn new(archive: Archive, source: Arc<dyn Source>, clock: Arc<dyn Clock>, staging: PathBuf) -> Self {
        Self {
            source,
            sink: archive.sink().clone(),
            archive_id: archive.id().to_owned(),
            archive_sha256: archive.identity_sha256(),
            archive: Mutex::new(archive),
            clock,
            progress: Arc::new(Silent),
            formats: BTreeSet::from([FileFormat::Parquet]),
            transforms: Arc::default(),
            rules: RowRules::default(),
            part_size: PART_SIZE,
            changes: BTreeMap::new(),
            staging,
        }
    }

    /// The archive, including every commit of this pipeline.
    pub async fn archive(&self) -> MutexGuard<'_, Archive> {
        self.archive.lock().await
    }

    /// The archive and the source, after all months have finished.
    pub(crate) fn into_parts(self) -> (Archive, Arc<dyn Source>) {
        (self.archive.into_inner(), self.source)
    }

    /// Reads, encodes and stores a month. Nothing is visible to readers yet; dropping the future discards the month.
    pub async fn prepare(&self, dataset: &Dataset, month: Month) -> Result<Ready> {
        let staging = tempfile::Builder::new().prefix("month-").tempdir_in(&self.staging);
        let staging = staging.map_err(local("make a staging folder", &self.staging))?;
        let target = Target {
            label: Label { archive: self.archive_id.clone(), dataset: dataset.clone(), month },
            formats: self.formats.clone(),
            keep_rejects: self.rules.rejects == Policy::Keep,
            part_size: self.part_size,
            plain_encodings: self.transforms.plain_types,
            sink: self.sink.clone(),
            folder: staging.path().to_owned(),
        };
        let span = spans::encode();
        let encoded = spans::within(span.clone(), self.encode_once_whole(&target)).await;
        self.source.release(dataset, month.window());
        let (mut encoded, conflicts) = encoded?;
        span.record("read", encoded.report.read).record("archived", encoded.archived);
        drop(span);
        self.accept(dataset, &encoded).await?;
        let mut staged = std::mem::take(&mut encoded.files);
        let is_empty = encoded.archived == 0 && encoded.rejected == 0;
        if self.formats.contains(&FileFormat::Artifact) && !is_empty {
            let work = stage::artifact::stage(encoded.report.artifacts.clone(), &target);
            staged.extend(spans::within(spans::artifact(), work).await?);
        }
        let subject = DatasetMonth { dataset: dataset.clone(), month }.into();
        let schema = encoded.schema.as_ref();
        let work = stage::store::store(staged, schema, &self.sink, &subject, self.progress.as_ref());
        let files = spans::within(spans::store(), work).await?;
        Ok(Ready { draft: self.draft(&target, &encoded, conflicts), files })
    }

    /// Commits a prepared month. Must not be cancelled: see [`Sink::commit`].
    pub async fn commit(&self, ready: Ready) -> Result<Commit> {
        let Ready { draft, files } = ready;
        let work = stage::store::commit(&self.archive, &draft, &files);
        let commit = spans::within(spans::commit(), work).await?;
        self.source.on_committed(&draft.dataset, draft.window);
        Ok(commit)
    }

    /// Encodes the month's events, restarting if the source lost its snapshot: a month never mixes two snapshots.
    async fn encode_once_whole(&self, target: &Target) -> Result<(Encoded, u64)> {
        let mut attempts = Attempts::new(retry::Policy::per_window());
        loop {
            match self.encode(target).await {
                Err(error) if error.kind() == ErrorKind::SnapshotLost => attempts.pause(error).await?,
                outcome => return outcome,
            }
        }
    }

    /// Encodes the month's events without duplicates. Returns how many of them share an id.
    async fn encode(&self, target: &Target) -> Result<(Encoded, u64)> {
        let first = stage::encode::encode(self.read(target), Repetitions::default(), target).await?;
        if first.suspects.is_empty() || self.stops(&first) {
            return Ok((first, 0));
        }
        let Verdict { repetitions, conflicts, examples } =
            spans::within(spans::compare(), stage::read::compare(self.read(target), first.suspects)).await?;
        if conflicts > 0 && self.rules.conflicts == Policy::Fail {
            return Err(conflicting(conflicts, &examples));
        }
        let second = stage::encode::encode(self.read(target), repetitions, target).await?;
        if second.suspects.len() != conflicts || second.report.read != first.report.read {
            return Err(Error::new(ErrorKind::TryLater, "the source changed while it was read"));
        }
        Ok((second, conflicts))
    }

    fn read(&self, target: &Target) -> EventStream {
        let feed = stage::read::read(self.source.as_ref(), &target.label.dataset, target.label.month.window());
        stage::read::transform(feed, Arc::clone(&self.transforms))
    }

    /// Returns whether rejected rows prevent the commit.
    fn stops(&self, encoded: &Encoded) -> bool {
        encoded.rejected > 0 && self.rules.rejects == Policy::Fail
    }

    /// Rejects a month with unaccounted rows, without events, or with a column whose type changed since the last month,
    /// as the rules require.
    async fn accept(&self, dataset: &Dataset, encoded: &Encoded) -> Result<()> {
        let Encoded { rejected, rejects, report, .. } = encoded;
        if self.stops(encoded) {
            let named = rejects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let message = format!("{rejected} of {} rows cannot be archived: {named}", report.read);
            return Err(Error::new(ErrorKind::Incomplete, message).with_hint(
                "nothing was committed; have the rows mended at the source, or archive the others with --rejects keep; \
                 --truncate-times us accepts times of more than six digits",
            ));
        }
        if let Some(count) = report.source_count.filter(|count| *count != report.read) {
            let message = format!("the source counts {count} rows, but delivered {}", report.read);
            return Err(Error::new(ErrorKind::Incomplete, message).with_hint("nothing was committed; run again"));
        }
        match &encoded.schema {
            Some(_) if self.rules.accept_schema_change => Ok(()),
            Some(schema) => check_types(self.archive.lock().await.chain(), dataset, schema),
            None if self.rules.allow_empty => Ok(()),
            None => Err(empty(*rejected)),
        }
    }

    fn draft(&self, target: &Target, encoded: &Encoded, conflicts: u64) -> MonthDraft {
        let Encoded { archived, repetitions, rejected, report, .. } = encoded;
        MonthDraft {
            archive_sha256: Some(self.archive_sha256),
            kind: CommitKind::Month,
            dataset: target.label.dataset.clone(),
            month: target.label.month,
            window: target.label.month.window(),
            committed_at: self.clock.now(),
            source_clock: report.source_clock,
            tool: Tool::current(),
            source: SourceRecord {
                kind: self.source.kind().to_owned(),
                url: self.source.url(),
                changed_from: self.changes.get(&target.label.dataset).cloned(),
                detail: report.detail.clone(),
            },
            schema: encoded.schema.as_deref().cloned(),
            transforms: self.transforms.records(),
            events: EventCounts {
                read: report.read,
                archived: *archived,
                outside_window: report.outside_window,
                duplicates: *repetitions,
                conflicts,
                rejected: *rejected,
                source_count: report.source_count,
                first: encoded.first,
                last: encoded.last,
            },
            accept_schema_change: self.rules.accept_schema_change,
        }
    }
}

fn conflicting(conflicts: u64, examples: &[u64]) -> Error {
    let events = examples.iter().map(|ordinal| format!("{}", ordinal + 1)).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Incomplete, format!("conflict: {conflicts} events share an id but not their content"))
        .with_context("events of the month, counted from 1", events)
        .with_hint("nothing was committed; find out which version is right, or archive all with --conflicts keep")
}

/// A month whose rows were all rejected has no events either. Its format probably changed, so it should be read again
/// rather than committed.
fn empty(rejected: u64) -> Error {
    let error = Error::new(ErrorKind::Incomplete, "the month has no events");
    if rejected > 0 {
        let error = error.with_context("rejected rows", rejected);
        return error.with_hint("every row was rejected: see what changed at the source; --allow-empty commits them");
    }
    error.with_hint(
        "an outage, a wrong organisation and a pruned month look the same: check the source; --allow-empty commits it",
    )
}

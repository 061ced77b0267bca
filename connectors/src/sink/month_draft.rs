//! What the commit of a month records.

use super::commit::Draft;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, Manifest, Month, Schema, Sha256, Timestamp, Window,
    chain::Entry,
    manifest::{CommitKind, DataFile, EventCounts, FORMAT, SourceRecord, Tool},
};
use serde_json::Value;

/// The commit of a month.
#[derive(Clone, Debug)]
pub struct MonthDraft {
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

impl Draft for MonthDraft {
    type Record = Manifest;

    fn identity(&self) -> Option<Sha256> {
        self.archive_sha256
    }

    fn committed<'a>(&self, chain: &'a Chain) -> Option<&'a Entry> {
        chain.month(&self.dataset, self.month).filter(|_| self.kind == CommitKind::Month)
    }

    /// Refuses counts that do not add up, and columns of another type unless the draft accepts them.
    fn manifest(&self, chain: &Chain, files: Vec<DataFile>) -> Result<Manifest> {
        let draft = self.clone();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            archive: chain.archive().to_owned(),
            archive_sha256: draft.archive_sha256.filter(|_| chain.head().is_none()),
            sequence: chain.next_sequence(),
            previous: chain.link(),
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
            files,
        };
        check_balance(&manifest)?;
        if let Some(schema) = manifest.schema.as_ref().filter(|_| !self.accept_schema_change) {
            check_types(chain, &manifest.dataset, schema)?;
        }
        Ok(manifest)
    }
}

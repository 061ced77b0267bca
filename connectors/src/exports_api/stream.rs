//! One read of a window: its artifacts, one after the other, as a stream of events.

use super::{
    artifact::{Artifact, SpoolMetadata, WholeArtifact},
    config::Config,
    fetch::{Fetched, Fetcher},
};
use crate::{
    Error, ErrorKind, EventStream, LocalArtifact, Result, SourceItem, SourceReport,
    artifact::{Chunks, DecodedChunk, WindowFilter},
    http,
    progress::{Meter, Step},
};
use archive_formats::{Dataset, Sha256, Timestamp, Window};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc};

/// The state of a read between two items.
struct WindowRead {
    fetcher: Arc<Fetcher>,
    dataset: Dataset,
    meter: Meter,
    /// Whether the address of the API was checked.
    checked: bool,
    /// Windows to read, in order.
    windows: VecDeque<Window>,
    current: Option<CurrentArtifact>,
    /// Items of the last chunk.
    items: VecDeque<SourceItem>,
    totals: Totals,
    reported: bool,
}

/// The artifact that is being decoded.
struct CurrentArtifact {
    window: Window,
    artifact: Arc<Artifact>,
    chunks: Chunks<DecodedChunk>,
    rows: u64,
    /// First line of the next chunk.
    line: u64,
}

#[derive(Default)]
struct Totals {
    read: u64,
    outside: u64,
    /// What the jobs claim, or the rows read where a job claims nothing.
    claimed: u64,
    any_claim: bool,
    server_clock: Option<Timestamp>,
    jobs: Vec<Value>,
    artifacts: Vec<LocalArtifact>,
    layout: Option<Value>,
    schema: Option<Sha256>,
}

/// The events of `window` as a stream.
pub(super) fn stream(fetcher: Arc<Fetcher>, dataset: Dataset, window: Window, meter: Meter) -> EventStream {
    let read = WindowRead {
        fetcher,
        dataset,
        meter,
        checked: false,
        windows: VecDeque::from([window]),
        current: None,
        items: VecDeque::new(),
        totals: Totals::default(),
        reported: false,
    };
    // After an error this kind of stream yields nothing more.
    stream::try_unfold(read, |read| Box::pin(read.next())).boxed()
}

impl WindowRead {
    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some((item, self)));
            }
            if let Some(current) = &mut self.current {
                match current.next().await {
                    Ok(Some(chunk)) => self.take(chunk)?,
                    Ok(None) => self.finish_artifact()?,
                    Err(error) => return Err(self.give_up(error)),
                }
            } else if let Some(window) = self.windows.pop_front() {
                self.open(window).await?;
            } else if self.reported {
                return Ok(None);
            } else {
                self.reported = true;
                let report = std::mem::take(&mut self.totals).into_report(&self.fetcher.config);
                return Ok(Some((SourceItem::Report(report), self)));
            }
        }
    }

    async fn open(&mut self, window: Window) -> Result<()> {
        let Config { base, allow_http, format, rules, margin, .. } = &self.fetcher.config;
        if !self.checked {
            http::require_tls(base, *allow_http, ErrorKind::Configuration).await?;
            self.checked = true;
        }
        match self.fetcher.fetch(&self.dataset, window, &self.meter).await? {
            Fetched::Halves(first, second) => {
                self.windows.push_front(second);
                self.windows.push_front(first);
            }
            Fetched::Artifact(artifact) => {
                self.meter.step(Step::Decode, Some(artifact.spooled.bytes));
                let filter = WindowFilter { window, margin: Some(*margin) };
                let chunks = artifact.decode(format.syntax(), rules, filter).await;
                let chunks = chunks.map_err(|error| self.discard(window, &artifact, error))?;
                self.current = Some(CurrentArtifact { window, artifact, chunks, rows: 0, line: 1 });
            }
        }
        Ok(())
    }

    fn take(&mut self, chunk: DecodedChunk) -> Result<()> {
        self.meter.advance(chunk.progress);
        self.totals.outside += chunk.outside;
        if let Some(batch) = &chunk.events {
            let schema = batch.schema().sha256();
            if *self.totals.schema.get_or_insert(schema) != schema {
                return Err(
                    self.give_up(Error::new(ErrorKind::Source, "the columns changed between two parts of the window"))
                );
            }
        }
        self.items.extend(chunk.events.map(SourceItem::Batch));
        self.items.extend(chunk.rejects.into_iter().map(SourceItem::Reject));
        Ok(())
    }

    /// Compares each artifact with the count of its own job: over the parts of a window, two wrong counts might add up.
    fn finish_artifact(&mut self) -> Result<()> {
        let Some(CurrentArtifact { window, artifact, chunks, rows, .. }) = &self.current else { return Ok(()) };
        match chunks.summary().and_then(|summary| artifact.verify(summary, *rows)) {
            Ok(whole) => self.totals.add(&whole),
            Err(error) => return Err(self.give_up(error)),
        }
        if *rows == 0 {
            // An empty month is not committed, and the next run asks the server again.
            self.fetcher.disown(&self.dataset, *window);
        }
        self.current = None;
        Ok(())
    }

    fn give_up(&mut self, error: Error) -> Error {
        match self.current.take() {
            Some(CurrentArtifact { window, artifact, .. }) => self.discard(window, &artifact, error),
            None => error,
        }
    }

    fn discard(&self, window: Window, artifact: &Artifact, error: Error) -> Error {
        self.fetcher.discard(&self.dataset, window, error.kind());
        error.with_context("job", &artifact.metadata.job)
    }
}

impl CurrentArtifact {
    /// The next chunk, with lines of the artifact.
    async fn next(&mut self) -> Result<Option<DecodedChunk>> {
        let Some(mut chunk) = self.chunks.next().await? else { return Ok(None) };
        chunk.rejects.iter_mut().for_each(|reject| reject.line += self.line);
        self.line += chunk.lines;
        self.rows += chunk.rows;
        Ok(Some(chunk))
    }
}

impl Totals {
    fn add(&mut self, whole: &WholeArtifact<'_>) {
        let WholeArtifact { artifact: Artifact { spooled, metadata }, summary, rows } = *whole;
        let SpoolMetadata { job, endpoints, status_words, server_clock, gzip, .. } = metadata;
        self.read += rows;
        self.claimed += metadata.rows.unwrap_or(rows);
        self.any_claim |= metadata.rows.is_some();
        self.server_clock = server_clock.or(self.server_clock);
        self.artifacts.push(LocalArtifact {
            path: spooled.path.clone(),
            kind: summary.kind,
            gzip: *gzip,
            rows,
            bytes: spooled.bytes,
            sha256: spooled.sha256,
        });
        self.layout = Some(json!(endpoints));
        self.jobs.push(json!({
            "id": job,
            "artifact_bytes": spooled.bytes,
            "artifact_sha256": spooled.sha256,
            "gzip": gzip,
            "status_words": status_words,
        }));
    }

    fn into_report(self, config: &Config) -> SourceReport {
        SourceReport {
            read: self.read,
            outside_window: self.outside,
            source_count: self.any_claim.then_some(self.claimed),
            source_clock: self.server_clock,
            artifacts: self.artifacts,
            detail: config
                .rules
                .record(json!({"layout": self.layout, "jobs": self.jobs, "margin_seconds": config.margin.as_secs()})),
        }
    }
}

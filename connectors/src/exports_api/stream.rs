//! One read of a window: its artifacts, one after the other, as a stream of events.

use super::{
    Inner,
    artifact::{Artifact, Note, Piece},
    fetch::Fetched,
};
use crate::{
    Error, ErrorKind, EventStream, LocalArtifact, Result, SourceItem, SourceReport,
    artifact::{Keep, Part},
    plain_http,
    progress::{Meter, Step},
};
use archive_formats::{ArtifactKind, Dataset, Sha256, Timestamp, Window};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc};

/// The state of a read between two items.
struct Reading {
    inner: Arc<Inner>,
    dataset: Dataset,
    meter: Meter,
    /// Windows that are still to be read, in order.
    windows: VecDeque<Window>,
    current: Option<Current>,
    /// Items of the last piece.
    items: VecDeque<SourceItem>,
    totals: Totals,
    reported: bool,
}

/// An artifact that is being decoded.
struct Current {
    window: Window,
    artifact: Arc<Artifact>,
    pieces: BoxStream<'static, Result<Part<Piece, ArtifactKind>>>,
    rows: u64,
}

#[derive(Default)]
struct Totals {
    read: u64,
    outside: u64,
    /// What the jobs say; rows that were read count where a job says nothing.
    claimed: u64,
    any_claim: bool,
    server_clock: Option<Timestamp>,
    jobs: Vec<Value>,
    artifacts: Vec<LocalArtifact>,
    layout: Option<Value>,
    schema: Option<Sha256>,
}

/// The events of `window` as a stream.
pub(super) fn stream(inner: Arc<Inner>, dataset: Dataset, window: Window, meter: Meter) -> EventStream {
    let reading = Reading {
        inner,
        dataset,
        meter,
        windows: VecDeque::from([window]),
        current: None,
        items: VecDeque::new(),
        totals: Totals::default(),
        reported: false,
    };
    let checked = async move {
        plain_http::check(&reading.inner.base, reading.inner.allow_http, ErrorKind::Configuration).await?;
        // After an error this kind of stream yields nothing more.
        Ok(stream::try_unfold(reading, |reading| Box::pin(reading.next())))
    };
    stream::once(checked).try_flatten().boxed()
}

impl Reading {
    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some((item, self)));
            }
            if let Some(current) = &mut self.current {
                match current.pieces.next().await {
                    Some(Ok(Part::Piece(piece))) => self.take(piece)?,
                    Some(Ok(Part::End(kind))) => self.finish_artifact(kind)?,
                    Some(Err(error)) => return Err(self.give_up(error)),
                    None => return Err(Error::new(ErrorKind::Internal, "the artifact stopped before its end")),
                }
            } else if let Some(window) = self.windows.pop_front() {
                self.open(window).await?;
            } else if self.reported {
                return Ok(None);
            } else {
                self.reported = true;
                let report = std::mem::take(&mut self.totals).into_report(&self.inner);
                return Ok(Some((SourceItem::Report(report), self)));
            }
        }
    }

    async fn open(&mut self, window: Window) -> Result<()> {
        match self.inner.fetch(&self.dataset, window, &self.meter).await? {
            Fetched::Halves(first, second) => {
                self.windows.push_front(second);
                self.windows.push_front(first);
            }
            Fetched::Artifact(artifact) => {
                self.meter.step(Step::Decode, Some(artifact.spooled.bytes));
                let keep = Keep { window, margin: Some(self.inner.margin) };
                let syntax = self.inner.format.syntax();
                let pieces = Arc::clone(&artifact).pieces(syntax, self.inner.keys.clone(), keep);
                self.current = Some(Current { window, artifact, pieces, rows: 0 });
            }
        }
        Ok(())
    }

    fn take(&mut self, piece: Piece) -> Result<()> {
        let Piece { kept, rejects, rows, bytes } = piece;
        self.meter.advance(bytes);
        self.totals.outside += kept.outside;
        if let Some(current) = &mut self.current {
            current.rows += rows;
        }
        if let Some(batch) = &kept.batch {
            let schema = batch.schema().sha256;
            if *self.totals.schema.get_or_insert(schema) != schema {
                return Err(
                    self.give_up(Error::new(ErrorKind::Source, "the columns changed between two parts of the window"))
                );
            }
        }
        self.items.extend(kept.batch.map(SourceItem::Batch));
        self.items.extend(rejects.into_iter().map(SourceItem::Reject));
        Ok(())
    }

    /// Every artifact is held to the count of its own job: over the parts of a window, two wrong counts might add up.
    fn finish_artifact(&mut self, kind: ArtifactKind) -> Result<()> {
        let Some(Current { window, artifact, rows, .. }) = &self.current else { return Ok(()) };
        if let Some(claimed) = artifact.note.rows.filter(|claimed| claimed != rows) {
            let message = format!("the export job counts {claimed} rows, but its artifact has {rows}");
            let hint = "nothing was committed; run again for a new job";
            return Err(self.give_up(Error::new(ErrorKind::Incomplete, message).with_hint(hint)));
        }
        self.totals.add(artifact, kind, *rows);
        if *rows == 0 {
            // An empty month is not committed, and the next run shall see what the server says then.
            self.inner.disown(&self.dataset, *window);
        }
        self.current = None;
        Ok(())
    }

    fn give_up(&mut self, error: Error) -> Error {
        match self.current.take() {
            Some(Current { window, artifact, .. }) => {
                self.inner.discard(&self.dataset, window, error.kind());
                error.with_context("job", &artifact.note.job)
            }
            None => error,
        }
    }
}

impl Totals {
    fn add(&mut self, artifact: &Artifact, kind: ArtifactKind, rows: u64) {
        let Artifact { spooled, note } = artifact;
        let Note { job, endpoints, status_words, server_clock, gzip, .. } = note;
        self.read += rows;
        self.claimed += note.rows.unwrap_or(rows);
        self.any_claim |= note.rows.is_some();
        self.server_clock = server_clock.or(self.server_clock);
        self.artifacts.push(LocalArtifact {
            path: spooled.path.clone(),
            kind,
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

    fn into_report(self, inner: &Inner) -> SourceReport {
        SourceReport {
            read: self.read,
            outside_window: self.outside,
            source_count: self.any_claim.then_some(self.claimed),
            source_clock: self.server_clock,
            artifacts: self.artifacts,
            detail: json!({"layout": self.layout, "jobs": self.jobs, "margin_seconds": inner.margin.as_secs()}),
        }
    }
}

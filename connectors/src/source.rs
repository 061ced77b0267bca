//! The port that events come in by, and its contract.

use crate::Result;
use archive_formats::{ArtifactKind, Dataset, EventBatch, Reject, Sha256, Timestamp, Window};
use futures::stream::BoxStream;
use serde_json::Value;
use std::{fmt, path::PathBuf};

/// Where events come from.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The connector's name, as manifests record it: `exports-api`, `demo`, ….
    fn kind(&self) -> &'static str;

    /// The source's address without user, password and query.
    fn url(&self) -> String;

    /// The events of `dataset` in `window`, which never crosses a month.
    ///
    /// The stream yields every event of the window, and none outside it, in an order that is the same each time; rows
    /// that cannot become events are yielded as [`SourceItem::Reject`]. All batches have one schema. The last item, and
    /// only the last, is one [`SourceItem::Report`]: a stream that ends without it was cut short, and nothing of it may
    /// be committed. After an error the stream yields nothing more.
    ///
    /// Dropping the stream cancels the work. `read` may be called again for the same window, also while an earlier
    /// stream is alive: it yields the same events as long as the source holds them.
    fn read(&self, dataset: &Dataset, window: Window) -> EventStream;

    /// Called when `window` is not read again in this run, whether or not it is committed: what another `read` would
    /// need of the server, such as a transaction that holds a snapshot, may go.
    fn release(&self, _dataset: &Dataset, _window: Window) {}

    /// Called once the events of `window` are committed: what the source kept for another `read` may go. Failures are
    /// the source's own to log; they cost disk, never data.
    fn settle(&self, dataset: &Dataset, window: Window);
}

/// Events on their way in.
pub type EventStream = BoxStream<'static, Result<SourceItem>>;

/// What a source yields.
#[derive(Debug)]
pub enum SourceItem {
    /// Events, never none.
    Batch(EventBatch),
    /// A row that cannot become an event.
    Reject(Reject),
    /// The end: all that the source had was yielded.
    Report(SourceReport),
}

/// An artifact on the local disk, as it was delivered. It stays there until [`Source::settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalArtifact {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is once it is unpacked.
    pub kind: ArtifactKind,
    /// Whether it was delivered as gzip.
    pub gzip: bool,
    /// Rows that it holds, those outside the window and rejects included.
    pub rows: u64,
    /// Size of the delivered bytes.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Sha256,
}

/// What a source says at the end of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceReport {
    /// Rows that were read: those yielded as events, as rejects, and those outside the window.
    pub read: u64,
    /// Rows whose time lies outside the window, within the margin that was asked for.
    pub outside_window: u64,
    /// How many rows the source itself says there are, of all that was read. A different `read` is never committed.
    pub source_count: Option<u64>,
    /// What the source's clock showed, where it has one.
    pub source_clock: Option<Timestamp>,
    /// The artifacts that the rows were read from, in their order; none where the source has no such thing.
    pub artifacts: Vec<LocalArtifact>,
    /// For the manifest: jobs, artifacts, layout, snapshot. No secret and no query string.
    pub detail: Value,
}

//! The contract of a source of events.

use crate::Result;
use archive_formats::{ArtifactKind, Dataset, EventBatch, Reject, Sha256, Timestamp, Window};
use futures::stream::BoxStream;
use serde_json::Value;
use std::{fmt, path::PathBuf};

/// A source of events.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The connector's name in manifests: `exports-api`, `demo`, ….
    fn kind(&self) -> &'static str;

    /// The URL without user, password and query.
    fn url(&self) -> String;

    /// Reads the events of `dataset` in `window`, which is within one month.
    ///
    /// The stream yields every event of the window and no other, always in the same order, in batches of one schema;
    /// rows that cannot become events are [`SourceItem::Reject`]s. The last item, and only the last, is a
    /// [`SourceItem::Report`]: a stream that ends without it is incomplete and must not be committed. An error ends the
    /// stream.
    ///
    /// Dropping the stream cancels the work. `read` may be called again for the same window, even while an earlier
    /// stream is alive, and yields the same events as long as the source holds them.
    fn read(&self, dataset: &Dataset, window: Window) -> EventStream;

    /// Called when this run does not read `window` again, whether or not it is committed. Frees what another `read`
    /// would need on the server, such as a transaction that holds a snapshot.
    fn release(&self, _dataset: &Dataset, _window: Window) {}

    /// Called once the events of `window` are committed. Frees what the source kept for another `read`. The source logs
    /// failures itself; they cost disk space, never data.
    fn on_committed(&self, dataset: &Dataset, window: Window);
}

/// The stream that [`Source::read`] returns.
pub type EventStream = BoxStream<'static, Result<SourceItem>>;

/// An item of an [`EventStream`].
#[derive(Debug)]
pub enum SourceItem {
    /// The source itself keeps ids unique, so that no two events of the stream share one. Only before the first event.
    UniqueIds,
    /// At least one event.
    Batch(EventBatch),
    /// A row that cannot become an event.
    Reject(Reject),
    /// The end of the stream: the window is complete.
    Report(SourceReport),
}

/// An artifact on the local disk as the source delivered it, kept until [`Source::on_committed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalArtifact {
    /// The local path.
    pub path: PathBuf,
    /// The format after decompression.
    pub kind: ArtifactKind,
    /// Whether it is compressed with gzip.
    pub gzip: bool,
    /// Number of rows, including rejects and rows outside the window.
    pub rows: u64,
    /// Size in bytes, as delivered.
    pub bytes: u64,
    /// The digest of the delivered bytes.
    pub sha256: Sha256,
}

/// The counts and the provenance of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceReport {
    /// Number of rows read: events, rejects, and rows outside the window.
    pub read: u64,
    /// Number of rows whose time is outside the window, within the requested margin.
    pub outside_window: u64,
    /// The number of rows by the source's own count. A `read` that differs is never committed.
    pub source_count: Option<u64>,
    /// The time by the source's clock, where it has one.
    pub source_clock: Option<Timestamp>,
    /// The artifacts that the rows were read from, in order; empty for sources without artifacts.
    pub artifacts: Vec<LocalArtifact>,
    /// Provenance for the manifest: jobs, artifacts, layout, snapshot. Holds no secret and no query string.
    pub detail: Value,
}

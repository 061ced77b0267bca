//! One read of a window: its slices, read by several connections, as one stream of events in the order of the slices.

use super::{Inner, reader, snapshot::Snapshot};
use crate::{
    Error, ErrorKind, EventStream, Result, SourceItem, SourceReport,
    progress::{Meter, Step},
};
use archive_formats::{Dataset, Reject, Window};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reader::{Jobs, Piece};
use std::{collections::VecDeque, sync::Arc};
use tokio::{sync::mpsc, task::JoinSet};

/// Batches of a slice that wait for their turn: all of a slice, as a rule.
const WAITING: usize = 8;

/// Slices that are read or wait at the same time, for each reader.
const UNDERWAY: usize = 2;

/// The state of a read between two items.
struct Reading {
    snapshot: Arc<Snapshot>,
    meter: Meter,
    /// The slices that were not read to their end, in their order.
    slices: VecDeque<mpsc::Receiver<Result<Piece>>>,
    /// Rows of the slices that were.
    ended: u64,
    reported: bool,
    /// They stop when the read does.
    _readers: JoinSet<()>,
}

/// The events of `window` as a stream.
pub(super) fn stream(inner: Arc<Inner>, dataset: Dataset, window: Window, meter: Meter) -> EventStream {
    let begun = async move {
        let snapshot = inner.snapshot(&dataset, window).await?;
        meter.step(Step::Decode, Some(snapshot.rows));
        let reading = Reading::start(&inner, snapshot, meter);
        // What broke one read would break the next.
        let forget = move |_: &Error| inner.forget(&dataset, window);
        // After an error this kind of stream yields nothing more.
        Ok(stream::try_unfold(reading, |reading| Box::pin(reading.next())).inspect_err(forget))
    };
    stream::once(begun).try_flatten().boxed()
}

impl Reading {
    fn start(inner: &Arc<Inner>, snapshot: Arc<Snapshot>, meter: Meter) -> Self {
        let (mut jobs, mut slices) = (VecDeque::new(), VecDeque::new());
        for slice in &snapshot.slices.slices {
            let (sender, receiver) = mpsc::channel(WAITING);
            jobs.push_back((slice.clone(), sender));
            slices.push_back(receiver);
        }
        let count = inner.config.connections.min(jobs.len());
        let jobs = Arc::new(Jobs::new(jobs, count * UNDERWAY));
        let mut readers = JoinSet::new();
        for _ in 0..count {
            readers.spawn(reader::read(Arc::clone(inner), Arc::clone(&snapshot), Arc::clone(&jobs)));
        }
        Self { snapshot, meter, slices, ended: 0, reported: false, _readers: readers }
    }

    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        while let Some(slice) = self.slices.front_mut() {
            match slice.recv().await.transpose()? {
                Some(Piece::Batch(batch)) => {
                    self.meter.advance(batch.len() as u64);
                    return Ok(Some((SourceItem::Batch(batch), self)));
                }
                Some(Piece::Reject(reject)) => {
                    self.meter.advance(1);
                    let line = self.ended + reject.line;
                    return Ok(Some((SourceItem::Reject(Reject { line, ..reject }), self)));
                }
                Some(Piece::End(rows, _turn)) => {
                    self.ended += rows;
                    self.slices.pop_front();
                }
                None => return Err(Error::new(ErrorKind::Internal, "a reader stopped in the middle of a slice")),
            }
        }
        if std::mem::replace(&mut self.reported, true) {
            return Ok(None);
        }
        Ok(Some((SourceItem::Report(self.report()), self)))
    }

    fn report(&self) -> SourceReport {
        SourceReport {
            read: self.ended,
            source_count: Some(self.snapshot.rows),
            source_clock: Some(self.snapshot.source_clock),
            detail: self.snapshot.detail.clone(),
            ..SourceReport::default()
        }
    }
}

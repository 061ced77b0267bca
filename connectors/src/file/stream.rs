//! One read of a window: its chunks, decoded on all cores, as a stream of events.

use super::{
    Inner,
    index::Indexed,
    load::{Load, loads},
    plan::{Plan, Share, with_columns_of},
};
use crate::{
    EventStream, LocalArtifact, Result, SourceItem, SourceReport,
    artifact::{Keep, cores},
    progress::{Meter, Step},
    spool::on_blocking_thread,
};
use archive_formats::{EventBatch, Reject, Schema, Window};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::{Value, json};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// The state of a read between two items.
struct Reading {
    files: Vec<Arc<Indexed>>,
    pieces: BoxStream<'static, Result<Piece>>,
    meter: Meter,
    /// Items of the last piece.
    items: VecDeque<SourceItem>,
    totals: Totals,
    reported: bool,
}

/// A chunk, decoded.
struct Piece {
    share: Arc<Share>,
    events: Option<EventBatch>,
    rejects: Vec<Reject>,
    bytes: u64,
}

#[derive(Default)]
struct Totals {
    /// Events and rejects.
    yielded: u64,
    /// Names of the files that events came from.
    used: HashSet<Arc<str>>,
}

/// The events of `window` as a stream.
pub(super) fn stream(inner: Arc<Inner>, window: Window, meter: Meter) -> EventStream {
    let begun = async move {
        let files = inner.index(&meter).await?;
        files.iter().try_for_each(|file| file.named.unchanged())?;
        let plan = Plan::new(&files, window)?;
        meter.step(Step::Decode, Some(plan.bytes()));
        let pieces = pieces(plan, window, files.len() > 1);
        let (items, totals) = (VecDeque::new(), Totals::default());
        let reading = Reading { files, pieces, meter, items, totals, reported: false };
        // After an error this kind of stream yields nothing more.
        Ok(stream::try_unfold(reading, |reading| Box::pin(reading.next())))
    };
    stream::once(begun).try_flatten().boxed()
}

/// The chunks of `plan`, decoded on all cores. Rejects name their file where there are `several`.
fn pieces(plan: Plan, window: Window, several: bool) -> BoxStream<'static, Result<Piece>> {
    let Plan { files, schema } = plan;
    let loads = stream::iter(files).flat_map(|share| loads(Arc::new(share)));
    let decode = move |load: Result<Load>| {
        let schema = schema.clone();
        async move {
            let load = load?;
            on_blocking_thread(move || decode(load, schema.as_ref(), window, several)).await
        }
    };
    loads.map(decode).buffered(cores()).boxed()
}

fn decode(load: Load, schema: Option<&Arc<Schema>>, window: Window, several: bool) -> Result<Piece> {
    let (share, place) = (Arc::clone(&load.share), load.place.clone());
    let Share { file, opening, .. } = &*share;
    let decoded = opening.decode(&load.chunk()?);
    if decoded.rows != place.rows {
        return Err(file.named.changed());
    }
    let kept = Keep { window, margin: None }.of(decoded.batch)?.batch;
    let events = match schema {
        Some(schema) => kept.map(|batch| with_columns_of(schema, batch)).transpose()?,
        None => kept,
    };
    let belongs = |reject: &Reject| opening.time_of(&reject.row).is_none_or(|time| window.contains(time));
    let named = |reject: Reject| Reject {
        file: several.then(|| Arc::clone(&file.named.name)),
        line: reject.line + place.line,
        ..reject
    };
    let rejects = decoded.rejects.into_iter().filter(belongs).map(named).collect();
    Ok(Piece { events, rejects, bytes: place.length as u64, share: Arc::clone(&share) })
}

impl Reading {
    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some((item, self)));
            }
            match self.pieces.try_next().await? {
                Some(piece) => self.take(piece),
                None if self.reported => return Ok(None),
                None => {
                    self.files.iter().try_for_each(|file| file.named.unchanged())?;
                    self.reported = true;
                    return Ok(Some((SourceItem::Report(self.report()), self)));
                }
            }
        }
    }

    fn take(&mut self, piece: Piece) {
        let Piece { share, events, rejects, bytes } = piece;
        self.meter.advance(bytes);
        if let Some(events) = &events {
            self.totals.yielded += events.len() as u64;
            self.totals.used.insert(Arc::clone(&share.file.named.name));
        }
        self.totals.yielded += rejects.len() as u64;
        self.items.extend(events.map(SourceItem::Batch));
        self.items.extend(rejects.into_iter().map(SourceItem::Reject));
    }

    fn report(&self) -> SourceReport {
        let read = self.files.iter().map(|file| file.survey.rows).sum::<u64>();
        let used = self.files.iter().filter(|file| self.totals.used.contains(&file.named.name));
        SourceReport {
            read,
            outside_window: read - self.totals.yielded,
            source_count: Some(read),
            source_clock: None,
            artifacts: used.map(|file| artifact(file)).collect(),
            detail: json!({"files": self.files.iter().map(|file| detail(file)).collect::<Vec<_>>()}),
        }
    }
}

fn artifact(file: &Indexed) -> LocalArtifact {
    LocalArtifact {
        path: file.named.path.clone(),
        kind: file.kind,
        gzip: file.gzip,
        rows: file.survey.rows,
        bytes: file.named.stamp.bytes,
        sha256: file.sha256,
    }
}

fn detail(file: &Indexed) -> Value {
    json!({
        "name": file.named.name,
        "kind": file.kind,
        "gzip": file.gzip,
        "bytes": file.named.stamp.bytes,
        "sha256": file.sha256,
        "rows": file.survey.rows,
    })
}

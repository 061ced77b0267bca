//! One read of a window: its chunks, decoded on all cores, as a stream of events.

use super::{
    index::{FileSet, IndexedFile},
    load::{ChunkLoad, chunk_loads},
    plan::{FilePlan, Plan, with_columns_of},
};
use crate::{
    EventStream, LocalArtifact, Result, SourceItem, SourceReport,
    artifact::{DecodedChunk, WindowFilter, cores},
    progress::{Meter, Step},
    spool::on_blocking_thread,
};
use archive_formats::{Schema, Window};
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
struct WindowRead {
    set: Arc<FileSet>,
    files: Vec<Arc<IndexedFile>>,
    chunks: BoxStream<'static, Result<(Arc<FilePlan>, DecodedChunk)>>,
    meter: Meter,
    /// Items of the last chunk.
    items: VecDeque<SourceItem>,
    totals: Totals,
    reported: bool,
}

#[derive(Default)]
struct Totals {
    /// Events and rejects.
    yielded: u64,
    /// Names of the files with events of the window.
    used: HashSet<Arc<str>>,
}

/// The events of `window` as a stream.
pub(super) fn stream(set: Arc<FileSet>, window: Window, meter: Meter) -> EventStream {
    let begun = async move {
        let files = set.index(&meter).await?;
        files.iter().try_for_each(|file| file.found.check_unchanged())?;
        let plan = Plan::new(&files, window, set.rules())?;
        meter.step(Step::Decode, Some(plan.bytes()));
        let chunks = chunks(plan, window, files.len() > 1);
        let (items, totals) = (VecDeque::new(), Totals::default());
        let read = WindowRead { set, files, chunks, meter, items, totals, reported: false };
        // After an error this kind of stream yields nothing more.
        Ok(stream::try_unfold(read, |read| Box::pin(read.next())))
    };
    stream::once(begun).try_flatten().boxed()
}

/// The chunks of `plan`, decoded on all cores. Rejects name their file if there are `several`.
fn chunks(plan: Plan, window: Window, several: bool) -> BoxStream<'static, Result<(Arc<FilePlan>, DecodedChunk)>> {
    let Plan { files, schema } = plan;
    let loads = stream::iter(files).flat_map(|plan| chunk_loads(Arc::new(plan)));
    let decode = move |load: Result<ChunkLoad>| {
        let schema = schema.clone();
        async move {
            let load = load?;
            on_blocking_thread(move || decode(load, schema.as_ref(), window, several)).await
        }
    };
    loads.map(decode).buffered(cores()).boxed()
}

/// The events of `window` in a chunk, and the rejects that are of it or have no readable time.
fn decode(
    load: ChunkLoad,
    schema: Option<&Arc<Schema>>,
    window: Window,
    several: bool,
) -> Result<(Arc<FilePlan>, DecodedChunk)> {
    let (plan, rows, line) = (Arc::clone(&load.plan), load.chunk.rows, load.chunk.line);
    let mut chunk = plan.schema.decode_window(&load.read()?, WindowFilter { window, margin: None })?;
    if chunk.rows != rows {
        return Err(plan.file.found.changed());
    }
    if let Some(schema) = schema {
        chunk.events = chunk.events.map(|batch| with_columns_of(schema, batch)).transpose()?;
    }
    chunk.rejects.retain(|reject| plan.schema.time_of(&reject.row).is_none_or(|time| window.contains(time)));
    for reject in &mut chunk.rejects {
        reject.file = several.then(|| Arc::clone(&plan.file.found.name));
        reject.line += line;
    }
    Ok((plan, chunk))
}

impl WindowRead {
    async fn next(mut self) -> Result<Option<(SourceItem, Self)>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some((item, self)));
            }
            match self.chunks.try_next().await? {
                Some((plan, chunk)) => self.take(&plan.file, chunk),
                None if self.reported => return Ok(None),
                None => {
                    self.files.iter().try_for_each(|file| file.found.check_unchanged())?;
                    self.reported = true;
                    return Ok(Some((SourceItem::Report(self.report()), self)));
                }
            }
        }
    }

    fn take(&mut self, file: &IndexedFile, chunk: DecodedChunk) {
        let DecodedChunk { events, rejects, progress, .. } = chunk;
        self.meter.advance(progress);
        if let Some(events) = &events {
            self.totals.yielded += events.len() as u64;
            self.totals.used.insert(Arc::clone(&file.found.name));
        }
        self.totals.yielded += rejects.len() as u64;
        self.items.extend(events.map(SourceItem::Batch));
        self.items.extend(rejects.into_iter().map(SourceItem::Reject));
    }

    fn report(&self) -> SourceReport {
        let read = self.files.iter().map(|file| file.times.rows).sum::<u64>();
        let used = self.files.iter().filter(|file| self.totals.used.contains(&file.found.name));
        SourceReport {
            read,
            outside_window: read - self.totals.yielded,
            source_count: Some(read),
            source_clock: None,
            artifacts: used.map(|file| artifact(file)).collect(),
            detail: self
                .set
                .rules()
                .record(json!({"files": self.files.iter().map(|file| detail(file)).collect::<Vec<_>>()})),
        }
    }
}

fn artifact(file: &IndexedFile) -> LocalArtifact {
    LocalArtifact {
        path: file.found.path.clone(),
        kind: file.kind,
        gzip: file.gzip,
        rows: file.times.rows,
        bytes: file.found.stamp.bytes,
        sha256: file.sha256,
    }
}

fn detail(file: &IndexedFile) -> Value {
    json!({
        "name": file.found.name,
        "kind": file.kind,
        "gzip": file.gzip,
        "bytes": file.found.stamp.bytes,
        "sha256": file.sha256,
        "rows": file.times.rows,
    })
}

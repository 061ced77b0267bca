//! Events as the source has them -> events as they are archived.

use crate::transform::{Bound, Transforms};
use archive_connectors::{Error, ErrorKind, EventStream, Result, SourceItem};
use archive_formats::EventBatch;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Batches that are transformed at once: pseudonyms take time, and their order stays.
const AT_ONCE: usize = 2;

/// An item, and what is to be done to it if it is a batch.
enum Task {
    Transform(EventBatch, Arc<Bound>),
    Pass(SourceItem),
}

/// The items of `feed`, whose events all have the same columns, with the events transformed. Rejects pass: they are no
/// events.
pub fn transform(feed: EventStream, transforms: Arc<Transforms>) -> EventStream {
    let mut known: Option<Arc<Bound>> = None;
    let tasks = feed.map(move |item| match item? {
        SourceItem::Batch(batch) => {
            let bound = match &known {
                Some(bound) => Arc::clone(bound),
                None => Arc::clone(known.insert(Arc::new(transforms.bind(batch.schema())?))),
            };
            Ok(Task::Transform(batch, bound))
        }
        item => Ok(Task::Pass(item)),
    });
    tasks.map_ok(perform).try_buffered(AT_ONCE).boxed()
}

async fn perform(task: Task) -> Result<SourceItem> {
    let (batch, bound) = match task {
        Task::Transform(batch, bound) => (batch, bound),
        Task::Pass(item) => return Ok(item),
    };
    let work = tokio::task::spawn_blocking(move || bound.apply(&batch)).await;
    let batch = work.map_err(|error| Error::new(ErrorKind::Internal, "a transform stopped").with_source(error))??;
    Ok(SourceItem::Batch(batch))
}

//! Reads and transforms events, and enforces the contract of the source.

use crate::{
    duplicates::{Comparison, Suspects, Verdict},
    transform::{Bound, Transforms},
};
use archive_connectors::{Error, ErrorKind, EventStream, Result, Source, SourceItem};
use archive_formats::{Dataset, EventBatch, Schema, Timestamp, Window};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Streams the events of `window`. Fails if the feed ends without the source's report, continues after it, changes its
/// columns or leaves its window: later, none of these could be detected.
pub fn read(source: &dyn Source, dataset: &Dataset, window: Window) -> EventStream {
    let guard = Guard { feed: source.read(dataset, window), window, schema: None, ended: false };
    stream::try_unfold(guard, |mut guard| async move {
        let item = guard.next().await?;
        Ok(item.map(|item| (item, guard)))
    })
    .boxed()
}

struct Guard {
    feed: EventStream,
    window: Window,
    schema: Option<Arc<Schema>>,
    ended: bool,
}

impl Guard {
    async fn next(&mut self) -> Result<Option<SourceItem>> {
        match self.feed.try_next().await? {
            None if self.ended => Ok(None),
            None => Err(Error::new(ErrorKind::Truncated, "the source ended without its report")),
            Some(_) if self.ended => Err(Error::new(ErrorKind::Internal, "the source went on after its report")),
            Some(SourceItem::Batch(batch)) => {
                self.check(&batch)?;
                Ok(Some(SourceItem::Batch(batch)))
            }
            Some(SourceItem::UniqueIds) if self.schema.is_some() => {
                Err(Error::new(ErrorKind::Internal, "the source vouched for its ids after the first event"))
            }
            Some(item) => {
                self.ended = matches!(item, SourceItem::Report(_));
                Ok(Some(item))
            }
        }
    }

    fn check(&mut self, batch: &EventBatch) -> Result<()> {
        let schema = self.schema.get_or_insert_with(|| Arc::clone(batch.schema()));
        if schema.sha256() != batch.schema().sha256() {
            return Err(Error::new(ErrorKind::Incomplete, "the columns changed in the middle of a month"));
        }
        let outside = batch.times().values().iter().find(|time| !self.window.contains(Timestamp::from_micros(**time)));
        match outside {
            None => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Internal, "the source yielded an event outside its window")
                .with_context("window", self.window)),
        }
    }
}

/// Batches transformed concurrently, in order: pseudonyms take time.
const CONCURRENT_BATCHES: usize = 2;

/// An item of the feed, to be transformed if it is a batch.
enum Task {
    Transform(EventBatch, Arc<Bound>),
    Pass(SourceItem),
}

/// Transforms the events of `feed`, which all have the same columns. Rejects are passed on unchanged.
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
    tasks.map_ok(perform).try_buffered(CONCURRENT_BATCHES).boxed()
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

/// Reads a month again and compares its `suspects`.
pub async fn compare(mut feed: EventStream, suspects: Suspects) -> Result<Verdict> {
    let mut comparison = Comparison::new(suspects);
    while let Some(item) = feed.try_next().await? {
        if let SourceItem::Batch(batch) = item {
            comparison.add(&batch)?;
        }
    }
    Ok(comparison.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::SourceReport;

    #[derive(Debug)]
    struct Scripted(fn() -> Vec<SourceItem>);

    impl Source for Scripted {
        fn kind(&self) -> &'static str {
            "scripted"
        }

        fn url(&self) -> String {
            "scripted:".to_owned()
        }

        fn read(&self, _: &Dataset, _: Window) -> EventStream {
            stream::iter((self.0)()).map(Ok).boxed()
        }

        fn on_committed(&self, _: &Dataset, _: Window) {}
    }

    async fn outcome(script: fn() -> Vec<SourceItem>) -> std::result::Result<usize, ErrorKind> {
        let window = "2025-03".parse::<archive_formats::Month>().unwrap().window();
        let feed = read(&Scripted(script), &"events".parse().unwrap(), window);
        feed.try_collect::<Vec<_>>().await.map(|items| items.len()).map_err(|error| error.kind())
    }

    fn report() -> SourceItem {
        SourceItem::Report(SourceReport::default())
    }

    #[tokio::test]
    async fn short_read_is_an_error() {
        assert_eq!(outcome(Vec::new).await, Err(ErrorKind::Truncated));
        assert_eq!(outcome(|| vec![report()]).await, Ok(1));
    }

    #[tokio::test]
    async fn rejects_items_after_the_report() {
        assert_eq!(outcome(|| vec![report(), report()]).await, Err(ErrorKind::Internal));
    }
}

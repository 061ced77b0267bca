//! Events for the benches.
//!
//! Short: all benches use the demo.

use archive_connectors::{Source as _, SourceItem, demo::Demo};
use archive_formats::{Dataset, EventBatch, Month};
use futures::TryStreamExt as _;
use std::error::Error;

/// `count` events of the demo.
pub(crate) fn events(count: u64) -> Result<Vec<EventBatch>, Box<dyn Error>> {
    let month = "2025-03".parse::<Month>()?;
    let items = Demo::new(count, 1).read(&Dataset::default(), month.window());
    let items = tokio::runtime::Runtime::new()?.block_on(items.try_collect::<Vec<_>>())?;
    let batches = items.into_iter().filter_map(|item| match item {
        SourceItem::Batch(batch) => Some(batch),
        SourceItem::UniqueIds | SourceItem::Reject(_) | SourceItem::Report(_) => None,
    });
    Ok(batches.collect())
}

//! Events that share an id -> which of them are repetitions.

use crate::duplicates::{Comparison, Suspects, Verdict};
use archive_connectors::{EventStream, Result, SourceItem};
use futures::TryStreamExt;

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

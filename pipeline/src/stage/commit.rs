//! Stored files -> a manifest.

use archive_connectors::{
    Result, Sink,
    sink::{Commit, Draft, StoredFile},
};
use archive_formats::{Chain, Dataset, Month};
use tokio::sync::Mutex;

/// Commits a month, then removes what crashed runs left in its folders. Months of one run commit one at a time: they
/// would only race each other for the next number.
pub async fn commit(sink: &Sink, chain: &Mutex<Chain>, draft: &Draft, files: &[StoredFile]) -> Result<Commit> {
    let mut chain = chain.lock().await;
    let commit = sink.commit(&mut chain, draft, files).await?;
    remove_orphans(sink, &chain, &draft.dataset, draft.month).await;
    Ok(commit)
}

/// Removes what crashed runs left in the folders of a committed month. That it cannot be done is only told: orphans
/// cost space, and every run that finds the month committed tries again.
pub async fn remove_orphans(sink: &Sink, chain: &Chain, dataset: &Dataset, month: Month) {
    match sink.remove_orphans(chain, dataset, month).await {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => tracing::info!(%month, files = removed.len(), "removed what a crashed run left"),
        Err(error) => tracing::warn!(%month, %error, "could not look for what a crashed run left"),
    }
}

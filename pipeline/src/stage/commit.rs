//! Stored files -> a manifest.

use archive_connectors::{
    Result, Sink,
    sink::{Commit, Draft, StoredFile},
};
use archive_formats::Chain;
use tokio::sync::Mutex;

/// Commits a month, then removes what crashed runs left in its folders. Months of one run commit one at a time: they
/// would only race each other for the next number.
pub async fn commit(sink: &Sink, chain: &Mutex<Chain>, draft: &Draft, files: &[StoredFile]) -> Result<Commit> {
    let mut chain = chain.lock().await;
    let commit = sink.commit(&mut chain, draft, files).await?;
    match sink.remove_orphans(&chain, &draft.dataset, draft.month).await {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => tracing::info!(month = %draft.month, files = removed.len(), "removed what a crashed run left"),
        // The month is committed: orphans cost space, and the next run tries again.
        Err(error) => tracing::warn!(month = %draft.month, %error, "could not look for what a crashed run left"),
    }
    Ok(commit)
}

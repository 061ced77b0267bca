//! Stored files -> a manifest.

use crate::archive::Archive;
use archive_connectors::{
    Result,
    sink::{Commit, Draft, StoredFile},
};
use archive_formats::{Dataset, Month};
use tokio::sync::Mutex;

/// Commits a month, then removes what crashed runs left in its folders. Months of one run commit one at a time: they
/// would only race each other for the next number.
pub async fn commit(archive: &Mutex<Archive>, draft: &Draft, files: &[StoredFile]) -> Result<Commit> {
    let mut archive = archive.lock().await;
    let (sink, chain) = archive.commit_parts();
    let commit = sink.commit(chain, draft, files).await?;
    remove_orphans(&archive, &draft.dataset, draft.month).await;
    Ok(commit)
}

/// Removes what crashed runs left in the folders of a committed month. That it cannot be done is only told: orphans
/// cost space, and every run that finds the month committed tries again.
pub async fn remove_orphans(archive: &Archive, dataset: &Dataset, month: Month) {
    match archive.sink().remove_orphans(archive.chain(), dataset, month).await {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => tracing::info!(%month, files = removed.len(), "removed what a crashed run left"),
        Err(error) => tracing::warn!(%month, %error, "could not look for what a crashed run left"),
    }
}

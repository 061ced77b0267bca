//! Staged files -> stored files.

use super::check::check;
use archive_connectors::{
    Progress, Result, Sink,
    progress::{Coverage, Step},
    sink::{StagedFile, StoredFile},
};
use archive_formats::Schema;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Files that are read back or uploaded at once: while one is sent, the next is checked.
const AT_ONCE: usize = 2;

/// Reads every file back, stores it, and returns them in the same order once the store confirmed each.
pub async fn store(
    files: Vec<StagedFile>,
    schema: Option<&Arc<Schema>>,
    sink: &Sink,
    coverage: &Coverage,
    progress: &dyn Progress,
) -> Result<Vec<StoredFile>> {
    progress.step(coverage, Step::Upload, Some(files.iter().map(|staged| staged.file.bytes).sum()));
    let stored = files.into_iter().map(|staged| async move {
        let staged = check(staged, schema.cloned()).await?;
        let stored = sink.store(&staged, |bytes| progress.advance(coverage, bytes)).await?;
        // Staged files of a large month would otherwise fill the disk until its end.
        drop(tokio::fs::remove_file(&staged.local).await);
        Ok(stored)
    });
    stream::iter(stored).buffered(AT_ONCE).try_collect().await
}

//! Checks and uploads staged files.

use crate::{
    Archive,
    reader::{self, EventReader, ReadError},
};
use archive_connectors::{
    Error, ErrorKind, Progress, Result, Sink,
    error::local,
    progress::{Step, Subject},
    sink::{Commit, MonthDraft, StagedFile, StoredFile},
};
use archive_formats::{Dataset, FileFormat, Month, Schema, TimeSpan, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use std::{fs::File, sync::Arc};
use tokio::sync::Mutex;

/// Concurrent files: one is uploaded while the next is checked.
const CONCURRENT_FILES: usize = 2;

/// Checks every file, stores it, and returns them in order after the store has confirmed each.
pub async fn store(
    files: Vec<StagedFile>,
    schema: Option<&Arc<Schema>>,
    sink: &Sink,
    subject: &Subject,
    progress: &dyn Progress,
) -> Result<Vec<StoredFile>> {
    progress.step(subject, Step::Upload, Some(files.iter().map(|staged| staged.file.bytes).sum()));
    let stored = files.into_iter().map(|staged| async move {
        let staged = check(staged, schema.cloned()).await?;
        let stored = sink.store(&staged, |bytes| progress.advance(subject, bytes)).await?;
        // Removed at once: staged files of a large month could fill the disk.
        drop(staged);
        Ok(stored)
    });
    stream::iter(stored).buffered(CONCURRENT_FILES).try_collect().await
}

/// Decodes every page of a staged file and compares the events with the encoder's counts, to find errors of an encoder
/// or a disk before they are committed. The digest is checked during the upload. `schema` is that of the events, if
/// there are any.
pub async fn check(staged: StagedFile, schema: Option<Arc<Schema>>) -> Result<StagedFile> {
    let task = tokio::task::spawn_blocking(move || read_back(&staged, schema.as_ref()).map(|()| staged));
    task.await.map_err(|error| Error::new(ErrorKind::Internal, "the read-back stopped").with_source(error))?
}

fn read_back(staged: &StagedFile, schema: Option<&Arc<Schema>>) -> Result<()> {
    let file = &staged.file;
    let read = contents(staged, schema).map_err(|error| match error {
        ReadError::Failed(error) => error,
        error => differs(staged).with_source(error),
    })?;
    if read == (file.rows, file.first, file.last) { Ok(()) } else { Err(differs(staged)) }
}

/// The number of rows, and the times of the first and the last event.
fn contents(
    StagedFile { local: path, file, .. }: &StagedFile,
    schema: Option<&Arc<Schema>>,
) -> std::result::Result<(u64, Option<Timestamp>, Option<Timestamp>), ReadError> {
    let open = || File::open(path).map_err(local("open a file", path));
    let (mut rows, mut times) = (0, TimeSpan::default());
    match (file.format, schema) {
        // The content was compared when it was compressed.
        (FileFormat::Artifact, _) => rows = file.rows,
        (FileFormat::Rejects, _) => rows = reader::rejects(open()?)?,
        (FileFormat::Parquet | FileFormat::Csv, Some(schema)) => {
            for batch in EventReader::new(open()?, file.format, file.ranges.as_ref(), schema, None)? {
                let batch = batch?;
                times.extend(&batch);
                rows += batch.len() as u64;
            }
        }
        (FileFormat::Parquet | FileFormat::Csv, None) => return Err(ReadError::Schema),
    }
    Ok((rows, times.first(), times.last()))
}

fn differs(staged: &StagedFile) -> Error {
    Error::new(ErrorKind::Local, "a staged file is not what was written to it")
        .with_context("path", staged.local.display())
        .with_hint("check the disk of this path, then run again; nothing was committed")
}

/// Commits a month, then removes leftovers of crashed runs from its folders. Months of one run commit one at a time:
/// concurrent commits would race for the next sequence number.
pub async fn commit(archive: &Mutex<Archive>, draft: &MonthDraft, files: &[StoredFile]) -> Result<Commit> {
    let mut archive = archive.lock().await;
    let (sink, chain) = archive.commit_parts();
    let commit = sink.commit(chain, draft, files).await?;
    remove_orphans(&archive, &draft.dataset, draft.month).await;
    Ok(commit)
}

/// Removes leftovers of crashed runs from the folders of a committed month. Failures are only logged: orphans cost
/// space, and every run that finds the month committed tries again.
pub async fn remove_orphans(archive: &Archive, dataset: &Dataset, month: Month) {
    match archive.sink().remove_orphans(archive.chain(), dataset, month).await {
        Ok(removed) => {
            if let Some(first) = removed.first() {
                let files = removed.len();
                tracing::warn!(%dataset, %month, files, first, "removed files that an unfinished run left");
            }
        }
        Err(error) => tracing::warn!(%month, %error, "could not look for what a crashed run left"),
    }
}

//! Staged files -> the same files, read back.

use crate::contents::{self, ContentsError};
use archive_connectors::{Error, ErrorKind, Result, sink::StagedFile};
use archive_formats::{FileFormat, Schema, encode::TimeSpan};
use std::sync::Arc;

/// Decodes a staged file again from the disk, every page, and compares the events with what the encoder said. What an
/// encoder or a disk got wrong is found here, before it becomes evidence; that its bytes are those that the encoder wrote
/// is found when they are stored, where they are hashed on their way. `schema` is that of the events, if there are any.
pub async fn check(staged: StagedFile, schema: Option<Arc<Schema>>) -> Result<StagedFile> {
    let task = tokio::task::spawn_blocking(move || read_back(&staged, schema.as_ref()).map(|()| staged));
    task.await.map_err(|error| Error::new(ErrorKind::Internal, "the read-back stopped").with_source(error))?
}

fn read_back(staged: &StagedFile, schema: Option<&Arc<Schema>>) -> Result<()> {
    let StagedFile { local, file } = staged;
    let mut span = TimeSpan::default();
    let mut visit = |batch: &_| {
        span.extend(batch);
        Ok(())
    };
    let rows = match (file.format, schema) {
        // What is inside was compared when it was packed.
        (FileFormat::Artifact, _) => Ok(file.rows),
        (FileFormat::Rejects, _) => contents::rejects(local),
        (FileFormat::Parquet | FileFormat::Csv, Some(schema)) => {
            contents::events(local, file.format, schema, &mut visit)
        }
        (FileFormat::Parquet | FileFormat::Csv, None) => Err(ContentsError::Schema),
    };
    let rows = rows.map_err(|error| match error {
        ContentsError::Failed(error) => error,
        error => differs(staged).with_source(error),
    })?;
    let read = (rows, span.first(), span.last());
    if read == (file.rows, file.first, file.last) { Ok(()) } else { Err(differs(staged)) }
}

fn differs(staged: &StagedFile) -> Error {
    Error::new(ErrorKind::Local, "a staged file is not what was written to it")
        .with_context("path", staged.local.display())
        .with_hint("check the disk of the state folder, then run again; nothing was committed")
}

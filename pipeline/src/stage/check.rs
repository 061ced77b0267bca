//! Staged files -> the same files, read back.

use crate::reader::{self, EventReader, ReadError};
use archive_connectors::{Error, ErrorKind, Result, error::local, sink::StagedFile};
use archive_formats::{FileFormat, Schema, Timestamp, encode::TimeSpan};
use std::{fs::File, sync::Arc};

/// Decodes a staged file again from the disk, every page, and compares the events with what the encoder said. What an
/// encoder or a disk got wrong is found here, before it becomes evidence; that its bytes are those that the encoder wrote
/// is found when they are stored, where they are hashed on their way. `schema` is that of the events, if there are any.
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
    StagedFile { local: path, file }: &StagedFile,
    schema: Option<&Arc<Schema>>,
) -> std::result::Result<(u64, Option<Timestamp>, Option<Timestamp>), ReadError> {
    let open = || File::open(path).map_err(local("open a file", path));
    let (mut rows, mut times) = (0, TimeSpan::default());
    match (file.format, schema) {
        // The content was compared when it was packed.
        (FileFormat::Artifact, _) => rows = file.rows,
        (FileFormat::Rejects, _) => rows = reader::rejects(open()?)?,
        (FileFormat::Parquet | FileFormat::Csv, Some(schema)) => {
            for batch in EventReader::new(open()?, file.format, schema, None)? {
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
        .with_hint("check the disk of the state folder, then run again; nothing was committed")
}

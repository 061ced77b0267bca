//! Local files whose bytes are hashed while they are written, before they are stored.

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    error::local,
    sink::{StagedFile, StoredFile},
};
use archive_formats::{Sha256, backup_manifest::BackupFile, digest::DigestWriter};
use bytes::Bytes;
use std::{fs::File, io::Write as _, path::Path};
use tempfile::{NamedTempFile, TempPath};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    task::{JoinError, spawn_blocking},
};

/// A local file that is written. It is removed when it is dropped.
#[derive(Debug)]
pub(super) struct SpooledFile {
    file: DigestWriter<File>,
    local: TempPath,
}

impl SpooledFile {
    /// An empty file in `folder`.
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        let file = NamedTempFile::new_in(folder).map_err(local("create a file of a backup", folder))?;
        let (file, local) = file.into_parts();
        Ok(Self { file: DigestWriter::new(file), local })
    }

    /// Bytes written so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// Appends `blocks`, on a blocking thread.
    pub(super) async fn append(mut self, blocks: Vec<Bytes>) -> Result<Self> {
        let written = spawn_blocking(move || {
            let failed = local("write a file of a backup", &self.local);
            blocks.iter().try_for_each(|block| self.file.write_all(block)).map_err(failed)?;
            Ok(self)
        });
        written.await.map_err(stopped)?
    }

    /// Appends all that `reader` has, a block at a time.
    pub(super) async fn append_all(mut self, reader: impl AsyncRead + Unpin) -> Result<Self> {
        const BLOCK: u64 = 1 << 20;
        let mut blocks = reader.take(BLOCK);
        loop {
            let mut block = Vec::new();
            blocks.read_to_end(&mut block).await.map_err(local("read the output of a program", &self.local))?;
            if block.is_empty() {
                return Ok(self);
            }
            blocks.set_limit(BLOCK);
            self = self.append(vec![block.into()]).await?;
        }
    }

    /// The file as the object that `path` names by the digest of its bytes.
    pub(super) fn stage(self, path: impl FnOnce(&Sha256) -> String) -> Result<StagedFile<BackupFile>> {
        let (_, bytes, sha256) = self.file.finish();
        StagedFile::new(self.local, BackupFile { path: path(&sha256), bytes, sha256 })
    }
}

/// Stores `bytes` by way of `folder`, as the object that `path` names by their digest.
pub(super) async fn store_bytes(
    sink: &Sink,
    folder: &Path,
    bytes: impl Into<Bytes>,
    path: impl FnOnce(&Sha256) -> String,
) -> Result<StoredFile<BackupFile>> {
    let staged = SpooledFile::begin(folder)?.append(vec![bytes.into()]).await?.stage(path)?;
    sink.store(&staged, |_| ()).await
}

pub(super) fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "storing a file of a backup stopped").with_source(error)
}

//! Stores a dump in parts: each is written to the local disk, hashed, stored, and removed.

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    error::local,
    sink::{StagedFile, StoredFile},
};
use archive_formats::{backup_manifest::BackupFile, digest::DigestWriter};
use bytes::Bytes;
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};
use tokio::task::{JoinError, JoinSet, spawn_blocking};

/// The end of the names of the parts of a dump.
pub(super) const EXTENSION: &str = ".dump";

/// Bytes that are gathered before they are written: a switch of threads costs little beside the write.
const WRITE: usize = 1 << 20;

/// A stream that is stored while it comes. One part is stored while the next is written, so that at most two are on the local
/// disk, and memory is bounded.
#[derive(Debug)]
pub(super) struct Parts {
    sink: Sink,
    /// Private folder for the parts.
    folder: PathBuf,
    /// The folder of the objects.
    path: String,
    part_size: u64,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    current: Option<Part>,
    /// The part that is being stored.
    storing: JoinSet<Result<StoredFile<BackupFile>>>,
    stored: Vec<StoredFile<BackupFile>>,
}

/// A part that is being written.
#[derive(Debug)]
struct Part {
    file: DigestWriter<File>,
    local: TempPath,
    bytes: u64,
}

impl Parts {
    /// Parts of at most `part_size` bytes below `path`, written to `folder` first.
    pub(super) fn new(sink: &Sink, folder: &Path, path: String, part_size: u64) -> Self {
        Self {
            sink: sink.clone(),
            folder: folder.to_owned(),
            path,
            part_size: part_size.max(1),
            gathered: Vec::new(),
            gathered_bytes: 0,
            current: None,
            storing: JoinSet::new(),
            stored: Vec::new(),
        }
    }

    /// Appends the next bytes.
    pub(super) async fn push(&mut self, mut block: Bytes) -> Result<()> {
        while !block.is_empty() {
            let written = self.current.as_ref().map_or(0, |part| part.bytes) + self.gathered_bytes as u64;
            let room = usize::try_from(self.part_size - written).unwrap_or(usize::MAX);
            let piece = block.split_to(block.len().min(room));
            self.gathered_bytes += piece.len();
            self.gathered.push(piece);
            if room == self.gathered.last().map_or(0, Bytes::len) {
                self.end_part().await?;
            } else if self.gathered_bytes >= WRITE {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Stores the last part, and returns all of them in order, each confirmed by the store.
    pub(super) async fn finish(mut self) -> Result<Vec<StoredFile<BackupFile>>> {
        if self.gathered_bytes > 0 || self.current.is_some() {
            self.end_part().await?;
        }
        self.wait().await?;
        Ok(self.stored)
    }

    /// Writes what was gathered to the current part.
    async fn write(&mut self) -> Result<()> {
        let (blocks, folder) = (std::mem::take(&mut self.gathered), self.folder.clone());
        self.gathered_bytes = 0;
        let current = self.current.take();
        let written = spawn_blocking(move || {
            let mut part = match current {
                Some(part) => part,
                None => Part::begin(&folder)?,
            };
            let failed = local("write a part of a backup", &part.local);
            blocks.iter().try_for_each(|block| part.file.write_all(block)).map_err(failed)?;
            part.bytes += blocks.iter().map(|block| block.len() as u64).sum::<u64>();
            Ok::<_, Error>(part)
        });
        self.current = Some(written.await.map_err(stopped)??);
        Ok(())
    }

    /// Begins to store the current part, once the one before is stored.
    async fn end_part(&mut self) -> Result<()> {
        self.write().await?;
        self.wait().await?;
        let Some(part) = self.current.take() else { return Ok(()) };
        let number = self.stored.len();
        let (sink, path) = (self.sink.clone(), self.path.clone());
        self.storing.spawn(async move {
            let (_, bytes, sha256) = part.file.finish();
            let path = format!("{path}/part-{number:05}-{}{EXTENSION}", sha256.short());
            let staged = StagedFile::new(part.local, BackupFile { path, bytes, sha256 })?;
            sink.store(&staged, |_| ()).await
        });
        Ok(())
    }

    /// Waits until the part before the current one is stored.
    async fn wait(&mut self) -> Result<()> {
        while let Some(stored) = self.storing.join_next().await {
            self.stored.push(stored.map_err(stopped)??);
        }
        Ok(())
    }
}

impl Part {
    fn begin(folder: &Path) -> Result<Self> {
        let file = NamedTempFile::new_in(folder).map_err(local("create a part of a backup", folder))?;
        let (file, local) = file.into_parts();
        Ok(Self { file: DigestWriter::new(file), local, bytes: 0 })
    }
}

fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "storing a part of a backup stopped").with_source(error)
}

//! Stores a dump in parts: each is written to the local disk, hashed, stored, and removed.

use crate::archive::remove_files;
use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    sink::{StagedFile, StoredFile},
};
use archive_formats::{Sha256, backup_manifest::BackupFile, digest::DigestWriter};
use bytes::Bytes;
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};
use tempfile::TempPath;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

/// The end of the names of the parts of a dump.
pub(in crate::backup) const EXTENSION: &str = ".dump";

/// The highest number of a part: five digits.
const MOST: usize = 99_999;

/// Bytes that are gathered before they are written: a switch of threads costs little beside the write.
const WRITE: usize = 1 << 20;

/// A stream that is stored while it comes. One part is stored while the next is written, so that at most two are on the local
/// disk, and memory is bounded.
#[derive(Debug)]
pub(super) struct Parts {
    sink: Sink,
    /// Private folder for the parts.
    folder: PathBuf,
    /// The folder of the objects, once it is known.
    path: String,
    part_size: u64,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    current: Option<Part>,
    /// The part that is being stored.
    storing: JoinSet<Result<StoredFile<BackupFile>>>,
    stored: Vec<StoredFile<BackupFile>>,
    /// The paths of all parts that began to be stored.
    begun: Vec<String>,
}

/// A part that is being written.
#[derive(Debug)]
struct Part {
    file: DigestWriter<File>,
    local: TempPath,
}

impl Parts {
    /// Parts of at most `part_size` bytes, written to `folder` first.
    pub(super) fn new(sink: &Sink, folder: &Path, part_size: u64) -> Self {
        Self {
            sink: sink.clone(),
            folder: folder.to_owned(),
            path: String::new(),
            part_size: part_size.max(1),
            gathered: Vec::new(),
            gathered_bytes: 0,
            current: None,
            storing: JoinSet::new(),
            stored: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// The objects get names in the folder `path`.
    pub(super) fn begin(&mut self, path: String) {
        self.path = path;
    }

    /// The folder of the objects.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Appends the next bytes.
    pub(super) async fn push(&mut self, mut block: Bytes) -> Result<()> {
        while !block.is_empty() {
            let written = self.current.as_ref().map_or(0, |part| part.file.bytes()) + self.gathered_bytes as u64;
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

    /// Stores the last part. From now on all of them are [`Parts::stored`].
    pub(super) async fn finish(&mut self) -> Result<()> {
        if self.gathered_bytes > 0 || self.current.is_some() {
            self.end_part().await?;
        }
        self.wait().await
    }

    /// The parts that are stored, in order, each confirmed by the store.
    pub(super) fn stored(&self) -> &[StoredFile<BackupFile>] {
        &self.stored
    }

    /// Removes what was stored, as far as the store lets it.
    pub(super) async fn remove(&mut self) {
        self.storing.shutdown().await;
        self.current = None;
        let begun = std::mem::take(&mut self.begun);
        remove_files(&self.sink, begun.iter().map(String::as_str)).await;
    }

    /// Writes what was gathered to the current part.
    async fn write(&mut self) -> Result<()> {
        let (blocks, folder) = (std::mem::take(&mut self.gathered), self.folder.clone());
        // With any digest: that of the part is not known yet.
        let (sink, path) = (self.sink.clone(), self.object(&Sha256::digest(b"")));
        self.gathered_bytes = 0;
        let current = self.current.take();
        let written = spawn_blocking(move || {
            let mut part = match current {
                Some(part) => part,
                None => Part::begin(&sink, &path, &folder)?,
            };
            let written = blocks.iter().try_for_each(|block| part.file.write_all(block));
            written.map_err(|error| sink.staging_error("write a part of a backup", &part.local, error))?;
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
        if self.begun.len() > MOST {
            return Err(Error::new(ErrorKind::Configuration, format!("the dump has more than {MOST} parts"))
                .with_hint("use a larger --part-size: the names of more parts would not be in order"));
        }
        let sink = self.sink.clone();
        let (_, bytes, sha256) = part.file.finish();
        let path = self.object(&sha256);
        self.begun.push(path.clone());
        self.storing.spawn(async move {
            let staged = StagedFile::new(part.local, BackupFile { path, bytes, sha256 })?;
            sink.store(&staged, |_| ()).await
        });
        Ok(())
    }

    /// The path of the next part, which has this digest.
    fn object(&self, sha256: &Sha256) -> String {
        format!("{}/part-{:05}-{}{EXTENSION}", self.path, self.begun.len(), sha256.short())
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
    fn begin(sink: &Sink, path: &str, folder: &Path) -> Result<Self> {
        let (file, local) = sink.stage(path, folder)?.into_parts();
        Ok(Self { file: DigestWriter::new(file), local })
    }
}

fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "storing a part of a backup stopped").with_source(error)
}

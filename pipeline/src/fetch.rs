//! Archived files on the local disk.

use archive_connectors::{Error, ErrorKind, Result, Sink, error::local};
use archive_formats::{Sha256, digest::Hasher, manifest::DataFile};
use futures::TryStreamExt;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;

/// Copies the object at `path` into the local file `target`, and returns the digest of its bytes. Nobody may believe
/// what the file holds before that digest was compared with the one of its manifest.
pub async fn fetch(sink: &Sink, path: &str, target: &Path) -> Result<Sha256> {
    let file = tokio::fs::File::create(target).await.map_err(local("create a file", target))?;
    let mut file = tokio::io::BufWriter::new(file);
    let mut hasher = Hasher::default();
    let mut blocks = sink.read(path);
    while let Some(block) = blocks.try_next().await? {
        hasher.update(&block);
        file.write_all(&block).await.map_err(local("write a fetched file", target))?;
    }
    file.flush().await.map_err(local("write a fetched file", target))?;
    Ok(hasher.finish())
}

/// Copies a committed file into the local file `target`, and proves that its bytes are those that were committed.
pub async fn fetch_committed(sink: &Sink, file: &DataFile, target: &Path) -> Result<()> {
    let found = match fetch(sink, &file.path, target).await {
        Ok(found) => found,
        Err(error) => {
            let is_there = sink.head(&file.path).await? == Some(file.bytes);
            return Err(if is_there { error } else { damaged(sink, file, "is missing, or has another size") });
        }
    };
    if found == file.sha256 { Ok(()) } else { Err(damaged(sink, file, "is not what was committed")) }
}

/// The error of a committed file that is not what it should be.
pub fn damaged(sink: &Sink, file: &DataFile, what: &str) -> Error {
    Error::new(ErrorKind::BrokenChain, format!("a file of the archive {what}"))
        .with_context("path", &file.path)
        .with_context("archive", sink.url())
        .with_hint("run `kt-archive verify` to see all that is damaged")
}

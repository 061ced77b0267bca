//! Archived files on the local disk.

use archive_connectors::{Result, Sink, error::local};
use archive_formats::{Sha256, digest::Hasher};
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

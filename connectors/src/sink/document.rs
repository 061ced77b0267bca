//! Documents: created exactly once, replaced only in repairs. The first one, `archive.json`, identifies an archive.

use super::{Sink, failure::is_final};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Sha256, key,
    manifest::{ArchiveDocument, FORMAT},
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, path::Path};
use std::time::Duration;

/// The number of puts while the store fails and holds no document. The store retries each put before it fails, except
/// after responses such as 409.
const MAX_PUTS: u32 = 6;

/// The pause after the first failed put. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Sink {
    /// Creates the document `path` unless it exists, and returns its content: `bytes`, or those of another writer.
    ///
    /// A failed put proves nothing: a retry inside the store may have found the success of its own first try, and a
    /// response may be lost. So after any failure the document is read:
    ///
    /// | result of the put | content then | result |
    /// |---|---|---|
    /// | success | | `bytes` |
    /// | any failure | `bytes` | `bytes`: the put had succeeded |
    /// | any failure | other bytes | the other bytes |
    /// | 401, 403, no such bucket, not supported, not flushed | absent | the error |
    /// | 409, 412, 5xx, timeout, … | absent or unreadable | put again, at most six times; then the error |
    ///
    /// The content survives a power failure, also that of another writer. After an error the last put may still arrive. Call
    /// it again to find out.
    pub async fn create_document(&self, path: &str, bytes: Bytes) -> Result<Bytes> {
        let location = self.location(path)?;
        let mut pause = FIRST_PAUSE;
        let mut puts = 1;
        loop {
            let put = self.put_if_absent(&location, bytes.clone()).await;
            let Err(error) = put else { return self.make_durable(path).await.map(|_| bytes) };
            if let Ok(Some(found)) = self.document(path).await {
                return self.make_durable(path).await.map(|_| found);
            }
            let failed = self.failed("create a document", path, &error);
            if is_final(&error) || puts == MAX_PUTS {
                return Err(failed);
            }
            tracing::debug!(path, error = %failed, "putting the document again");
            tokio::time::sleep(pause).await;
            pause *= 2;
            puts += 1;
        }
    }

    /// Replaces the document `path` with `bytes`, which the chain names. For the repair of a replica only. A bucket
    /// with versions keeps the damaged one. The content afterwards decides, as in [`Sink::create_document`].
    pub async fn replace_document(&self, path: &str, bytes: Bytes) -> Result<()> {
        let put = self.store.put(&self.location(path)?, bytes.clone().into()).await;
        let found = self.document(path).await;
        match (put, found) {
            (_, Ok(Some(found))) if found == bytes => self.make_durable(path).await.map(drop),
            (Err(error), _) => Err(self.failed("replace a document", path, &error)),
            (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Err(self.object_error("differs from the bytes stored", path)),
        }
    }

    pub(super) async fn put_if_absent(&self, location: &Path, bytes: Bytes) -> object_store::Result<()> {
        self.store.put_opts(location, bytes.into(), PutMode::Create.into()).await?;
        Ok(())
    }
}

/// The identity of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The content of `archive.json`.
    pub document: ArchiveDocument,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl From<ArchiveDocument> for Identity {
    /// The identity of an archive whose `archive.json` this program writes.
    fn from(document: ArchiveDocument) -> Self {
        Self { sha256: Sha256::digest(&document.to_bytes()), document }
    }
}

impl Sink {
    /// The identity of the archive, or `None` if the location holds none. Manifests without `archive.json` are a broken
    /// archive: none of them would belong to a new identity.
    pub async fn identity(&self) -> Result<Option<Identity>> {
        if let Some(found) = self.document(key::ARCHIVE).await? {
            return self.parse_identity(&found).map(Some);
        }
        if !self.has_commits().await? {
            return Ok(None);
        }
        // Another writer may have created the archive between the two requests.
        match self.document(key::ARCHIVE).await? {
            Some(found) => self.parse_identity(&found).map(Some),
            None => Err(self
                .broken_identity("the document that names the archive is missing, but its manifests are there")
                .with_hint("restore it from a copy; every manifest holds its UUID")),
        }
    }

    /// Creates an archive. If another writer created it first, returns the identity of that one, so that several hosts
    /// may start an archive at once.
    pub async fn create(&self, document: &ArchiveDocument) -> Result<Identity> {
        let found = self.create_document(key::ARCHIVE, Bytes::from(document.to_bytes())).await?;
        self.parse_identity(&found)
    }

    fn parse_identity(&self, bytes: &[u8]) -> Result<Identity> {
        let broken = |message| self.broken_identity(message).with_hint("restore it from a copy");
        // Other formats may have other fields, so check the format first.
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| broken("the document that names the archive is not JSON").with_source(error))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            let hint = format!("this program reads {FORMAT}; a newer one may know the archive's format");
            return Err(broken("the archive has another format").with_hint(hint));
        }
        let document: ArchiveDocument = serde_json::from_value(value)
            .map_err(|error| broken("the document that names the archive cannot be read").with_source(error))?;
        // Folders of the host are named after it, so it must not be a path.
        uuid::Uuid::parse_str(&document.archive)
            .map_err(|error| broken("the archive's identity is not a UUID").with_source(error))?;
        Ok(Identity { document, sha256: Sha256::digest(bytes) })
    }

    fn broken_identity(&self, message: &str) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, message);
        error.with_context("path", key::ARCHIVE).with_context("archive", self.url())
    }
}

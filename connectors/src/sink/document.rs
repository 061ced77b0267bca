//! Documents: created exactly once, replaced only in repairs. The first one identifies the root of a chain:
//! `archive.json` an archive, `backups.json` the backups.

use super::{Sink, failure::is_final};
use crate::{Error, ErrorKind, Result};
use archive_formats::{BackupManifest, Chain, CommitRecord, Manifest, Sha256, manifest::ArchiveDocument};
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

/// The identity of the root of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The content of the document.
    pub document: ArchiveDocument,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl From<ArchiveDocument> for Identity {
    /// The identity of a root whose document this program writes.
    fn from(document: ArchiveDocument) -> Self {
        Self { sha256: Sha256::digest(&document.to_bytes()), document }
    }
}

impl Identity {
    /// Whether the first manifest of `chain`, if it names the document, names this one.
    pub fn is_named_by<M: CommitRecord>(&self, chain: &Chain<M>) -> bool {
        let named = chain.entries().first().and_then(|entry| entry.manifest.header().archive_sha256);
        named.is_none_or(|named| named == self.sha256)
    }
}

impl Sink {
    /// The identity of the archive, or of the root of another chain, or `None` if the location holds none. Manifests
    /// without the document are a broken archive: none of them would belong to a new identity.
    pub async fn identity<M: CommitRecord>(&self) -> Result<Option<Identity>> {
        if let Some(found) = self.document(M::IDENTITY).await? {
            return self.parse_identity::<M>(&found).map(Some);
        }
        if !self.has_commits().await? {
            return Ok(None);
        }
        // Another writer may have created the archive between the two requests.
        match self.document(M::IDENTITY).await? {
            Some(found) => self.parse_identity::<M>(&found).map(Some),
            None if self.has_other_identity::<M>().await? => Err(Error::new(
                ErrorKind::Configuration,
                "this place holds an archive of another kind",
            )
            .with_context("place", self.url())
            .with_hint(
                "--archive is an archive of events, with archive.json; --backups are backups, with backups.json",
            )),
            None => Err(self
                .broken_identity::<M>("the document that names the archive is missing, but its manifests are there")
                .with_hint("restore it from a copy; every manifest holds its UUID")),
        }
    }

    /// Whether the place has the identity of events where backups are meant, or the other way round.
    async fn has_other_identity<M: CommitRecord>(&self) -> Result<bool> {
        for other in [Manifest::IDENTITY, BackupManifest::IDENTITY] {
            if other != M::IDENTITY && self.document(other).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Creates an archive. If another writer created it first, returns the identity of that one, so that several hosts
    /// may start an archive at once.
    pub async fn create<M: CommitRecord>(&self, document: &ArchiveDocument) -> Result<Identity> {
        let found = self.create_document(M::IDENTITY, Bytes::from(document.to_bytes())).await?;
        self.parse_identity::<M>(&found)
    }

    fn parse_identity<M: CommitRecord>(&self, bytes: &[u8]) -> Result<Identity> {
        let broken = |message| self.broken_identity::<M>(message).with_hint("restore it from a copy");
        // Other formats may have other fields, so check the format first.
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| broken("the document that names the archive is not JSON").with_source(error))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(M::FORMAT) {
            let hint = format!("this program reads {}; a newer one may know the archive's format", M::FORMAT);
            return Err(broken("the archive has another format").with_hint(hint));
        }
        let document: ArchiveDocument = serde_json::from_value(value)
            .map_err(|error| broken("the document that names the archive cannot be read").with_source(error))?;
        // Folders of the host are named after it, so it must not be a path.
        uuid::Uuid::parse_str(&document.archive)
            .map_err(|error| broken("the archive's identity is not a UUID").with_source(error))?;
        Ok(Identity { document, sha256: Sha256::digest(bytes) })
    }

    fn broken_identity<M: CommitRecord>(&self, message: &str) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, message);
        error.with_context("path", M::IDENTITY).with_context("archive", self.url())
    }
}

//! Small objects: creating one exactly once, whatever the store answers, replacing one that was damaged, and
//! `archive.json`, which makes a place an archive.

use super::{Sink, failure::is_final};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    key,
    manifest::{ArchiveDocument, FORMAT},
};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, path::Path};
use std::time::Duration;

/// How often a document is put when the store keeps failing without a trace of it. The store repeats every put by
/// itself before it fails, so this is for answers such as 409 that it does not repeat.
const MAX_PUTS: u32 = 6;

/// The pause after the first put that failed without a trace; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Sink {
    /// Creates the document `path`, unless it exists, and returns what it holds then: `bytes`, or what somebody else
    /// put there before. Identical bytes are success, whoever wrote them.
    ///
    /// A put that fails proves nothing: a retry inside the store may have met the success of its own first try, and an
    /// answer may be lost. So after everything but a clear success the document is read:
    ///
    /// | answer to the put | what lies there then | what happens |
    /// |---|---|---|
    /// | success | | `bytes` |
    /// | anything else | `bytes` | `bytes`: it was our own success |
    /// | anything else | other bytes | the other bytes |
    /// | 401, 403, no such bucket, not supported | nothing | the error |
    /// | 409, 412, 5xx, timeout, … | nothing, or unreadable | put again, six times at most; then the error |
    ///
    /// When this fails, the last put may still arrive later. Calling it again, in this run or another, finds out.
    pub async fn create_document(&self, path: &str, bytes: Bytes) -> Result<Bytes> {
        let location = self.location(path)?;
        let mut pause = FIRST_PAUSE;
        let mut puts = 1;
        loop {
            let Err(error) = self.put_if_absent(&location, bytes.clone()).await else { return Ok(bytes) };
            if let Ok(Some(found)) = self.document(path).await {
                return Ok(found);
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

    /// Replaces the document `path` by `bytes`, which the chain names: for the repair of a replica alone. In a bucket
    /// that keeps versions, the damaged one stays beside the new one. What lies there afterwards decides, as above.
    pub async fn replace_document(&self, path: &str, bytes: Bytes) -> Result<()> {
        let put = self.store.put(&self.location(path)?, bytes.clone().into()).await;
        let found = self.document(path).await;
        match (put, found) {
            (_, Ok(Some(found))) if found == bytes => Ok(()),
            (Err(error), _) => Err(self.failed("replace a document", path, &error)),
            (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Err(self.gone("is not what was stored", path)),
        }
    }

    pub(super) async fn put_if_absent(&self, location: &Path, bytes: Bytes) -> object_store::Result<()> {
        self.store.put_opts(location, bytes.into(), PutMode::Create.into()).await?;
        Ok(())
    }
}

impl Sink {
    /// The archive that lies here, or `None` where there is none. Manifests without an `archive.json` are a broken
    /// archive and no empty place: a new identity would make strangers of them all.
    pub async fn identity(&self) -> Result<Option<ArchiveDocument>> {
        if let Some(found) = self.document(key::ARCHIVE).await? {
            return self.parse_identity(&found).map(Some);
        }
        if !self.has_commits().await? {
            return Ok(None);
        }
        // Unless somebody started the archive between the two looks.
        match self.document(key::ARCHIVE).await? {
            Some(found) => self.parse_identity(&found).map(Some),
            None => Err(self
                .broken_identity("the document that names the archive is missing, but its manifests are there")
                .with_hint("restore it from a copy; its UUID stands in every manifest")),
        }
    }

    /// Makes the place an archive. If it became one in the meantime, that one stays, and is returned: several hosts may
    /// start an archive at once, and all of them go on with the same.
    pub async fn create(&self, document: &ArchiveDocument) -> Result<ArchiveDocument> {
        let found = self.create_document(key::ARCHIVE, Bytes::from(document.to_bytes())).await?;
        self.parse_identity(&found)
    }

    fn parse_identity(&self, bytes: &[u8]) -> Result<ArchiveDocument> {
        let broken = |message| self.broken_identity(message).with_hint("restore it from a copy");
        // The format decides how the rest is read, so it is looked at first.
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| broken("the document that names the archive is not JSON").with_source(error))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            let hint = format!("this program reads {FORMAT}; a newer one may know the archive's format");
            return Err(broken("the archive has another format").with_hint(hint));
        }
        let document: ArchiveDocument = serde_json::from_value(value)
            .map_err(|error| broken("the document that names the archive cannot be read").with_source(error))?;
        // Folders of the host are named after it, so that nothing else may pass for one.
        uuid::Uuid::parse_str(&document.archive)
            .map_err(|error| broken("the archive's identity is not a UUID").with_source(error))?;
        Ok(document)
    }

    fn broken_identity(&self, message: &str) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, message);
        error.with_context("path", key::ARCHIVE).with_context("archive", self.url())
    }
}

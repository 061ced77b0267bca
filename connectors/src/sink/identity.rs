//! `archive.json`: what makes a place an archive.

use super::Sink;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    key,
    manifest::{ArchiveDocument, FORMAT},
};
use bytes::Bytes;

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

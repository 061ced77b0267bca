//! Backups of the platform's other tiers, in a root and a chain of their own.
//!
//! They share the sink, the commit protocol and `SHA256SUMS` with an archive of events, and nothing else: events are kept for
//! years, dumps for weeks, and dumps hold personal data and tokens. No command of the program uses this room yet.

mod database;
mod draft;
mod drill;
mod parts;
mod verify;

pub use database::{DatabaseRequest, backup_database};
pub use drill::drill;
pub use verify::{BackupVerification, verify_backups};

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    sink::{Identity, Location, StoredFile},
};
use archive_formats::{
    BackupManifest, Chain, CommitRecord as _, Entry, Manifest, Sha256, Timestamp, backup_manifest::BackupFile,
    manifest::ArchiveDocument,
};
use draft::BackupDraft;
use uuid::Uuid;

/// Backups whose chain of manifests was read and checked.
#[derive(Clone, Debug)]
pub struct Backups {
    sink: Sink,
    identity: Identity,
    chain: Chain<BackupManifest>,
}

impl Backups {
    /// Opens the backups at `location`; `None` if there are none. Refuses an archive of events, whose files may be locked
    /// for years.
    pub async fn find(location: &Location) -> Result<Option<Self>> {
        let sink = open_private(location)?;
        if sink.document(Manifest::IDENTITY).await?.is_some() {
            return Err(Error::new(ErrorKind::Configuration, "an archive of events is here")
                .with_context("backups", location.url())
                .with_hint("choose another folder or prefix: events and backups are kept apart"));
        }
        match sink.identity::<BackupManifest>().await? {
            Some(identity) => Self::read(sink, identity).await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens the backups at `location`. Fails with [`ErrorKind::NoArchive`] if there are none.
    pub async fn open(location: &Location) -> Result<Self> {
        Self::find(location).await?.ok_or_else(|| {
            Error::new(ErrorKind::NoArchive, "no backups here")
                .with_context("backups", location.url())
                .with_hint("check the location, or make the first backup there")
        })
    }

    /// Opens the backups at `location`, or begins them there.
    pub async fn open_or_begin(location: &Location, now: Timestamp) -> Result<Self> {
        if let Some(backups) = Self::find(location).await? {
            return Ok(backups);
        }
        let document = ArchiveDocument::new::<BackupManifest>(Uuid::new_v4().to_string(), now);
        let sink = open_private(location)?;
        let identity = sink.create::<BackupManifest>(&document).await?;
        Self::read(sink, identity).await
    }

    async fn read(sink: Sink, identity: Identity) -> Result<Self> {
        let chain = sink.chain::<BackupManifest>(&identity.document.archive).await?;
        if !identity.is_named_by(&chain) {
            let error = Error::new(ErrorKind::BrokenChain, "backups.json is not the one that the first manifest names");
            return Err(error.with_context("backups", sink.url()).with_hint("copy it back from a replica"));
        }
        Ok(Self { sink, identity, chain })
    }

    /// The store.
    pub const fn sink(&self) -> &Sink {
        &self.sink
    }

    /// The chain, as of the last read or commit.
    pub const fn chain(&self) -> &Chain<BackupManifest> {
        &self.chain
    }

    /// The UUID.
    pub fn id(&self) -> &str {
        &self.identity.document.archive
    }

    /// The digest of `backups.json`.
    pub(crate) const fn identity_sha256(&self) -> Sha256 {
        self.identity.sha256
    }

    /// Commits `draft` with `files`. Reads the end of the chain again first.
    async fn commit(&mut self, draft: &BackupDraft, files: &[StoredFile<BackupFile>]) -> Result<Entry<BackupManifest>> {
        let Self { sink, identity, chain } = self;
        sink.flush_head(chain).await?;
        sink.confirm_end(chain, identity.sha256).await?;
        sink.complete_sums(chain).await?;
        Ok(sink.commit(chain, draft, files).await?.entry().clone())
    }
}

/// Opens the store. Files of a directory can be read by their owner alone.
fn open_private(location: &Location) -> Result<Sink> {
    Sink::open(&location.clone().with_file_mode(0o600))
}

//! An archive at a location: its store, identity and chain.

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    sink::{Identity, Location},
};
use archive_formats::{Chain, Head, Sha256, Timestamp, manifest::ArchiveDocument};
use uuid::Uuid;

/// A store that contains an archive, before its chain is read.
///
/// [`verify`](crate::verify::verify) starts here; every other command needs the chain and opens an [`Archive`].
#[derive(Clone, Debug)]
pub struct ArchiveRoot {
    sink: Sink,
    identity: Identity,
}

/// An archive whose chain of manifests was read and checked.
#[derive(Clone, Debug)]
pub struct Archive {
    root: ArchiveRoot,
    chain: Chain,
}

impl ArchiveRoot {
    /// Opens the archive at `location`; `None` if there is none.
    pub async fn find(location: &Location) -> Result<Option<Self>> {
        let sink = Sink::open(location)?;
        Ok(sink.identity().await?.map(|identity| Self { sink, identity }))
    }

    /// Opens the archive at `location`. Fails with [`ErrorKind::NoArchive`] if there is none.
    pub async fn open(location: &Location) -> Result<Self> {
        Self::find(location).await?.ok_or_else(|| {
            Error::new(ErrorKind::NoArchive, "no archive here")
                .with_context("archive", location.url())
                .with_hint("check --archive; `kt-archive run` makes a new one")
        })
    }

    /// Returns the identity of a new archive, with a random UUID.
    pub fn new_identity(created_at: Timestamp) -> ArchiveDocument {
        ArchiveDocument::new(Uuid::new_v4().to_string(), created_at)
    }

    /// Creates an archive in `sink`, or opens the one that another host created there at the same time: all hosts
    /// continue with one identity.
    pub async fn create(sink: Sink, document: &ArchiveDocument) -> Result<Self> {
        let identity = sink.create(document).await?;
        Ok(Self { sink, identity })
    }

    /// Creates the handle from a store and the identity in it.
    pub const fn new(sink: Sink, identity: Identity) -> Self {
        Self { sink, identity }
    }

    /// Adds a chain that may be incomplete. Commits and replications read the missing manifests.
    pub const fn with_chain(self, chain: Chain) -> Archive {
        Archive { root: self, chain }
    }

    /// Reads the chain. Fails with [`ErrorKind::BrokenChain`] if it is broken.
    pub async fn read_chain(self) -> Result<Archive> {
        let chain = self.sink.chain(self.id()).await?;
        let first = chain.entries().first().and_then(|entry| entry.manifest.archive_sha256);
        if first.is_some_and(|sha256| sha256 != self.identity.sha256) {
            let error = Error::new(ErrorKind::BrokenChain, "archive.json is not the one that the first manifest names");
            return Err(error
                .with_context("archive", self.url())
                .with_hint("copy it back from a replica that `kt-archive verify` finds whole"));
        }
        Ok(self.with_chain(chain))
    }

    /// The store.
    pub const fn sink(&self) -> &Sink {
        &self.sink
    }

    /// The archive's UUID.
    pub fn id(&self) -> &str {
        &self.identity.document.archive
    }

    /// The URL or path as the user wrote it, without password and query.
    pub fn url(&self) -> &str {
        self.sink.url()
    }
}

impl Archive {
    /// Opens the archive at `location`; `None` if there is none.
    pub async fn find(location: &Location) -> Result<Option<Self>> {
        match ArchiveRoot::find(location).await? {
            Some(root) => root.read_chain().await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens the archive at `location`. Fails with [`ErrorKind::NoArchive`] if there is none.
    pub async fn open(location: &Location) -> Result<Self> {
        ArchiveRoot::open(location).await?.read_chain().await
    }

    /// Drops the chain.
    pub(crate) fn into_root(self) -> ArchiveRoot {
        self.root
    }

    /// Appends the manifests committed since the chain was read.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        self.root.sink.catch_up(&mut self.chain).await
    }

    /// The store.
    pub const fn sink(&self) -> &Sink {
        &self.root.sink
    }

    /// The chain, as of the last read.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The store and the chain, for a commit that extends the chain.
    pub(crate) const fn commit_parts(&mut self) -> (&Sink, &mut Chain) {
        (&self.root.sink, &mut self.chain)
    }

    /// The archive's UUID.
    pub fn id(&self) -> &str {
        self.root.id()
    }

    /// The URL or path as the user wrote it, without password and query.
    pub fn url(&self) -> &str {
        self.root.url()
    }

    /// The digest of `archive.json`.
    pub(crate) const fn identity_sha256(&self) -> Sha256 {
        self.root.identity.sha256
    }

    /// Creation time of the archive.
    pub const fn created_at(&self) -> Timestamp {
        self.root.identity.document.created_at
    }

    /// The last manifest of the chain.
    pub fn head(&self) -> Option<Head> {
        self.chain.head()
    }
}

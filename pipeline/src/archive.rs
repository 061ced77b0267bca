//! An archive at a location: its store, identity and chain.

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    nearest::nearest,
    sink::{Identity, Location},
};
use archive_formats::{
    Chain, Dataset, Head, Manifest, Sha256, Timestamp,
    key::{self, ObjectName},
    manifest::ArchiveDocument,
};
use futures::StreamExt as _;
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
        Ok(sink.identity::<Manifest>().await?.map(|identity| Self { sink, identity }))
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
        ArchiveDocument::new::<Manifest>(Uuid::new_v4().to_string(), created_at)
    }

    /// Refuses a place for a new archive inside another one, or around one: readers of the outer would see the events of
    /// the inner. What cannot be looked at, such as other prefixes of a bucket, does not count.
    pub async fn check_place(location: &Location) -> Result<()> {
        /// Objects that are looked at below a place that is not empty.
        const LOOKED_AT: usize = 1_000;
        let refused = |message: &str, other: String| {
            let error =
                Error::new(ErrorKind::Configuration, message.to_owned()).with_context("archive", location.url());
            Err(error.with_context("other", other).with_hint("name a place beside it with --archive"))
        };
        for above in location.above() {
            if let Ok(sink) = Sink::open(&above)
                && let Ok(Some(identity)) = sink.identity::<Manifest>().await
            {
                let other = above.directory().map(|path| path.display().to_string());
                return refused("the place is inside another archive", other.unwrap_or(identity.document.archive));
            }
        }
        let inner = format!("/{}", key::ARCHIVE);
        let mut objects = Sink::open(location)?.list(None).take(LOOKED_AT);
        while let Some(object) = objects.next().await {
            let Ok(object) = object else { continue };
            if object.path.ends_with(&inner) {
                return refused("the place contains another archive", object.path);
            }
            if matches!(ObjectName::parse(&object.path), ObjectName::Data { .. }) {
                let error = Error::new(ErrorKind::BrokenChain, "files of months are here, but no archive.json");
                return Err(error.with_context("path", object.path).with_hint(
                    "copy archive.json and the manifests back from a replica; or name another place with --archive",
                ));
            }
        }
        Ok(())
    }

    /// Creates an archive in `sink`, or opens the one that another host created there at the same time: all hosts
    /// continue with one identity.
    pub async fn create(sink: Sink, document: &ArchiveDocument) -> Result<Self> {
        let identity = sink.create::<Manifest>(document).await?;
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
        let chain: Chain = self.sink.chain(self.id()).await?;
        if !self.identity.is_named_by(&chain) {
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

    /// Makes the end of the chain survive a power failure, and reads it again, before the first commit of a run.
    pub(crate) async fn confirm_end(&self) -> Result<()> {
        self.root.sink.flush_head(&self.chain).await?;
        self.root.sink.confirm_end(&self.chain, self.identity_sha256()).await
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

    /// Refuses datasets that the archive does not have: a misspelt one must not look like one without events. An archive
    /// without months may get any.
    pub fn expect_datasets(&self, datasets: &[Dataset]) -> Result<()> {
        let known = self.chain.datasets();
        let Some(unknown) = datasets.iter().find(|dataset| !known.is_empty() && !known.contains(dataset)) else {
            return Ok(());
        };
        let hint = match nearest(unknown.as_str(), known.iter().map(|name| name.as_str())) {
            Some(nearest) => format!("did you mean --dataset {nearest}?"),
            None => "name one of them with --dataset".to_owned(),
        };
        let names = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let error = Error::new(ErrorKind::Configuration, format!("the archive has no dataset {unknown}"));
        Err(error.with_context("it has", names).with_hint(hint))
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

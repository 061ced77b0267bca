//! An archive at a location: its store, identity and chain. Its manifests are those of events, or of backups.

use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    nearest::nearest,
    progress::{DatasetMonth, Subject},
    sink::{Identity, Location},
};
use archive_formats::{
    BackupManifest, Chain, CommitRecord, Dataset, Entry, FileRecord as _, Head, Manifest, Sha256, Timestamp,
    backup_manifest::BackupContent,
    key::ObjectName,
    manifest::{ArchiveDocument, Link},
};
use futures::{StreamExt as _, TryStreamExt as _};
use std::{collections::HashSet, marker::PhantomData};
use uuid::Uuid;

/// What the archives of events and of backups are called, and what their commits are about.
pub trait ArchiveRecord: CommitRecord {
    /// The name in the context of messages.
    const NAME: &'static str;

    /// What a commit is called in counts.
    const UNIT: &'static str;

    /// The command that mends a replica.
    const REPAIR: &'static str;

    /// The option that names the place.
    const OPTION: &'static str;

    /// What its commit is about.
    fn subject(&self) -> Subject;

    /// The manifests whose files this commit removes: from now on they may be absent.
    fn removes(&self) -> &[Link] {
        &[]
    }
}

/// The numbers of the manifests whose files may be absent.
pub(crate) fn removed<'a, M: ArchiveRecord>(manifests: impl Iterator<Item = &'a M>) -> HashSet<u64> {
    manifests.flat_map(M::removes).map(|link| link.sequence).collect()
}

impl ArchiveRecord for Manifest {
    const NAME: &'static str = "archive";
    const UNIT: &'static str = "month";
    const OPTION: &'static str = "--archive";
    const REPAIR: &'static str = "kt-archive replicate --repair";

    fn subject(&self) -> Subject {
        Subject::Month(DatasetMonth { dataset: self.dataset.clone(), month: self.month })
    }
}

impl ArchiveRecord for BackupManifest {
    const NAME: &'static str = "backups";
    const UNIT: &'static str = "commit";
    const OPTION: &'static str = "--backups";
    const REPAIR: &'static str = "kt-archive backup replicate --repair";

    fn subject(&self) -> Subject {
        Subject::Backup(format!("{} {}", self.content.kind(), self.sequence))
    }

    fn removes(&self) -> &[Link] {
        match &self.content {
            BackupContent::Removal(removal) => &removal.removed,
            _ => &[],
        }
    }
}

/// Removes objects from `sink`, and returns how many stay. Where the store refuses, for example because of Object Lock, logs
/// that once: what stays costs only space.
pub(crate) async fn remove_files(sink: &Sink, paths: impl IntoIterator<Item = &str>) -> u64 {
    let mut left = 0;
    for path in paths {
        if let Err(error) = sink.remove(path).await {
            if left == 0 {
                tracing::warn!(%error, "some files of removed backups stay in the store");
            }
            left += 1;
        }
    }
    left
}

/// Removes from `sink`, the archive or a copy of it, the files that `chain` has removed and that are still there, and returns
/// how many stay. A file that a manifest names that was not removed is kept.
pub(crate) async fn remove_removed<M: ArchiveRecord>(sink: &Sink, chain: &Chain<M>) -> Result<u64> {
    let removed = removed(chain.entries().iter().map(|entry| &entry.manifest));
    if removed.is_empty() {
        return Ok(0);
    }
    let (gone, kept): (Vec<_>, Vec<_>) =
        chain.entries().iter().partition(|entry| removed.contains(&entry.manifest.sequence()));
    let paths = |entries: Vec<&Entry<M>>| {
        let files = entries.into_iter().flat_map(|entry| entry.manifest.files());
        files.map(|file| file.object().path.to_owned()).collect::<HashSet<_>>()
    };
    let (gone, kept) = (paths(gone), paths(kept));
    let mut present = Vec::new();
    let mut objects = sink.list(None);
    while let Some(object) = objects.try_next().await? {
        if gone.contains(&object.path) && !kept.contains(&object.path) {
            present.push(object.path);
        }
    }
    Ok(remove_files(sink, present.iter().map(String::as_str)).await)
}

/// A store that contains an archive, before its chain is read.
///
/// [`verify`](crate::verify::verify) starts here; every other command needs the chain and opens an [`Archive`].
#[derive(Clone, Debug)]
pub struct ArchiveRoot<M = Manifest> {
    sink: Sink,
    identity: Identity,
    manifests: PhantomData<M>,
}

/// An archive whose chain of manifests was read and checked.
#[derive(Clone, Debug)]
pub struct Archive<M = Manifest> {
    root: ArchiveRoot<M>,
    chain: Chain<M>,
}

impl ArchiveRoot {
    /// Opens the archive at `location`; `None` if there is none.
    pub async fn find(location: &Location) -> Result<Option<Self>> {
        let sink = Sink::open(location)?;
        Ok(sink.identity::<Manifest>().await?.map(|identity| Self::new(sink, identity)))
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

    /// Creates an archive in `sink`, or opens the one that another host created there at the same time: all hosts
    /// continue with one identity.
    pub async fn create(sink: Sink, document: &ArchiveDocument) -> Result<Self> {
        let identity = sink.create::<Manifest>(document).await?;
        Ok(Self::new(sink, identity))
    }
}

impl<M: ArchiveRecord> ArchiveRoot<M> {
    /// Refuses a place for a new archive inside another one, of whatever kind, or around one: readers of the outer would
    /// see the files of the inner. What cannot be looked at, such as other prefixes of a bucket, does not count.
    pub async fn check_place(location: &Location) -> Result<()> {
        /// Objects that are looked at below a place that is not empty.
        const LOOKED_AT: usize = 1_000;
        let refused = |message: &str, other: String| {
            let error = Error::new(ErrorKind::Configuration, message.to_owned()).with_context(M::NAME, location.url());
            let hint = format!("name a place beside it with {}: events and backups are kept apart", M::OPTION);
            Err(error.with_context("other", other).with_hint(hint))
        };
        let sink = Sink::open(location)?;
        for above in location.above() {
            if let Ok(sink) = Sink::open(&above)
                && let Some(other) = root_in(&sink).await
            {
                let other = above.directory().map_or_else(|| other.to_owned(), |path| path.display().to_string());
                return refused("the place is inside another archive", other);
            }
        }
        if let Some(other) = root_in(&sink).await.filter(|other| *other != M::IDENTITY) {
            return refused("another archive is here", other.to_owned());
        }
        let mut objects = sink.list(None).take(LOOKED_AT);
        while let Some(object) = objects.next().await {
            let Ok(object) = object else { continue };
            if object.path.rsplit_once('/').is_some_and(|(_, name)| ROOTS.contains(&name)) {
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
}

/// The documents that identify archives of all kinds.
const ROOTS: [&str; 2] = [Manifest::IDENTITY, BackupManifest::IDENTITY];

/// The document that identifies the archive in `sink`, if it can be read and there is one.
async fn root_in(sink: &Sink) -> Option<&'static str> {
    for root in ROOTS {
        if matches!(sink.document(root).await, Ok(Some(_))) {
            return Some(root);
        }
    }
    None
}

impl<M: CommitRecord> ArchiveRoot<M> {
    /// Creates the handle from a store and the identity in it.
    pub const fn new(sink: Sink, identity: Identity) -> Self {
        Self { sink, identity, manifests: PhantomData }
    }

    /// Adds a chain that may be incomplete. Commits and replications read the missing manifests.
    pub const fn with_chain(self, chain: Chain<M>) -> Archive<M> {
        Archive { root: self, chain }
    }

    /// Reads the chain. Fails with [`ErrorKind::BrokenChain`] if it is broken.
    pub async fn read_chain(self) -> Result<Archive<M>> {
        let chain: Chain<M> = self.sink.chain(self.id()).await?;
        if !self.identity.is_named_by(&chain) {
            let message = format!("{} is not the one that the first manifest names", M::IDENTITY);
            let error = Error::new(ErrorKind::BrokenChain, message);
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
}

impl<M: CommitRecord> Archive<M> {
    /// Drops the chain.
    pub(crate) fn into_root(self) -> ArchiveRoot<M> {
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
    pub const fn chain(&self) -> &Chain<M> {
        &self.chain
    }

    /// The store and the chain, for a commit that extends the chain.
    pub(crate) const fn commit_parts(&mut self) -> (&Sink, &mut Chain<M>) {
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

//! The sink: the one place where objects of an archive are written and read.
//!
//! A [`Sink`] is a struct over an [`ObjectStore`]. What it does with a directory, a bucket or memory is the same code,
//! and tests make a store misbehave by wrapping it. Four rules hold for everything here:
//!
//! * **Confirmed, then named.** [`StoredFile`] is made by [`Sink::store`] alone, after the store confirmed the bytes,
//!   and manifests are made of `StoredFile`s alone ([`Sink::commit`]).
//! * **Written once.** Data files carry their digest in their name, documents are created only where nothing is. The
//!   one thing that is ever replaced is an object that does not hold the bytes that its name promises: a data file, or
//!   in the repair of a replica a document ([`Sink::replace_document`]).
//! * **A failed request proves nothing.** Whatever a store answers to a write but success, the object is read again,
//!   and what it holds decides.
//! * **No second retry.** The store repeats transient failures by itself, for a bounded time; nothing here repeats them
//!   again, except the creation of documents, where reading again is part of the protocol.

mod chain;
mod cloud;
mod commit;
mod directory;
mod document;
mod failure;
mod location;
mod orphans;
mod probe;
mod read;
mod upload;

pub use commit::{Commit, Draft, check_types};
pub use location::Location;
pub use probe::probe;
pub use read::StoredObject;
pub use upload::{StagedFile, StoredFile};

use crate::{Error, ErrorKind, Result};
use directory::Directory;
use failure::VariableNames;
use location::Place;
use object_store::{ObjectStore, path::Path};
use std::{fmt, sync::Arc};

/// How much is read or sent with one request. Stores want at least 5 MiB for each part but the last, and all of them of
/// one size; at most 10,000 parts make an object, so that it may have 78 GiB.
const PART: u64 = 8 * 1024 * 1024;

/// An archive's place. Cheap to clone, and safe to use from several tasks at once.
#[derive(Clone)]
pub struct Sink {
    store: Arc<dyn ObjectStore>,
    confirm: Confirm,
    directory: Option<Directory>,
    root: Root,
    url: Arc<str>,
    variables: VariableNames,
}

/// How a sink knows that the bytes that it sent are the bytes that lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The store checks the SHA-256 of every request, so that it is enough to see the object with its size.
    Checksum,
    /// The store checks nothing: the object is read back and hashed.
    ReadBack,
}

impl Sink {
    /// Opens the place that `location` names. Nothing is contacted or created yet: a store that cannot be reached
    /// fails at the first call, and a directory that does not exist has no archive.
    pub fn open(location: &Location) -> Result<Self> {
        let (url, variables) = (location.url().into(), cloud::variable_names(location.url()));
        match location.place() {
            Place::Directory(path) => {
                let directory = Directory::open(path)?;
                let (store, root) = (Arc::new(directory.clone()), directory.root());
                Ok(Self { store, confirm: Confirm::ReadBack, directory: Some(directory), root, url, variables })
            }
            Place::Bucket { bucket, prefix } => {
                let (store, confirm) = bucket.open(prefix)?;
                Ok(Self { store, confirm, directory: None, root: bucket.root(prefix), url, variables })
            }
        }
    }

    /// A sink over any store, such as one in memory or one that fails on purpose. `url` is what messages call it.
    pub fn from_store(store: Arc<dyn ObjectStore>, confirm: Confirm, url: &str) -> Self {
        let root = Root::new(url, Path::default());
        Self { store, confirm, directory: None, root, url: url.into(), variables: cloud::variable_names(url) }
    }

    /// The place as the user wrote it; it never holds a password or a query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The store's own form of a path. Paths may come out of a manifest that somebody tampered with, so one that leads
    /// out of the archive is refused here.
    fn location(&self, path: &str) -> Result<Path> {
        Path::parse(path).map_err(|_| {
            let error = Error::new(ErrorKind::BrokenChain, "not the path of an object of an archive");
            error.with_context("path", path.escape_debug()).with_context("archive", self.url())
        })
    }
}

/// Where a place begins, however its URL is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// The file system, or a bucket.
    store: String,
    prefix: Path,
}

impl Root {
    pub(super) fn new(store: impl Into<String>, prefix: Path) -> Self {
        Self { store: store.into(), prefix }
    }
}

impl Sink {
    /// Whether the two are one place, or one lies within the other: then the objects of one would be strangers in the
    /// other. Links to folders are followed; two names of one bucket are not found out.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (one, other) = (&self.root, &other.root);
        one.store == other.store
            && (one.prefix.prefix_matches(&other.prefix) || other.prefix.prefix_matches(&one.prefix))
    }
}

/// The store is left out: its options hold credentials.
impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sink").field("url", &self.url).field("confirm", &self.confirm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! The sink: writes and reads the objects of an archive.
//!
//! A [`Sink`] is a struct over an [`ObjectStore`]: directories, buckets and memory share all code, and tests inject
//! faults by wrapping the store. Five invariants hold:
//!
//! * **Confirmed, then named.** Only [`Sink::store`] makes a [`StoredFile`], after the store confirmed the bytes, and
//!   [`Sink::commit`] takes only `StoredFile`s into a manifest.
//! * **Flushed, then counted.** In a directory, an object counts only after it and the folders above it were flushed,
//!   whether it was written or found. A failed flush is final: reading the object back shows only what is in memory.
//! * **Written once.** Data files have their digest in their name; documents are created only if absent. Only objects
//!   with wrong bytes are replaced: data files, and documents in the repair of a replica
//!   ([`Sink::replace_document`]).
//! * **A failed write proves nothing.** After any failure of a write the object is read again, and its content decides.
//! * **No second retry.** The store retries transient failures for a bounded time. The sink does not retry again,
//!   except the creation of documents, whose protocol includes reading again.

mod chain;
mod cloud;
mod commit;
mod directory;
mod disk;
mod document;
mod failure;
mod location;
mod month_draft;
mod orphans;
mod probe;
mod read;
mod signed;
mod staging;
mod upload;
mod walk;

pub use commit::{Commit, Draft};
pub use document::Identity;
pub use location::Location;
pub use month_draft::{MonthDraft, check_types};
pub use probe::probe;
pub use read::StoredObject;
pub use signed::{ObjectLock, object_lock};
pub use staging::StagedFile;
pub use upload::StoredFile;

use crate::{Error, ErrorKind, Result};
use directory::Directory;
use failure::VariableNames;
use location::LocationKind;
use object_store::{ObjectStore, path::Path};
use std::{fmt, sync::Arc};

/// Bytes per request of reads and multipart uploads. Stores require parts of one size of at least 5 MiB, except the
/// last, and at most 10,000 parts, which limits an object to 78 GiB.
const PART: u64 = 8 * 1024 * 1024;

/// The store of an archive. Cheap to clone, and safe to use from several tasks at once.
#[derive(Clone)]
pub struct Sink {
    store: Arc<dyn ObjectStore>,
    confirm: Confirm,
    directory: Option<Arc<Directory>>,
    root: Root,
    url: Arc<str>,
    variables: VariableNames,
}

/// How a sink confirms that the store holds the bytes sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The store checks the SHA-256 of every request, so comparing the object's size is enough.
    Checksum,
    /// The store checks no digest: the object is read back and hashed.
    ReadBack,
}

/// Proof that an object survives a power failure.
#[derive(Clone, Copy, Debug)]
struct Durable(());

impl Sink {
    /// Makes an object that was written or found survive a power failure. Buckets respond only after that.
    async fn make_durable(&self, path: &str) -> Result<Durable> {
        if let Some(directory) = &self.directory {
            let flushed = directory.flush(&self.location(path)?).await;
            flushed.map_err(|error| self.failed("flush an object", path, &error))?;
        }
        Ok(Durable(()))
    }
}

impl Sink {
    /// Opens the store at `location` without contacting or creating anything: a store that cannot be reached fails at
    /// the first call, and a directory that does not exist holds no archive.
    pub fn open(location: &Location) -> Result<Self> {
        let (url, variables) = (location.url().into(), cloud::variable_names(location.url()));
        match location.kind() {
            LocationKind::Directory(path) => {
                let directory = Arc::new(Directory::open(path, location.file_mode())?);
                let (store, root) = (Arc::clone(&directory) as Arc<dyn ObjectStore>, directory.root());
                Ok(Self { store, confirm: Confirm::ReadBack, directory: Some(directory), root, url, variables })
            }
            LocationKind::Bucket { bucket, prefix } => {
                let bucket = bucket.checked()?;
                let (store, confirm) = bucket.open(prefix)?;
                Ok(Self { store, confirm, directory: None, root: bucket.root(prefix), url, variables })
            }
        }
    }

    /// A sink over any store, such as one in memory. Messages name it `url`.
    pub fn from_store(store: Arc<dyn ObjectStore>, confirm: Confirm, url: &str) -> Self {
        let root = Root::new(url, Path::default());
        Self { store, confirm, directory: None, root, url: url.into(), variables: cloud::variable_names(url) }
    }

    /// The location as the user wrote it, which never holds a password or a query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The store's form of `path`. Refuses paths that lead out of the archive: they may come from a manifest that was
    /// tampered with.
    fn location(&self, path: &str) -> Result<Path> {
        Path::parse(path).map_err(|_| {
            let error = Error::new(ErrorKind::BrokenChain, "not the path of an object of an archive");
            error.with_context("path", path.escape_debug()).with_context("archive", self.url())
        })
    }
}

/// The root of an archive, independent of the spelling of its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// `file`, or the URL of a bucket.
    store: String,
    prefix: Path,
}

impl Root {
    pub(super) fn new(store: impl Into<String>, prefix: Path) -> Self {
        Self { store: store.into(), prefix }
    }
}

impl Sink {
    /// Whether the two roots are the same, or one contains the other. Follows links to folders and bind mounts; does not
    /// detect two names of one bucket.
    pub fn overlaps(&self, other: &Self) -> bool {
        if let (Some(one), Some(other)) = (&self.directory, &other.directory) {
            return one.overlaps(other);
        }
        let (one, other) = (&self.root, &other.root);
        one.store == other.store
            && (one.prefix.prefix_matches(&other.prefix) || other.prefix.prefix_matches(&one.prefix))
    }
}

/// Omits the store, whose options hold credentials.
impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sink").field("url", &self.url).field("confirm", &self.confirm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

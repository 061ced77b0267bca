//! Reading objects: names and sizes, small documents, and files of any size piece by piece.

use super::{PART, Sink};
use crate::{Error, ErrorKind, Result};
use archive_formats::{Sha256, Timestamp, digest::Hasher};
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{ObjectMeta, ObjectStoreExt};
use std::ops::Range;

/// Blocks fetched concurrently: enough to hide a round trip, and at most 16 MiB.
const READ_AHEAD: usize = 2;

/// The largest document in bytes. A manifest takes about 400 bytes for each file, and 300 for each row group.
pub(super) const LARGEST_DOCUMENT: u64 = 64 * 1024 * 1024;

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Relative to the archive's root.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// When it was last modified, by the store's clock.
    pub modified_at: Timestamp,
}

impl From<ObjectMeta> for StoredObject {
    fn from(object: ObjectMeta) -> Self {
        let ObjectMeta { location, size, last_modified, .. } = object;
        Self { path: location.to_string(), bytes: size, modified_at: last_modified.into() }
    }
}

impl Sink {
    /// Every object below `folder`, or of the whole archive, in an order that depends on the store. A folder that does
    /// not exist is empty.
    pub fn list(&self, folder: Option<&str>) -> BoxStream<'static, Result<StoredObject>> {
        let prefix = match folder.map(|folder| self.location(folder)).transpose() {
            Ok(prefix) => prefix,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        self.listed(self.store.list(prefix.as_ref()), folder.unwrap_or_default())
    }

    /// Every object, as [`Sink::list`], but without what symbolic links lead to.
    pub fn list_without_links(&self) -> BoxStream<'static, Result<StoredObject>> {
        self.listed(self.directory.as_ref().map_or_else(|| self.store.list(None), |it| it.own_files()), "")
    }

    fn listed(
        &self,
        objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
        folder: &str,
    ) -> BoxStream<'static, Result<StoredObject>> {
        let (sink, folder) = (self.clone(), folder.to_owned());
        let failed = move |error| {
            sink.invalid_name(&error).unwrap_or_else(|| sink.failed("list the objects of the archive", &folder, &error))
        };
        objects.map_ok(StoredObject::from).map_err(failed).boxed()
    }

    /// The size of an object in bytes, or `None` if it does not exist.
    pub async fn head(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.find(path).await?.map(|object| object.bytes))
    }

    /// An object as a listing shows it, or `None` if it does not exist.
    pub async fn find(&self, path: &str) -> Result<Option<StoredObject>> {
        match self.store.head(&self.location(path)?).await {
            Ok(object) => Ok(Some(object.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look for an object", path, &error)),
        }
    }

    /// The content of a document (`archive.json`, a manifest, a `SHA256SUMS`), or `None` if it does not exist. Refuses
    /// documents above 64 MiB; for data files see [`Sink::read`].
    pub async fn document(&self, path: &str) -> Result<Option<Bytes>> {
        let failed = |error| self.failed("read a document", path, &error);
        let found = match self.store.get(&self.location(path)?).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        if found.meta.size > LARGEST_DOCUMENT {
            let error = Error::new(ErrorKind::BrokenChain, "too large for a document of an archive");
            return Err(error.with_context("path", path).with_context("archive", self.url()));
        }
        Ok(Some(found.bytes().await.map_err(failed)?))
    }

    /// The bytes of `range`, which must be within the object.
    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let expected = range.end.saturating_sub(range.start);
        let bytes = self.store.get_range(&self.location(path)?, range).await;
        let bytes = bytes.map_err(|error| self.failed("read a file", path, &error))?;
        if u64::try_from(bytes.len()) == Ok(expected) {
            Ok(bytes)
        } else {
            Err(self.object_error("is shorter than it was", path))
        }
    }

    /// The content of a file in blocks of at most 8 MiB. Each is one request, so that a slow line does not time out and
    /// a broken connection costs one block. Reads one block ahead.
    pub fn read(&self, path: &str) -> BoxStream<'static, Result<Bytes>> {
        let (sink, path) = (self.clone(), path.to_owned());
        let blocks = async move {
            let size = sink.head(&path).await?.ok_or_else(|| sink.object_error("is not there", &path))?;
            let whole = 0..size;
            Ok::<_, Error>(sink.read_ranges(&path, vec![whole]).map_ok(|(_, block)| block))
        };
        stream::once(blocks).try_flatten().boxed()
    }

    /// The bytes of `ranges`, which must be within the object, in blocks like those of [`Sink::read`], each with its
    /// offset in the object.
    pub fn read_ranges(&self, path: &str, ranges: Vec<Range<u64>>) -> BoxStream<'static, Result<(u64, Bytes)>> {
        let (sink, path) = (self.clone(), path.to_owned());
        let blocks = ranges.into_iter().flat_map(|Range { start, end }| {
            let starts = (0..end.saturating_sub(start).div_ceil(PART)).map(move |block| start + block * PART);
            starts.map(move |start| start..end.min(start.saturating_add(PART)))
        });
        let read = move |range: Range<u64>| {
            let (sink, path) = (sink.clone(), path.clone());
            async move { Ok((range.start, sink.read_range(&path, range).await?)) }
        };
        stream::iter(blocks).map(read).buffered(READ_AHEAD).boxed()
    }

    /// Reads an object and returns its size in bytes and its digest, or `None` if it does not exist.
    pub async fn digest(&self, path: &str) -> Result<Option<(u64, Sha256)>> {
        let Some(size) = self.head(path).await? else { return Ok(None) };
        let whole = 0..size;
        let mut blocks = self.read_ranges(path, vec![whole]);
        let mut hasher = Hasher::default();
        while let Some((_, block)) = blocks.try_next().await? {
            hasher = hash(hasher, block).await?;
        }
        Ok(Some((size, hasher.finish())))
    }

    pub(super) fn object_error(&self, what: &str, path: &str) -> Error {
        let error = Error::new(ErrorKind::Store, format!("an object of the archive {what}"));
        error.with_context("path", path).with_context("archive", self.url())
    }
}

/// Adds `block` to a digest on a blocking thread: 8 MiB take tens of milliseconds.
pub(super) async fn hash(mut hasher: Hasher, block: Bytes) -> Result<Hasher> {
    let grown = tokio::task::spawn_blocking(move || {
        hasher.update(&block);
        hasher
    });
    grown.await.map_err(|error| Error::new(ErrorKind::Internal, "hashing was interrupted").with_source(error))
}

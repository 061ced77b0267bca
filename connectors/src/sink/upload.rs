//! Stores data files: each is sent at most once, and confirmed by reading the store.

use super::{
    Confirm, Durable, PART, Sink,
    disk::Named,
    read::hash,
    staging::{StagedFile, local_parts},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{FileRecord, ObjectRecord, digest::Hasher, manifest::DataFile};
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload, path::Path};

/// Parts of one file sent concurrently. With the one that is being read, a file takes 32 MiB of memory.
const PARTS_IN_FLIGHT: usize = 3;

/// A file whose bytes the store confirmed, and which survives a power failure. Only the sink makes one, and manifests
/// name only these.
#[derive(Clone, Debug)]
pub struct StoredFile<F = DataFile> {
    file: F,
    _durable: Durable,
}

impl<F> StoredFile<F> {
    /// The entry of the file in a manifest.
    pub(crate) const fn file(&self) -> &F {
        &self.file
    }
}

/// Called with the number of further bytes sent or found.
type Report<'a> = &'a (dyn Fn(u64) + Send + Sync);
pub(super) type Parts<'a> = BoxStream<'a, Result<Bytes>>;

impl Sink {
    /// Stores a staged file under its name, and returns once the store confirmed its bytes.
    ///
    /// The name contains the digest, so an existing object of that name and size is read back first: if its bytes are
    /// equal, as after a crash, nothing is sent; otherwise it is replaced. A file that was staged in the folder of its
    /// object is not copied, but gets its name. Memory is bounded for any size. The local bytes are hashed again before
    /// they count, and a file that changed since it was staged is never stored. May be called again, also after a
    /// failure, and for several files concurrently. `progress` adds up to the file's size.
    ///
    /// Dropping the future leaves no object behind, but a bucket keeps the parts sent until its lifecycle rule for
    /// incomplete multipart uploads removes them.
    pub async fn store<F: FileRecord>(
        &self,
        staged: &StagedFile<F>,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<StoredFile<F>> {
        let file = staged.file.object();
        let parts = || {
            exactly(local_parts(&staged.local), file, || {
                let error = Error::new(ErrorKind::Local, "a staged file changed on the disk after it was written");
                error.with_context("path", staged.local.display()).with_hint("check the disk, and run again")
            })
        };
        let durable = match self.place(staged, parts()).await? {
            Some(durable) => {
                progress(file.bytes);
                durable
            }
            None => self.store_parts(file, parts(), &progress).await?.0,
        };
        Ok(StoredFile { file: staged.file.clone(), _durable: durable })
    }

    /// Gives a file that was staged in the folder of its object the object's name, after reading `parts`, its bytes.
    /// `None` if that is not possible: in a bucket, if an object has the name, or where the file system cannot do that.
    async fn place<F: FileRecord>(&self, staged: &StagedFile<F>, parts: Parts<'_>) -> Result<Option<Durable>> {
        let path = staged.file.object().path;
        let Some(directory) = self.directory.as_ref().filter(|it| it.file(path).parent() == staged.local.parent())
        else {
            return Ok(None);
        };
        if self.head(path).await?.is_some() {
            return Ok(None);
        }
        parts.try_for_each(|_| async { Ok(()) }).await?;
        let placed = directory.place(staged.local.clone(), &self.location(path)?).await;
        match placed.map_err(|error| self.failed("store a file", path, &error))? {
            None => return Ok(None),
            Some(Named::Moved) => staged.set_moved(),
            Some(Named::Linked) => {}
        }
        self.make_durable(path).await.map(Some)
    }

    /// Stores `file` from another archive like [`Sink::store`], and returns whether anything was sent. Fails with
    /// [`ErrorKind::BrokenChain`], and stores nothing, if the file is missing or damaged there.
    pub async fn copy(
        &self,
        from: &Self,
        file: &impl FileRecord,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<bool> {
        let file = file.object();
        let parts = from.read_committed(file, || from.damaged(file));
        let (_, is_sent) = self.store_parts(file, parts, &progress).await?;
        Ok(is_sent)
    }

    /// The bytes of a committed file. Yields the error `damaged`, at the beginning or at the end, if the file is missing or
    /// is not what was committed.
    pub fn read_committed<'a>(
        &'a self,
        file: ObjectRecord<'a>,
        damaged: impl Fn() -> Error + Clone + Send + 'a,
    ) -> BoxStream<'a, Result<Bytes>> {
        let is_missing = damaged.clone();
        let parts = stream::once(async move {
            if self.head(file.path).await? == Some(file.bytes) { Ok(self.read(file.path)) } else { Err(is_missing()) }
        });
        exactly(parts.try_flatten().boxed(), file, damaged)
    }

    pub(super) fn damaged(&self, file: ObjectRecord<'_>) -> Error {
        let error = Error::new(ErrorKind::BrokenChain, "a file of the archive is missing or damaged");
        error.with_context("path", file.path).with_context("archive", self.url()).with_hint(
            "`kt-archive verify` lists all damage; repair the file from a replica that holds it: \
             `kt-archive replicate --repair` with that replica as --archive, and this archive as --replica",
        )
    }

    /// Stores `file` unless the store holds it, and returns whether anything was sent.
    async fn store_parts(
        &self,
        file: ObjectRecord<'_>,
        parts: Parts<'_>,
        progress: Report<'_>,
    ) -> Result<(Durable, bool)> {
        if self.holds(file).await? {
            progress(file.bytes);
            return Ok((self.make_durable(file.path).await?, false));
        }
        let path = self.location(file.path)?;
        let sent = if file.bytes <= PART {
            self.put_whole(&path, parts, progress).await
        } else {
            self.put_parts(&path, parts, progress).await
        };
        match sent {
            Ok(()) => self.confirm(file).await?,
            // Perhaps only the response was lost.
            Err(error) if error.kind() == ErrorKind::Store => {
                if !self.holds(file).await.unwrap_or(false) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok((self.make_durable(file.path).await?, true))
    }

    /// Whether the store holds `file`, byte for byte. Reads only an object of the right size.
    async fn holds(&self, file: ObjectRecord<'_>) -> Result<bool> {
        Ok(self.head(file.path).await? == Some(file.bytes)
            && self.digest(file.path).await? == Some((file.bytes, file.sha256)))
    }

    async fn confirm(&self, file: ObjectRecord<'_>) -> Result<()> {
        let confirmed = match self.confirm {
            Confirm::Checksum => self.head(file.path).await? == Some(file.bytes),
            Confirm::ReadBack => self.digest(file.path).await? == Some((file.bytes, file.sha256)),
        };
        if confirmed { Ok(()) } else { Err(self.object_error("differs from the bytes stored", file.path)) }
    }

    async fn put_whole(&self, path: &Path, parts: Parts<'_>, progress: Report<'_>) -> Result<()> {
        let payload = parts.try_collect::<Vec<_>>().await?.into_iter().collect::<PutPayload>();
        let sent = amount(payload.content_length());
        self.store.put(path, payload).await.map_err(|error| self.failed("store a file", path.as_ref(), &error))?;
        progress(sent);
        Ok(())
    }

    async fn put_parts(&self, path: &Path, parts: Parts<'_>, progress: Report<'_>) -> Result<()> {
        let failed = |error| self.failed("store a file", path.as_ref(), &error);
        let mut upload = self.store.put_multipart(path).await.map_err(failed)?;
        let sent = async {
            self.send_parts(path, upload.as_mut(), parts, progress).await?;
            upload.complete().await.map_err(failed)
        };
        let sent = sent.await;
        if let Err(error) = sent {
            if let Err(left) = upload.abort().await {
                let left = self.failed("abort an upload", path.as_ref(), &left);
                tracing::debug!(path = path.as_ref(), error = %left, "could not remove the parts of a failed upload");
            }
            return Err(error);
        }
        Ok(())
    }

    async fn send_parts(
        &self,
        path: &Path,
        upload: &mut dyn MultipartUpload,
        parts: Parts<'_>,
        progress: Report<'_>,
    ) -> Result<()> {
        let sending = parts.map_ok(|part| {
            let bytes = amount(part.len());
            let sent = upload.put_part(part.into());
            async move {
                sent.await.map_err(|error| self.failed("store a file", path.as_ref(), &error))?;
                Ok(bytes)
            }
        });
        sending
            .try_buffer_unordered(PARTS_IN_FLIGHT)
            .try_for_each(|bytes| async move {
                progress(bytes);
                Ok(())
            })
            .await
    }
}

fn amount(bytes: usize) -> u64 {
    #[expect(clippy::expect_used, reason = "no supported platform has wider addresses")]
    u64::try_from(bytes).expect("a usize fits into 64 bits")
}

/// Yields `parts`, and an error at the end unless they are `file`, byte for byte. An upload is completed only after its
/// last part, so that error prevents the completion.
fn exactly<'a>(parts: Parts<'a>, file: ObjectRecord<'a>, differs: impl Fn() -> Error + Send + 'a) -> Parts<'a> {
    let start = (parts, Hasher::default(), 0, differs);
    Box::pin(stream::try_unfold(start, move |(mut parts, hasher, bytes, differs)| async move {
        match parts.try_next().await? {
            Some(part) => {
                let bytes = bytes + amount(part.len());
                if bytes > file.bytes {
                    return Err(differs());
                }
                let hasher = hash(hasher, part.clone()).await?;
                Ok(Some((part, (parts, hasher, bytes, differs))))
            }
            None if (bytes, hasher.finish()) == (file.bytes, file.sha256) => Ok(None),
            None => Err(differs()),
        }
    }))
}

//! A directory as a store whose writes survive a power failure.
//!
//! `object_store` renames and links files without flushing them. This wrapper flushes every file and the folders above
//! it before a write completes, and flushes a created file before its name appears, so that after a power failure a
//! manifest is complete or absent.

use super::Root;
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart, local::LocalFileSystem, path::Path,
    prefix::PrefixStore,
};
use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    ops::Range,
    path::{Component, PathBuf},
};

/// The store below a folder, which writing creates if needed.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    inner: PrefixStore<LocalFileSystem>,
    /// The root as a path of [`LocalFileSystem`].
    prefix: Path,
    root: PathBuf,
    /// The deepest folder that existed when the directory was opened. Folders above it need no flushing.
    anchor: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &std::path::Path) -> Result<Self> {
        let unusable = || {
            let error = Error::new(ErrorKind::Configuration, "not a path that an archive can have");
            error
                .with_context("path", path.display())
                .with_hint("check that the folders above it exist and are accessible")
        };
        let (anchor, root) = resolve(path).map_err(|error| unusable().with_source(error))?;
        // `LocalFileSystem` requires that its root exists, as `/` does.
        let prefix = Path::from_absolute_path(&root).map_err(|error| unusable().with_source(error))?;
        Ok(Self { inner: PrefixStore::new(LocalFileSystem::new(), prefix.clone()), prefix, root, anchor })
    }

    pub(super) fn root(&self) -> Root {
        Root::new("file", self.prefix.clone())
    }

    /// The deepest existing folder of the path, perhaps the directory itself.
    pub(super) fn anchor(&self) -> &std::path::Path {
        &self.anchor
    }

    /// The local path of an object or a folder.
    pub(super) fn file(&self, path: impl AsRef<str>) -> PathBuf {
        self.root.join(path.as_ref())
    }

    /// Names of the partial files of interrupted writes in `folder`: `…#1`, which listings omit.
    pub(super) fn leftovers(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.file(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
        let mut names = names.filter_map(io::Result::transpose).collect::<io::Result<Vec<_>>>()?;
        names.retain(|name| written_name(name).is_some());
        Ok(names)
    }
}

/// The name of the object that the leftover `name` is part of.
pub(super) fn written_name(name: &str) -> Option<&str> {
    let (written, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(written)
}

/// The deepest existing folder above `path`, and `path` without links and dots.
fn resolve(path: &std::path::Path) -> io::Result<(PathBuf, PathBuf)> {
    for ancestor in path.ancestors() {
        let anchor = match ancestor.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            anchor => anchor?,
        };
        let rest = path.strip_prefix(ancestor).map_err(io::Error::other)?;
        if rest.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the folder before .. does not exist"));
        }
        // Joining an empty path would add a slash.
        let root = if rest.as_os_str().is_empty() { anchor.clone() } else { anchor.join(rest) };
        return Ok((anchor, root));
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Flushes `file`, and every folder from its own up to `anchor`.
fn flush(file: &std::path::Path, anchor: &std::path::Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    flush_folders(file, anchor)
}

fn flush_folders(file: &std::path::Path, anchor: &std::path::Path) -> io::Result<()> {
    for folder in file.ancestors().skip(1) {
        match File::open(folder)?.sync_all() {
            // Some file systems neither support nor need the flush of a folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
            flushed => flushed?,
        }
        if folder == anchor {
            break;
        }
    }
    Ok(())
}

/// Writes and flushes a file next to `file`, then links it to that name. Fails if the name exists.
fn create(file: &std::path::Path, anchor: &std::path::Path, payload: &PutPayload) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let (mut staged, path) = stage(file)?;
    let linked = payload
        .iter()
        .try_for_each(|bytes| staged.write_all(bytes))
        .and_then(|()| staged.sync_all())
        .and_then(|()| fs::hard_link(&path, file));
    // A leftover is harmless, and removed after the commit of its month.
    drop(fs::remove_file(&path));
    linked?;
    flush_folders(file, anchor)
}

/// Creates a file beside `file`, under a name that listings omit.
fn stage(file: &std::path::Path) -> io::Result<(File, PathBuf)> {
    for number in 1_u32.. {
        let mut path = file.as_os_str().to_owned();
        path.push(format!("#{number}"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            staged => return Ok((staged?, path.into())),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static, location: &Path) -> object_store::Result<()> {
    let done = tokio::task::spawn_blocking(work).await?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            object_store::Error::AlreadyExists { path: location.to_string(), source: error.into() }
        }
        _ => object_store::Error::Generic { store: "directory", source: error.into() },
    })
}

impl fmt::Display for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Directory({})", self.root.display())
    }
}

#[async_trait::async_trait]
impl ObjectStore for Directory {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let (file, anchor) = (self.file(location), self.anchor.clone());
        if options.mode == PutMode::Create {
            blocking(move || create(&file, &anchor, &payload), location).await?;
            return Ok(PutResult { e_tag: None, version: None });
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        blocking(move || flush(&file, &anchor), location).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { inner, directory: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    directory: Directory,
    location: Path,
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let put = self.inner.complete().await?;
        let (file, anchor) = (self.directory.file(&self.location), self.directory.anchor.clone());
        blocking(move || flush(&file, &anchor), &self.location).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use object_store::ObjectStoreExt as _;

    #[tokio::test]
    async fn creates_missing_folders() {
        let folder = tempfile::tempdir().unwrap();
        let existing = folder.path().canonicalize().unwrap();
        let directory = Directory::open(&existing.join("x/a b#1%")).unwrap();
        assert_eq!(directory.anchor, existing);
        let path = Path::from("manifests/00000001.json");
        assert!(directory.list(None).next().await.is_none());
        for (mode, text) in [(PutMode::Create, "one"), (PutMode::Overwrite, "two")] {
            directory.put_opts(&path, text.into(), mode.into()).await.unwrap();
            assert_eq!(fs::read_to_string(directory.file(&path)).unwrap(), text);
            assert_eq!(directory.get(&path).await.unwrap().bytes().await.unwrap(), text);
        }
        assert_eq!(directory.list(None).next().await.unwrap().unwrap().location, path);
    }

    #[tokio::test]
    async fn create_refuses_an_existing_object() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let path = Path::from("archive.json");
        directory.put_opts(&path, "first".into(), PutMode::Create.into()).await.unwrap();
        let second = directory.put_opts(&path, "second".into(), PutMode::Create.into()).await;
        assert!(matches!(second, Err(object_store::Error::AlreadyExists { .. })), "{second:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no staged file is left");
    }

    #[test]
    fn resolves_links_and_dots() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("a")).unwrap();
        assert_eq!(Directory::open(&real.join("a/../b")).unwrap().root, real.join("b"));
        assert_eq!(Directory::open(&real.join("no/../b")).unwrap_err().kind(), ErrorKind::Configuration);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
            assert_eq!(Directory::open(&real.join("link/x")).unwrap().root, real.join("a/x"));
        }
    }
}

//! A directory as a store whose objects survive a power failure.
//!
//! `object_store` renames and links files without flushing them. Here the bytes of an object are flushed before its name
//! appears, so that after a power failure a manifest is complete or absent, and [`Directory::flush`] flushes the name.

use super::{
    Root,
    disk::{Disk, DiskError, Named, written_name},
    walk::{Links, walk},
};
use crate::{Error, ErrorKind};
use bytes::Bytes;
use futures::{FutureExt as _, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart, local::LocalFileSystem, path::Path,
    prefix::PrefixStore,
};
use std::{
    fmt, fs, io,
    ops::Range,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Component, PathBuf},
};
use tempfile::NamedTempFile;

/// The store below a folder, which writing creates if needed.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    inner: PrefixStore<LocalFileSystem>,
    /// The root as a path of [`LocalFileSystem`].
    prefix: Path,
    root: PathBuf,
    /// The deepest folder that existed when the directory was opened.
    anchor: PathBuf,
    disk: Disk,
}

impl Directory {
    pub(super) fn open(path: &std::path::Path, file_mode: u32) -> crate::Result<Self> {
        let unusable = || {
            let error = Error::new(ErrorKind::Configuration, "not a path that an archive can have");
            error
                .with_context("path", path.display())
                .with_hint("check that the folders above it exist and are accessible")
        };
        let (anchor, root) = resolve(path).map_err(|error| unusable().with_source(error))?;
        // `LocalFileSystem` requires that its root exists, as `/` does.
        let prefix = Path::from_absolute_path(&root).map_err(|error| unusable().with_source(error))?;
        let (inner, disk) =
            (PrefixStore::new(LocalFileSystem::new(), prefix.clone()), Disk::new(root.clone(), file_mode));
        Ok(Self { inner, prefix, root, anchor, disk })
    }

    pub(super) fn root(&self) -> Root {
        Root::new("file", self.prefix.clone())
    }

    /// The files below the folder, without links.
    pub(super) fn own_files(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        walk(self.root.clone(), &Path::default(), Links::PassOver)
    }

    /// The deepest existing folder of the path, perhaps the directory itself.
    pub(super) fn anchor(&self) -> &std::path::Path {
        &self.anchor
    }

    /// Whether the two are the same folder, or one contains the other, by whatever names.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        is_overlap(&ancestors(&self.root), &ancestors(&other.root))
    }

    /// Flushes the bytes and the name of an object.
    pub(super) async fn flush(&self, location: &Path) -> object_store::Result<()> {
        let (disk, file) = (self.disk.clone(), self.file(location));
        blocking(move || disk.flush(&file), location).await
    }

    /// Begins a file that will be an object beside `location`; see [`Disk::begin`].
    pub(super) fn begin(&self, location: &Path) -> Result<NamedTempFile, DiskError> {
        self.disk.begin(&self.file(location))
    }

    /// Makes the begun file an object; see [`Disk::place`].
    pub(super) async fn place(&self, begun: PathBuf, location: &Path) -> object_store::Result<Option<Named>> {
        let (disk, file) = (self.disk.clone(), self.file(location));
        blocking(move || disk.place(&begun, &file), location).await
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

/// An existing folder.
#[derive(Debug)]
struct Ancestor {
    /// Device and inode: a bind mount gives a folder a second name, but no second inode.
    id: (u64, u64),
    /// The path from there to the root.
    rest: PathBuf,
}

/// The existing folders above `root`, and itself.
fn ancestors(root: &std::path::Path) -> Vec<Ancestor> {
    let ancestor = |folder: &std::path::Path| {
        let metadata = fs::metadata(folder).ok()?;
        let rest = root.strip_prefix(folder).ok()?.to_owned();
        Some(Ancestor { id: (metadata.dev(), metadata.ino()), rest })
    };
    root.ancestors().filter_map(ancestor).collect()
}

fn is_overlap(ours: &[Ancestor], theirs: &[Ancestor]) -> bool {
    let pairs = ours.iter().flat_map(|one| theirs.iter().map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one.id == other.id)
        .any(|(one, other)| one.rest.starts_with(&other.rest) || other.rest.starts_with(&one.rest))
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

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    location: &Path,
) -> object_store::Result<T> {
    tokio::task::spawn_blocking(work).await?.map_err(|error| match error {
        DiskError::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            object_store::Error::AlreadyExists { path: location.to_string(), source: error.into() }
        }
        DiskError::Io(error) => object_store::Error::Generic { store: "directory", source: error.into() },
        DiskError::Flush(_) | DiskError::NoExclusiveNames(_) => {
            object_store::Error::Generic { store: "directory", source: error.into() }
        }
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
        let (disk, file) = (self.disk.clone(), self.file(location));
        blocking(move || disk.write(&file, &payload, &options.mode), location).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let (disk, file) = (self.disk.clone(), self.file(location));
        let begun = blocking(move || disk.begin(&file), location).await?;
        Ok(Box::new(Upload { begun: Some(begun), bytes: 0, directory: self.clone(), location: location.clone() }))
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
        walk(self.root.clone(), prefix.unwrap_or(&Path::default()), Links::Follow)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The error of a part, or of an end, after the end of an upload.
fn ended() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// A file that is written in parts.
#[derive(Debug)]
struct Upload {
    /// `None` after the end.
    begun: Option<NamedTempFile>,
    /// The bytes of all parts so far.
    bytes: u64,
    directory: Directory,
    location: Path,
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (start, location) = (self.bytes, self.location.clone());
        self.bytes += data.content_length() as u64;
        let file = self.begun.as_ref().map(|begun| begun.as_file().try_clone());
        let write = move || {
            let file = file.ok_or_else(ended)??;
            let mut offset = start;
            for bytes in &data {
                file.write_all_at(bytes, offset)?;
                offset += bytes.len() as u64;
            }
            Ok(())
        };
        async move { blocking(write, &location).await }.boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let (disk, file) = (self.directory.disk.clone(), self.directory.file(&self.location));
        let begun = self.begun.take();
        let publish = move || disk.publish(begun.ok_or_else(ended)?, &file, &PutMode::Overwrite);
        blocking(publish, &self.location).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        drop(self.begun.take());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use object_store::ObjectStoreExt as _;

    fn open(path: &std::path::Path) -> crate::Result<Directory> {
        Directory::open(path, crate::sink::Location::FILE_MODE)
    }

    #[tokio::test]
    async fn creates_missing_folders() {
        let folder = tempfile::tempdir().unwrap();
        let existing = folder.path().canonicalize().unwrap();
        let directory = open(&existing.join("x/a b#1%")).unwrap();
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
        let directory = open(folder.path()).unwrap();
        let path = Path::from("archive.json");
        directory.put_opts(&path, "first".into(), PutMode::Create.into()).await.unwrap();
        let second = directory.put_opts(&path, "second".into(), PutMode::Create.into()).await;
        assert!(matches!(second, Err(object_store::Error::AlreadyExists { .. })), "{second:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no staged file is left");
    }

    #[tokio::test]
    async fn only_an_existing_object_is_reported_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let directory = open(folder.path()).unwrap();
        let too_long = directory.put_opts(&Path::from("a".repeat(255)), "text".into(), PutMode::Create.into()).await;
        assert!(matches!(too_long, Err(object_store::Error::Generic { .. })), "{too_long:?}");
    }

    #[tokio::test]
    async fn parts_follow_each_other_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = open(folder.path()).unwrap();
        let path = Path::from("file");
        let mut upload = directory.put_multipart(&path).await.unwrap();
        let pieces = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")].into_iter().collect::<PutPayload>();
        let parts = [upload.put_part(pieces), upload.put_part("d".into())];
        for part in parts.into_iter().rev() {
            part.await.unwrap();
        }
        upload.complete().await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "abcd");
    }

    #[tokio::test]
    async fn an_aborted_upload_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let directory = open(folder.path()).unwrap();
        let mut upload = directory.put_multipart(&Path::from("file")).await.unwrap();
        upload.put_part("half".into()).await.unwrap();
        upload.abort().await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(upload.put_part("rest".into()).await.is_err());
        assert!(upload.complete().await.is_err());
    }

    #[test]
    fn a_folder_under_two_names_overlaps_with_itself() {
        let ancestor = |inode, rest: &str| Ancestor { id: (1, inode), rest: rest.into() };
        // /data/archive, where /mnt/data is a bind mount of /data.
        let archive = |inode| vec![ancestor(inode, ""), ancestor(3, "archive"), ancestor(2, "data/archive")];
        let mounted = |rest: &str| vec![ancestor(3, rest), ancestor(5, "data"), ancestor(2, "mnt/data")];
        for inside in ["archive", "archive/deeper", ""] {
            assert!(is_overlap(&archive(4), &mounted(inside)), "{inside}");
        }
        assert!(!is_overlap(&archive(4), &mounted("other")));
        // The archive itself is mounted elsewhere.
        assert!(is_overlap(&archive(4), &[ancestor(4, ""), ancestor(2, "replica")]));
        assert!(!is_overlap(&archive(4), &[ancestor(6, ""), ancestor(2, "replica")]));
    }

    #[test]
    fn resolves_links_and_dots() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("a")).unwrap();
        assert_eq!(open(&real.join("a/../b")).unwrap().root, real.join("b"));
        assert_eq!(open(&real.join("no/../b")).unwrap_err().kind(), ErrorKind::Configuration);
        fs::write(real.join("file"), "").unwrap();
        assert_eq!(open(&real.join("file/b")).unwrap_err().kind(), ErrorKind::Configuration);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
            assert_eq!(open(&real.join("link/x")).unwrap().root, real.join("a/x"));
        }
    }
}

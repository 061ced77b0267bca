//! Artifacts on the local disk, written while they download and reused after a crash.
//!
//! An artifact is complete if its metadata file is beside it. The metadata is removed before the first byte of a new
//! artifact is written, and written after the last byte is on disk, so a crash never leaves metadata without its
//! artifact.

use crate::{Error, ErrorKind, Result, error::local};
use archive_formats::{Sha256, digest::DigestWriter};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{ErrorKind as IoErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// A folder of artifacts, each under a key that is a valid file name.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
}

/// A complete artifact on disk.
#[derive(Clone, Debug)]
pub(crate) struct Spooled {
    /// The local path.
    pub(crate) path: PathBuf,
    /// Size in bytes, as delivered.
    pub(crate) bytes: u64,
    /// The digest of these bytes.
    pub(crate) sha256: Sha256,
    /// The metadata of the source.
    pub(crate) metadata: Value,
}

#[derive(Serialize, Deserialize)]
struct MetadataFile {
    bytes: u64,
    sha256: Sha256,
    #[serde(rename = "note")]
    metadata: Value,
}

impl Spool {
    /// The spool in `folder`, which is created with the first artifact.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The complete artifact under `key`. One whose size differs from its metadata counts as absent.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<Spooled>> {
        let (path, metadata_path) = (self.artifact(key), self.metadata(key));
        on_blocking_thread(move || {
            let Some(bytes) = read_if_exists(&metadata_path)? else { return Ok(None) };
            let Ok(MetadataFile { bytes, sha256, metadata }) = serde_json::from_slice(&bytes) else { return Ok(None) };
            let is_complete = fs::metadata(&path).is_ok_and(|file| file.len() == bytes);
            Ok(is_complete.then_some(Spooled { path, bytes, sha256, metadata }))
        })
        .await
    }

    /// Begins the artifact under `key`. An earlier one is no longer complete.
    pub(crate) async fn begin(&self, key: &str) -> Result<SpoolWriter> {
        let (folder, part, metadata) = (self.folder.clone(), self.part(key), self.metadata(key));
        let (artifact, writing) = (self.artifact(key), part.clone());
        let file = on_blocking_thread(move || {
            create_private_folder(&folder)?;
            remove_if_exists(&metadata)?;
            // A write of an earlier attempt may still be under way, and goes to a file without a name then.
            remove_if_exists(&part)?;
            open_private(&part).map_err(local("create the spool file", &part))
        })
        .await?;
        let file = Arc::new(Mutex::new(DigestWriter::new(file)));
        Ok(SpoolWriter { file, bytes: 0, writing: None, part: writing, artifact, metadata: self.metadata(key) })
    }

    /// Removes the metadata of `key`, so that later runs do not find the artifact. Its bytes stay.
    pub(crate) fn forget(&self, key: &str) -> Result<()> {
        remove_if_exists(&self.metadata(key))
    }

    /// Removes all files under `key`.
    pub(crate) fn remove(&self, key: &str) -> Result<()> {
        remove_if_exists(&self.metadata(key))?;
        remove_if_exists(&self.part(key))?;
        remove_if_exists(&self.artifact(key))
    }

    fn artifact(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.artifact"))
    }

    fn part(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.part"))
    }

    fn metadata(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

/// An artifact that is being written.
#[derive(Debug)]
pub(crate) struct SpoolWriter {
    file: Arc<Mutex<DigestWriter<File>>>,
    /// Those that are being written included.
    bytes: u64,
    /// The write of the last blocks.
    writing: Option<JoinHandle<Result<()>>>,
    part: PathBuf,
    artifact: PathBuf,
    metadata: PathBuf,
}

impl SpoolWriter {
    /// Bytes appended so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends `blocks`. They are hashed and written on a blocking thread while the caller receives the next ones; the
    /// next call waits for that, and returns its error.
    pub(crate) async fn append(&mut self, blocks: Vec<Bytes>) -> Result<()> {
        self.wait().await?;
        self.bytes += blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        let (file, part) = (Arc::clone(&self.file), self.part.clone());
        self.writing = Some(spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.iter().try_for_each(|block| file.write_all(block)).map_err(local("write the spool file", &part))
        }));
        Ok(())
    }

    /// Waits until all blocks are written.
    async fn wait(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        written.map_err(stopped)?
    }

    /// Discards all bytes written so far.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.wait().await?;
        let part = self.part.clone();
        let file =
            on_blocking_thread(move || open_private(&part).map_err(local("create the spool file", &part))).await?;
        self.file = Arc::new(Mutex::new(DigestWriter::new(file)));
        self.bytes = 0;
        Ok(())
    }

    /// Flushes all bytes to disk.
    pub(crate) async fn close(mut self) -> Result<ClosedSpool> {
        self.wait().await?;
        let Self { file, part, artifact, metadata, .. } = self;
        on_blocking_thread(move || {
            let Some(file) = Arc::into_inner(file) else {
                return Err(Error::new(ErrorKind::Internal, "the spool file is still being written"));
            };
            let (file, bytes, sha256) = file.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
            file.sync_all().map_err(local("flush the spool file", &part))?;
            Ok(ClosedSpool { part, artifact, metadata, bytes, sha256 })
        })
        .await
    }
}

/// An artifact whose bytes are all on disk. It is complete only after [`ClosedSpool::finish`].
#[derive(Debug)]
pub(crate) struct ClosedSpool {
    part: PathBuf,
    artifact: PathBuf,
    metadata: PathBuf,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// The digest of these bytes.
    pub(crate) sha256: Sha256,
}

impl ClosedSpool {
    /// The path of the bytes.
    pub(crate) fn path(&self) -> &Path {
        &self.part
    }

    /// Completes the artifact with the source's `metadata`.
    pub(crate) async fn finish(self, metadata: Value) -> Result<Spooled> {
        on_blocking_thread(move || {
            fs::rename(&self.part, &self.artifact).map_err(local("rename the spool file", &self.artifact))?;
            let document = MetadataFile { bytes: self.bytes, sha256: self.sha256, metadata };
            write_durably(&self.metadata, &document)?;
            let metadata = document.metadata;
            Ok(Spooled { path: self.artifact, bytes: self.bytes, sha256: self.sha256, metadata })
        })
        .await
    }
}

/// Runs file operations on a thread that may block.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(stopped)?
}

fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a worker thread failed").with_source(error)
}

/// The turn of one writer in a folder of state documents. The others wait until it is dropped, so that a temporary file
/// that is found was left by a killed one. Where folders cannot be locked, no writer waits, and such files stay.
#[derive(Debug)]
pub struct Turn {
    folder: PathBuf,
    lock: File,
}

impl Turn {
    /// Creates `folder`, and waits for a turn in it.
    pub fn wait(folder: &Path) -> Result<Self> {
        create_private_folder(folder)?;
        let failed = || local("write into the state folder", folder);
        let lock = File::open(folder).map_err(failed())?;
        if lock.lock().is_ok() {
            remove_temporary(folder).map_err(failed())?;
        }
        Ok(Self { folder: folder.to_owned(), lock })
    }

    /// Replaces the JSON document `path` in the folder, with mode 0600. A crash leaves the old one or the new one.
    pub fn write(&self, path: &Path, document: &impl Serialize) -> Result<()> {
        let failed = || local("write the state file", path);
        let mut bytes = serde_json::to_vec_pretty(document)
            .map_err(|error| Error::new(ErrorKind::Internal, "could not encode a state file").with_source(error))?;
        bytes.push(b'\n');
        // tempfile creates files with mode 0600.
        let begun = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder);
        let mut file = begun.map_err(failed())?;
        file.write_all(&bytes).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(path).map_err(|error| failed()(error.error))?;
        self.lock.sync_all().map_err(failed())
    }
}

/// Replaces a JSON document in a [`Turn`] of its own.
pub fn write_durably(path: &Path, document: &impl Serialize) -> Result<()> {
    Turn::wait(path.parent().unwrap_or(Path::new(".")))?.write(path, document)
}

/// The start of the names of files that are not complete.
const TEMPORARY: &str = ".tmp";

fn remove_temporary(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_temporary = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        if is_temporary && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The bytes of a file, or `None` if it does not exist.
pub(crate) fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
        Err(error) => Err(local("read the state file", path)(error)),
    }
}

/// Removes a file if it exists.
pub(crate) fn remove_if_exists(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != IoErrorKind::NotFound => Err(local("remove the file", path)(error)),
        _ => Ok(()),
    }
}

fn create_private_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(local("create the folder", folder))
}

/// Creates or truncates a file with mode 0600.
fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(spool: &Spool, blocks: &[&'static str]) -> Spooled {
        let mut writer = spool.begin("k").await.unwrap();
        writer.append(blocks.iter().map(|block| Bytes::from_static(block.as_bytes())).collect()).await.unwrap();
        writer.close().await.unwrap().finish(Value::from("seen")).await.unwrap()
    }

    #[tokio::test]
    async fn a_complete_artifact_is_found_with_digest_and_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("spool"));
        assert!(spool.find("k").await.unwrap().is_none());
        spooled(&spool, &["ab", "c"]).await;
        let found = spool.find("k").await.unwrap().unwrap();
        assert_eq!((found.bytes, found.sha256, found.metadata), (3, Sha256::digest(b"abc"), Value::from("seen")));
        assert_eq!(fs::read(found.path).unwrap(), b"abc");
        spool.remove("k").unwrap();
        assert!(spool.find("k").await.unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn an_artifact_that_is_begun_again_is_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        spooled(&spool, &["old"]).await;
        let mut writer = spool.begin("k").await.unwrap();
        writer.append(vec![Bytes::from_static(b"half")]).await.unwrap();
        assert_eq!(writer.bytes(), 4);
        writer.restart().await.unwrap();
        assert_eq!(writer.bytes(), 0);
        assert!(spool.find("k").await.unwrap().is_none());
        writer.append(vec![Bytes::from_static(b"new")]).await.unwrap();
        let spooled = writer.close().await.unwrap().finish(Value::Null).await.unwrap();
        assert_eq!((fs::read(spooled.path).unwrap(), spooled.sha256), (b"new".to_vec(), Sha256::digest(b"new")));
    }

    #[tokio::test]
    async fn a_write_that_failed_is_never_part_of_an_artifact() {
        let folder = tempfile::tempdir().unwrap();
        for end in ["append", "restart", "close"] {
            let mut writer = Spool::new(folder.path().to_owned()).begin("k").await.unwrap();
            // A file that is open for reading alone refuses every write.
            writer.file = Arc::new(Mutex::new(DigestWriter::new(File::open(&writer.part).unwrap())));
            writer.append(vec![Bytes::from_static(b"lost")]).await.unwrap();
            let error = match end {
                "append" => writer.append(vec![Bytes::from_static(b"more")]).await.unwrap_err(),
                "restart" => writer.restart().await.unwrap_err(),
                _ => writer.close().await.unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::Local, "{end}");
        }
    }

    #[tokio::test]
    async fn a_late_write_of_an_earlier_attempt_does_not_reach_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let earlier = spool.begin("k").await.unwrap();
        let artifact = spooled(&spool, &["abc"]).await;
        earlier.file.lock().unwrap().write_all(b"late").unwrap();
        assert_eq!(fs::read(artifact.path).unwrap(), b"abc");
    }

    #[tokio::test]
    async fn a_forgotten_artifact_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let artifact = spooled(&spool, &["abc"]).await;
        spool.forget("k").unwrap();
        assert!(spool.find("k").await.unwrap().is_none());
        assert!(artifact.path.try_exists().unwrap(), "its bytes stay");
    }

    #[test]
    fn only_a_missing_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert_eq!(read_if_exists(&missing).unwrap(), None);
        remove_if_exists(&missing).unwrap();
        assert_eq!(read_if_exists(folder.path()).unwrap_err().kind(), ErrorKind::Local);
        assert_eq!(remove_if_exists(folder.path()).unwrap_err().kind(), ErrorKind::Local);
    }

    #[tokio::test]
    async fn an_artifact_whose_size_differs_from_its_metadata_is_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let artifact = spooled(&spool, &["abc"]).await;
        fs::write(artifact.path, b"ab").unwrap();
        assert!(spool.find("k").await.unwrap().is_none());
    }

    #[test]
    fn a_write_removes_what_a_killed_one_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tmpAb1234"), "half").unwrap();
        fs::create_dir(folder.path().join(".tmpFolder")).unwrap();
        for turn in 0..2 {
            write_durably(&folder.path().join("document.json"), &turn).unwrap();
        }
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names, [".tmpFolder", "document.json"].map(Into::into).into());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn spooled_files_are_readable_by_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("spool"));
        let artifact = spooled(&spool, &["abc"]).await;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("spool")), 0o700);
        assert_eq!((mode(&artifact.path), mode(&artifact.path.with_extension("json"))), (0o600, 0o600));
    }
}

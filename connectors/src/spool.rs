//! Artifacts on the local disk: written while they download, found again after a crash.
//!
//! An artifact is whole when its note lies beside it. The note is removed before the first byte of a new artifact is
//! written and written after the last one is on disk, so a crash leaves either both or no note.

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

/// A folder of artifacts, each under a key that is safe as a file name.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// A whole artifact on disk.
#[derive(Clone, Debug)]
pub struct Spooled {
    /// Where it lies.
    pub path: PathBuf,
    /// How many bytes were delivered.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Sha256,
    /// What the source needs to know about it.
    pub note: Value,
}

#[derive(Serialize, Deserialize)]
struct Sidecar {
    bytes: u64,
    sha256: Sha256,
    note: Value,
}

impl Spool {
    /// The spool in `folder`, which is made when the first artifact comes.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The whole artifact under `key`, if there is one. One whose size is not what the note says counts as absent.
    pub async fn find(&self, key: &str) -> Result<Option<Spooled>> {
        let (path, note) = (self.artifact(key), self.note(key));
        on_blocking_thread(move || {
            let Some(bytes) = read_if_there(&note)? else { return Ok(None) };
            let Ok(Sidecar { bytes, sha256, note }) = serde_json::from_slice(&bytes) else { return Ok(None) };
            let whole = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes);
            Ok(whole.then_some(Spooled { path, bytes, sha256, note }))
        })
        .await
    }

    /// Begins the artifact under `key`; what was there under it is no longer whole.
    pub async fn begin(&self, key: &str) -> Result<SpoolWriter> {
        let (folder, part, note) = (self.folder.clone(), self.part(key), self.note(key));
        let (artifact, writing) = (self.artifact(key), part.clone());
        let file = on_blocking_thread(move || {
            create_private_folder(&folder)?;
            remove_if_there(&note)?;
            open_private(&part).map_err(local("create the spool file", &part))
        })
        .await?;
        let file = Arc::new(Mutex::new(DigestWriter::new(file)));
        Ok(SpoolWriter { file, bytes: 0, part: writing, artifact, note: self.note(key) })
    }

    /// Makes the artifact under `key` one that a later run does not find; its bytes stay.
    pub fn forget(&self, key: &str) -> Result<()> {
        remove_if_there(&self.note(key))
    }

    /// Removes all there is under `key`.
    pub fn remove(&self, key: &str) -> Result<()> {
        remove_if_there(&self.note(key))?;
        remove_if_there(&self.part(key))?;
        remove_if_there(&self.artifact(key))
    }

    fn artifact(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.artifact"))
    }

    fn part(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.part"))
    }

    fn note(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

/// An artifact that is being written.
#[derive(Debug)]
pub struct SpoolWriter {
    file: Arc<Mutex<DigestWriter<File>>>,
    bytes: u64,
    part: PathBuf,
    artifact: PathBuf,
    note: PathBuf,
}

impl SpoolWriter {
    /// Bytes written so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the bytes lie until the artifact is whole.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Adds `blocks`. Writing and hashing happen on a blocking thread.
    pub async fn append(&mut self, blocks: Vec<Bytes>) -> Result<()> {
        let (file, part) = (Arc::clone(&self.file), self.part.clone());
        self.bytes = on_blocking_thread(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            for block in &blocks {
                file.write_all(block).map_err(local("write the spool file", &part))?;
            }
            Ok(file.bytes())
        })
        .await?;
        Ok(())
    }

    /// Forgets all that was written.
    pub async fn restart(&mut self) -> Result<()> {
        let part = self.part.clone();
        let file =
            on_blocking_thread(move || open_private(&part).map_err(local("create the spool file", &part))).await?;
        self.file = Arc::new(Mutex::new(DigestWriter::new(file)));
        self.bytes = 0;
        Ok(())
    }

    /// Ends the writing: all bytes are on disk then.
    pub async fn close(self) -> Result<ClosedSpool> {
        let Self { file, part, artifact, note, .. } = self;
        on_blocking_thread(move || {
            let Some(file) = Arc::into_inner(file) else {
                return Err(Error::new(ErrorKind::Internal, "the spool file is still being written"));
            };
            let (file, bytes, sha256) = file.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
            file.sync_all().map_err(local("flush the spool file", &part))?;
            Ok(ClosedSpool { part, artifact, note, bytes, sha256 })
        })
        .await
    }
}

/// An artifact whose bytes are all on disk, and which is not whole before its owner has looked at it.
#[derive(Debug)]
pub struct ClosedSpool {
    part: PathBuf,
    artifact: PathBuf,
    note: PathBuf,
    /// How many bytes were written.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Sha256,
}

impl ClosedSpool {
    /// Where the bytes lie.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Makes the artifact whole, with `note` beside it.
    pub async fn finish(self, note: Value) -> Result<Spooled> {
        on_blocking_thread(move || {
            fs::rename(&self.part, &self.artifact).map_err(local("rename the spool file", &self.artifact))?;
            let document = Sidecar { bytes: self.bytes, sha256: self.sha256, note };
            write_durably(&self.note, &document)?;
            Ok(Spooled { path: self.artifact, bytes: self.bytes, sha256: self.sha256, note: document.note })
        })
        .await
    }
}

/// Runs file operations where they may block.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let finished = tokio::task::spawn_blocking(work).await;
    finished.map_err(|error| Error::new(ErrorKind::Internal, "a worker thread failed").with_source(error))?
}

/// Writes a JSON document so that a crash leaves the old one or the new one, readable by its owner alone.
pub fn write_durably(path: &Path, document: &impl Serialize) -> Result<()> {
    let failed = || local("write the state file", path);
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_folder(folder)?;
    let mut bytes = serde_json::to_vec_pretty(document)
        .map_err(|error| Error::new(ErrorKind::Internal, "could not encode a state file").with_source(error))?;
    bytes.push(b'\n');
    // The crate makes temporary files with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
    file.write_all(&bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    sync_folder(folder).map_err(failed())
}

/// The bytes of a file, or nothing when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
        Err(error) => Err(local("read the state file", path)(error)),
    }
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
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

/// A new, empty file in place of whatever was there.
fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
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
    async fn a_whole_artifact_is_found_again_with_its_digest_and_note() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("spool"));
        assert!(spool.find("k").await.unwrap().is_none());
        spooled(&spool, &["ab", "c"]).await;
        let found = spool.find("k").await.unwrap().unwrap();
        assert_eq!((found.bytes, found.sha256, found.note), (3, Sha256::digest(b"abc"), Value::from("seen")));
        assert_eq!(fs::read(found.path).unwrap(), b"abc");
        spool.remove("k").unwrap();
        assert!(spool.find("k").await.unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn an_artifact_that_was_begun_again_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        spooled(&spool, &["old"]).await;
        let mut writer = spool.begin("k").await.unwrap();
        writer.append(vec![Bytes::from_static(b"half")]).await.unwrap();
        writer.restart().await.unwrap();
        assert_eq!(writer.bytes(), 0);
        assert!(spool.find("k").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_artifact_of_another_size_than_its_note_says_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let artifact = spooled(&spool, &["abc"]).await;
        fs::write(artifact.path, b"ab").unwrap();
        assert!(spool.find("k").await.unwrap().is_none());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_what_is_spooled() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("spool"));
        let artifact = spooled(&spool, &["abc"]).await;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("spool")), 0o700);
        assert_eq!((mode(&artifact.path), mode(&artifact.path.with_extension("json"))), (0o600, 0o600));
    }
}

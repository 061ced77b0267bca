//! Files that survive a power failure: bytes are flushed before they have a name, and names before they count.

use crate::error::limit_hint;
use object_store::{PutMode, PutPayload};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::NamedTempFile;

/// A folder whose files survive a power failure. Clones share the memory of a failed flush.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Less the umask.
    file_mode: u32,
    /// A failed flush is final: the system may drop what it could not write, and the next flush then succeeds without
    /// it.
    flush_failed: Arc<AtomicBool>,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    /// A step other than a flush failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes or the name of a file may not be on the disk, even if they can be read.
    #[error("not flushed: {0}")]
    Flush(#[source] io::Error),
    /// No file can be given a name only if the name is free.
    #[error("the file system has neither exclusive renames nor hard links: {0}")]
    NoExclusiveNames(#[source] io::Error),
}

impl DiskError {
    /// What the user can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Io(error) => io_hint(error).unwrap_or(CHECK_FOLDER),
            Self::Flush(_) => "check the disk and its file system (`dmesg`), then run again",
            Self::NoExclusiveNames(_) => {
                "two runs could both commit: keep the archive on another file system, such as ext4, XFS or NFS, or in a \
                 bucket"
            }
        }
    }
}

const CHECK_FOLDER: &str = "check the owner and the mode of the archive's folder";

/// What the user can do about an error in the archive's folder, if its kind is known.
pub(super) fn io_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("free some space"),
        io::ErrorKind::PermissionDenied => Some(CHECK_FOLDER),
        _ => limit_hint(error),
    }
}

type Result<T> = std::result::Result<T, DiskError>;

/// How a begun file got its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The name it was begun with is free again.
    Moved,
    /// It has both names.
    Linked,
}

/// The name of the file that the begun file `name` is for.
pub(super) fn written_name(name: &str) -> Option<&str> {
    let (written, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(written)
}

/// Gives a file a name that is free. Some file systems have exclusive renames, others hard links.
fn name_exclusively(begun: &Path, file: &Path) -> Result<Named> {
    match renameat_with(CWD, begun, CWD, file, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(Named::Moved),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    fs::hard_link(begun, file).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::PERM | Errno::NOSYS | Errno::NOTSUP) => DiskError::NoExclusiveNames(error),
        _ => error.into(),
    })?;
    Ok(Named::Linked)
}

impl Disk {
    pub(super) fn new(root: PathBuf, file_mode: u32) -> Self {
        Self { root, file_mode, flush_failed: Arc::default() }
    }

    /// Writes a whole file. Its name is not flushed yet.
    pub(super) fn write(&self, file: &Path, payload: &PutPayload, mode: &PutMode) -> Result<()> {
        let mut begun = self.begin(file)?;
        payload.iter().try_for_each(|bytes| begun.write_all(bytes))?;
        self.publish(begun, file, mode)
    }

    /// Begins the file `file` beside it, as `…#1`, which listings omit. The bytes are removed unless they are published.
    pub(super) fn begin(&self, file: &Path) -> Result<NamedTempFile> {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        };
        self.create_folder(folder)?;
        for number in 1_u32.. {
            let suffix = format!("#{number}");
            let mut builder = tempfile::Builder::new();
            builder.prefix(name).suffix(&suffix).rand_bytes(0).permissions(Permissions::from_mode(self.file_mode));
            match builder.tempfile_in(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                begun => return Ok(begun?),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
    }

    /// Flushes the bytes of a file, then gives it its name. The name is not flushed yet.
    pub(super) fn publish(&self, begun: NamedTempFile, file: &Path, mode: &PutMode) -> Result<()> {
        self.flushed(begun.as_file().sync_all())?;
        let begun = begun.into_temp_path();
        match mode {
            PutMode::Create => {
                if name_exclusively(&begun, file)? == Named::Moved {
                    // Another writer may use the name now.
                    drop(begun.keep());
                }
                Ok(())
            }
            PutMode::Overwrite | PutMode::Update(_) => Ok(begun.persist(file).map_err(|error| error.error)?),
        }
    }

    /// Flushes the bytes of a file that was begun here, then gives it the name `file`; `None` if the name is taken, or if the
    /// file system cannot tell. The name is not flushed yet.
    pub(super) fn place(&self, begun: &Path, file: &Path) -> Result<Option<Named>> {
        self.flushed(File::open(begun)?.sync_all())?;
        match name_exclusively(begun, file) {
            Err(DiskError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(DiskError::NoExclusiveNames(_)) => Ok(None),
            named => named.map(Some),
        }
    }

    /// Flushes a file, and every folder above it up to the parent of the root: a run that was killed may have left any of
    /// them unflushed.
    pub(super) fn flush(&self, file: &Path) -> Result<()> {
        self.flushed(File::open(file)?.sync_all())?;
        let top = self.root.parent().unwrap_or(&self.root);
        file.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).try_for_each(|it| self.flush_folder(it))
    }

    /// Creates `folder` and those above it. Each one's own name is flushed before it holds another, so that at most the
    /// last one of a killed run is unflushed.
    fn create_folder(&self, folder: &Path) -> Result<()> {
        let Some(parent) = folder.parent().filter(|_| !folder.is_dir()) else { return Ok(()) };
        self.create_folder(parent)?;
        if let Some(above) = parent.parent() {
            self.flush_folder(above)?;
        }
        // Who may read the files may search the folders.
        let mode = self.file_mode | 0o100 | (self.file_mode & 0o044) >> 2;
        match DirBuilder::new().mode(mode).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            created => Ok(created?),
        }
    }

    fn flush_folder(&self, folder: &Path) -> Result<()> {
        let opened = match File::open(folder) {
            // Folders above the archive may belong to another user.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !folder.starts_with(&self.root) => {
                return Ok(());
            }
            opened => opened?,
        };
        match opened.sync_all() {
            // Some file systems neither support nor need the flush of a folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            flushed => self.flushed(flushed),
        }
    }

    /// The outcome of a flush, which fails if an earlier one did.
    fn flushed(&self, flushed: io::Result<()>) -> Result<()> {
        if self.flush_failed.fetch_or(flushed.is_err(), Ordering::SeqCst) {
            return Err(DiskError::Flush(flushed.err().unwrap_or_else(|| io::Error::other("an earlier flush failed"))));
        }
        flushed.map_err(DiskError::Flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(file_mode: u32) -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned(), file_mode);
        (folder, disk)
    }

    #[test]
    fn full_disk_has_its_own_hint() {
        let hint = |kind: io::ErrorKind| DiskError::Io(kind.into()).hint();
        assert_eq!(hint(io::ErrorKind::StorageFull), "free some space");
        assert_eq!([io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory].map(hint), [CHECK_FOLDER; 2]);
    }

    #[test]
    fn begun_files_end_with_a_number() {
        for (name, written) in [("a#1", Some("a")), ("a#1#23", Some("a#1")), ("a", None), ("a#", None), ("a#1x", None)]
        {
            assert_eq!(written_name(name), written, "{name}");
        }
    }

    #[test]
    fn a_file_is_begun_beside_what_a_killed_run_left() {
        let (folder, disk) = disk(0o600);
        fs::write(folder.path().join("a#1"), "half").unwrap();
        let begun = disk.begin(&folder.path().join("a")).unwrap();
        assert_eq!(begun.path(), folder.path().join("a#2"));
    }

    #[test]
    fn a_name_that_the_file_system_refuses_is_an_error() {
        let (folder, disk) = disk(0o600);
        let refused = disk.begin(&folder.path().join("a".repeat(255))).unwrap_err();
        assert!(matches!(refused, DiskError::Io(_)), "{refused}");
    }

    #[test]
    fn readers_of_files_may_search_the_folders() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (file, folder) in [(0o600, 0o700), (0o640, 0o750), (0o604, 0o705), (0o644, 0o755)] {
            let (root, disk) = disk(file);
            let open = root.path().join("open");
            DirBuilder::new().mode(0o777).create(&open).unwrap();
            disk.begin(&root.path().join("a/b/file")).unwrap();
            assert_eq!(mode(&root.path().join("a/b")), folder & mode(&open), "{file:o}, less the umask");
        }
    }

    #[test]
    fn a_failed_flush_is_final() {
        let (_folder, disk) = disk(0o600);
        disk.flushed(Ok(())).unwrap();
        let clone = disk.clone();
        assert!(matches!(clone.flushed(Err(io::Error::other("EIO"))), Err(DiskError::Flush(_))));
        assert!(matches!(disk.flushed(Ok(())), Err(DiskError::Flush(_))));
    }
}

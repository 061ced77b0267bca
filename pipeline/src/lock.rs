//! A lock that allows one run at a time.

use crate::state::private_folder;
use archive_connectors::{Error, ErrorKind, Result, error::local};
use std::{
    fs::{File, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// A lock held for the lifetime of the value. The system releases it when the process ends, even by a crash, so there
/// is no stale lock to remove.
#[derive(Debug)]
pub(crate) struct Lock {
    _files: Vec<File>,
}

impl Lock {
    /// Locks the archive with the UUID `archive`, for users of the state folder, and a directory archive for every
    /// process of this host. On object stores, create-only manifests keep two hosts apart. Messages name the archive by
    /// `url`.
    pub(crate) fn acquire(state: &Path, archive: &str, url: &str, directory: Option<&Path>) -> Result<Self> {
        let folder = private_folder(state.join("locks"))?;
        let path = folder.join(format!("{archive}.lock"));
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let mut files = vec![lock(file.map_err(local("open the lock", &path))?, url)?];
        if let Some(directory) = directory {
            // The folder itself is locked: a lock file in it would not be part of the archive, and the parent folder
            // may belong to another user.
            let folder = File::open(directory).map_err(local("open the archive's folder", directory))?;
            files.extend(lock_folder(folder, url)?);
        }
        Ok(Self { _files: files })
    }
}

fn lock(file: File, url: &str) -> Result<File> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(held(url)),
        Err(TryLockError::Error(error)) => Err(Error::new(ErrorKind::Local, "could not lock the archive")
            .with_context("archive", url)
            .with_source(error)
            .with_hint("choose a --state-dir on a file system with locks (`flock`), such as a local disk")),
    }
}

/// Some network file systems cannot lock a folder; there, only the lock in the state folder applies.
fn lock_folder(folder: File, url: &str) -> Result<Option<File>> {
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(held(url)),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(
                archive = url,
                %error,
                "the file system of the archive has no locks: let only one host and one --state-dir write to it",
            );
            Ok(None)
        }
    }
}

fn held(url: &str) -> Error {
    Error::new(ErrorKind::Locked, "another run works on this archive")
        .with_context("archive", url)
        .with_hint("wait until it is done; its lock goes when its process ends")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_run_fails_while_the_first_holds_the_lock() {
        let state = tempfile::tempdir().unwrap();
        let first = Lock::acquire(state.path(), "one", "s3://bucket", None).unwrap();
        let second = Lock::acquire(state.path(), "one", "s3://bucket/", None).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Locked);
        assert!(Lock::acquire(state.path(), "other", "s3://other", None).is_ok());
        drop(first);
        assert!(Lock::acquire(state.path(), "one", "s3://bucket", None).is_ok());
    }

    #[test]
    fn directory_archive_is_locked_across_state_folders() {
        let (archive, one, other) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _first = Lock::acquire(one.path(), "one", "a", Some(archive.path())).unwrap();
        let second = Lock::acquire(other.path(), "one", "a", Some(archive.path())).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Locked);
        assert_eq!(std::fs::read_dir(archive.path()).unwrap().count(), 0, "nothing is left in the archive");
    }
}

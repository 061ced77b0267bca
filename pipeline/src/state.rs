//! The state folder: locks, journal, spool, staging. Losing it costs time, never data.

use archive_connectors::{Result, error::local, sink::Location};
use archive_formats::Sha256;
use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Creates `folder` and its parents, readable only by their owner: it holds events in transit.
pub(crate) fn private_folder(folder: PathBuf) -> Result<PathBuf> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(local("make a folder for the state", &folder))?;
    Ok(folder)
}

/// The name of what is known of one copy of an archive: what is true here proves nothing about a copy elsewhere.
pub(crate) fn place(location: &Location) -> String {
    Sha256::digest(location.place().as_bytes()).short()
}

/// Private folder of a read-only command. Removed on drop, or by the next command of its kind.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    /// Marks the folder as in use.
    _lock: File,
}

impl Scratch {
    /// Creates a folder below `kind`, and removes those of killed commands. Falls back to the system's temporary folder
    /// if the state folder is not writable.
    pub(crate) fn new(state: &Path, kind: &str) -> Result<Self> {
        Self::below(state, kind).or_else(|error| {
            tracing::debug!(%error, "fetched files go to the system's folder for temporary files");
            let made = TempDir::with_prefix("kt-archive-").map_err(|_| error)?;
            let lock = File::open(made.path()).map_err(local("make a folder for fetched files", made.path()))?;
            Ok(Self { folder: made, _lock: lock })
        })
    }

    fn below(state: &Path, kind: &str) -> Result<Self> {
        let folder = private_folder(state.join(kind))?;
        let failed = || local("make a folder for fetched files", &folder);
        // Serialized: a folder counts as abandoned until its owner has locked it.
        let all = File::open(&folder).map_err(failed())?;
        if all.lock().is_ok() {
            for left in fs::read_dir(&folder).map_err(failed())?.flatten().map(|entry| entry.path()) {
                if File::open(&left).is_ok_and(|left| left.try_lock().is_ok()) {
                    drop(fs::remove_dir_all(&left));
                }
            }
        }
        let made = TempDir::new_in(&folder).map_err(failed())?;
        let lock = File::open(made.path()).map_err(failed())?;
        // Where folders cannot be locked, none is removed.
        drop(lock.try_lock());
        Ok(Self { folder: made, _lock: lock })
    }

    /// Path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder for files on their way into `archive`, emptied of the leftovers of crashed runs. Requires the archive's
/// lock.
pub(crate) fn staging(state: &Path, archive: &str) -> Result<PathBuf> {
    let folder = private_folder(state.join("staging").join(archive))?;
    for left in fs::read_dir(&folder).map_err(local("look into the staging folder", &folder))? {
        let left = left.map_err(local("look into the staging folder", &folder))?;
        let (path, kind) = (left.path(), left.file_type());
        let is_folder = kind.map_err(local("look into the staging folder", &folder))?.is_dir();
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(local("remove what a crashed run left", &path))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_abandoned_folders_and_keeps_those_in_use() {
        let state = tempfile::tempdir().unwrap();
        let used = Scratch::new(state.path(), "pull").unwrap();
        fs::write(used.path().join("file"), "events").unwrap();
        let left = state.path().join("pull/left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "events").unwrap();
        let next = Scratch::new(state.path(), "pull").unwrap();
        assert!(!left.is_dir() && used.path().join("file").is_file() && next.path().is_dir());
        drop((used, next));
        assert_eq!(fs::read_dir(state.path().join("pull")).unwrap().count(), 0);
    }
}

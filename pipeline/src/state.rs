//! The state folder: locks, journal, spool, staging. Losing it costs time, never data.

use archive_connectors::{Result, error::local};
use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Makes `folder` and what is missing above it, readable for its owner alone: it holds events on their way.
pub fn private_folder(folder: PathBuf) -> Result<PathBuf> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(local("make a folder for the state", &folder))?;
    Ok(folder)
}

/// A private folder of a command that only reads. It vanishes with this value, or with the next command of its kind.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Shows the others that somebody works there.
    _lock: File,
}

impl Scratch {
    /// A new folder below `kind`, from which those that killed commands left are removed. Without a writable state
    /// folder it is made in the system's folder for temporary files.
    pub fn new(state: &Path, kind: &str) -> Result<Self> {
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
        // One after another: a folder is taken for left until its owner has locked it.
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
        // Where folders cannot be locked, none is ever removed.
        drop(lock.try_lock());
        Ok(Self { folder: made, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder for files on their way into `archive`, emptied of what a crashed run left. Only for the holder of the
/// archive's lock.
pub fn staging(state: &Path, archive: &str) -> Result<PathBuf> {
    let folder = private_folder(state.join("staging").join(archive))?;
    for left in fs::read_dir(&folder).map_err(local("look into the staging folder", &folder))? {
        let path = left.map_err(local("look into the staging folder", &folder))?.path();
        fs::remove_dir_all(&path).map_err(local("remove what a crashed run left", &path))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_command_left_goes_with_the_next_one_and_what_is_in_use_stays() {
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

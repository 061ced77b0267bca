//! The state folder: locks, journal, spool, staging. Losing it costs time, never data.

use archive_connectors::{Result, error::local};
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Makes `folder` and what is missing above it, readable for its owner alone: it holds events on their way.
pub fn private_folder(folder: PathBuf) -> Result<PathBuf> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(local("make a folder for the state", &folder))?;
    Ok(folder)
}

/// The folder for files on their way into `archive`, emptied of what a crashed run left. Only for the holder of the
/// archive's lock.
pub fn staging(state: &Path, archive: &str) -> Result<PathBuf> {
    let folder = private_folder(state.join("staging").join(archive))?;
    for left in std::fs::read_dir(&folder).map_err(local("look into the staging folder", &folder))? {
        let path = left.map_err(local("look into the staging folder", &folder))?.path();
        std::fs::remove_dir_all(&path).map_err(local("remove what a crashed run left", &path))?;
    }
    Ok(folder)
}

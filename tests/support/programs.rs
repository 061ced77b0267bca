//! PostgreSQL's own programs, or scripts in place of them, for tests of the library.

use super::postgres::program;
use archive_connectors::postgres::programs::ProgramOptions;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

/// Runs `work` to its end.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// The programs in `folder`.
pub(crate) fn options_in(folder: &Path) -> ProgramOptions {
    ProgramOptions::new(Some(folder.to_owned()), None, &path_variable)
}

/// The variables of a process that has only a PATH.
pub(crate) fn path_variable(name: &str) -> Option<String> {
    (name == "PATH").then(|| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// A folder with links to the programs, and scripts in place of some of them.
pub(crate) fn folder_with(scripts: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pg_dump", "pg_dumpall", "pg_restore"] {
        match scripts.iter().find(|(replaced, _)| *replaced == name) {
            Some((_, script)) => write_script(&folder.path().join(name), script),
            None => symlink(program(name), folder.path().join(name)).unwrap(),
        }
    }
    folder
}

pub(crate) fn write_script(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/bash\nset -eu -o pipefail\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

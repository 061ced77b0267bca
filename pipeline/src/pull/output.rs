//! The output of a slice: two files, published together.

use crate::output::{OutputFile, write_failed};
use archive_connectors::Result;
use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
};
use tempfile::TempPath;

/// Name prefix of the temporary files.
const COMMAND: &str = "pull";

/// The paths of a slice and its manifest.
#[derive(Clone, Debug)]
pub(super) struct Output {
    slice: OutputFile,
    manifest: OutputFile,
}

/// A slice being written to a temporary file, which is deleted on drop.
#[derive(Debug)]
pub(super) struct Draft {
    output: Output,
    path: TempPath,
    /// Keeps the lock of the temporary file, so that no other pull takes it for abandoned.
    _lock: File,
}

impl Output {
    /// Checks, before any work is done, that a slice can be written to `path`.
    pub(super) fn new(path: &Path, force: bool) -> Result<Self> {
        Ok(Self { slice: OutputFile::new(path, force)?, manifest: OutputFile::new(&beside(path), force)? })
    }

    /// Rejects a path inside the archive, where a slice would look like one of its files.
    pub(super) fn outside_of(self, archive: Option<&Path>) -> Result<Self> {
        Ok(Self { slice: self.slice.outside_of(archive)?, ..self })
    }

    pub(super) fn slice(&self) -> &Path {
        self.slice.path()
    }

    pub(super) fn manifest(&self) -> &Path {
        self.manifest.path()
    }

    /// Creates the temporary file of the slice.
    pub(super) fn begin(&self) -> Result<(Draft, File)> {
        let (file, path) = self.slice.begin(COMMAND)?.into_parts();
        let lock = file.try_clone().map_err(write_failed(self.slice()))?;
        Ok((Draft { output: self.clone(), path, _lock: lock }, file))
    }
}

impl Draft {
    /// Renames the synced slice and its manifest to their final names, the slice last: if it exists, so does the
    /// manifest. Existing files are replaced only on request.
    pub(super) fn publish(self, manifest: &[u8]) -> Result<()> {
        let Output { slice, manifest: beside } = &self.output;
        beside.write(COMMAND, manifest)?;
        if let Err(error) = slice.publish(self.path) {
            if !slice.replaces() {
                drop(fs::remove_file(beside.path()));
            }
            return Err(error);
        }
        slice.flush()
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".manifest.json");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::ErrorKind;
    use std::{io::Write as _, os::unix::fs::symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>();
        names.sort();
        names
    }

    #[test]
    fn unpublished_slice_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(&folder.path().join("slice.csv"), false).unwrap();
        let (draft, _file) = output.begin().unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(draft);
        assert_eq!(names(folder.path()), [] as [String; 0]);
    }

    #[test]
    fn keeps_files_created_in_the_meantime() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.csv");
        for taken in ["slice.csv", "slice.csv.manifest.json"] {
            let (draft, _file) = Output::new(&path, false).unwrap().begin().unwrap();
            fs::write(folder.path().join(taken), "theirs").unwrap();
            assert_eq!(draft.publish(b"{}").unwrap_err().kind(), ErrorKind::Configuration, "{taken}");
            assert_eq!(names(folder.path()), [taken]);
            assert_eq!(fs::read(folder.path().join(taken)).unwrap(), b"theirs");
            fs::remove_file(folder.path().join(taken)).unwrap();
        }
    }

    #[test]
    fn force_replaces_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.csv");
        fs::write(&path, "old").unwrap();
        assert_eq!(Output::new(&path, false).unwrap_err().kind(), ErrorKind::Configuration);
        let (draft, mut file) = Output::new(&path, true).unwrap().begin().unwrap();
        file.write_all(b"new").unwrap();
        draft.publish(b"{}").unwrap();
        assert_eq!(names(folder.path()), ["slice.csv", "slice.csv.manifest.json"]);
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn rejects_a_manifest_path_that_is_not_a_plain_file() {
        let folder = tempfile::tempdir().unwrap();
        symlink("elsewhere", folder.path().join("slice.csv.manifest.json")).unwrap();
        assert!(Output::new(&folder.path().join("slice.csv"), true).is_err());
    }
}

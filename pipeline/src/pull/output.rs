//! Where a slice goes: two files that appear whole or not at all.

use archive_connectors::{Error, ErrorKind, Result, error::local};
use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{ErrorKind as IoErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};

/// The paths of a slice and of the manifest beside it.
#[derive(Clone, Debug)]
pub(super) struct Output {
    slice: PathBuf,
    manifest: PathBuf,
    folder: PathBuf,
    force: bool,
}

/// A slice that is being written, under a name that nobody looks for. It vanishes with this value.
#[derive(Debug)]
pub(super) struct Draft {
    output: Output,
    path: TempPath,
}

impl Output {
    /// Looks whether a slice can be written to `path`, so that nobody waits for one that has no place.
    pub(super) fn new(path: &Path, force: bool) -> Result<Self> {
        let unusable = |message: &str| {
            Error::new(ErrorKind::Configuration, message.to_owned()).with_context("output", path.display())
        };
        if path.file_name().is_none() || path.is_dir() {
            return Err(unusable("the output is a folder").with_hint("name a file in it"));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(unusable("the folder of the output does not exist").with_hint("make it, or choose another"));
        }
        let output = Self { slice: path.to_owned(), manifest: beside(path), folder, force };
        for path in [&output.slice, &output.manifest] {
            match fs::symlink_metadata(path) {
                Ok(_) if !force => return Err(taken(path)),
                // Whoever is root would replace `/dev/null` for everybody.
                Ok(found) if !found.is_file() => {
                    let error = Error::new(ErrorKind::Configuration, "what is there is no plain file");
                    return Err(error.with_context("path", path.display()).with_hint("choose another --output"));
                }
                _ => {}
            }
        }
        Ok(output)
    }

    /// Refuses a place inside of the archive, where a slice would be taken for one of its files.
    pub(super) fn outside_of(self, archive: Option<&Path>) -> Result<Self> {
        let inside = archive.and_then(|archive| archive.canonicalize().ok());
        let folder = self.folder.canonicalize().map_err(local("look for the folder of the output", &self.folder))?;
        if inside.is_some_and(|archive| folder.starts_with(archive)) {
            return Err(Error::new(ErrorKind::Configuration, "the output lies in the archive")
                .with_context("output", self.slice.display())
                .with_hint("choose a folder outside of it"));
        }
        Ok(self)
    }

    pub(super) fn slice(&self) -> &Path {
        &self.slice
    }

    pub(super) fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// Begins the slice.
    pub(super) fn begin(&self) -> Result<(Draft, File)> {
        let (file, path) = self.hidden()?.into_parts();
        Ok((Draft { output: self.clone(), path }, file))
    }

    /// A file in the same folder. Other people may read it as far as the process' mask lets them, like what any command
    /// writes.
    fn hidden(&self) -> Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".kt-archive-pull-").suffix(".part").permissions(Permissions::from_mode(0o666));
        builder.tempfile_in(&self.folder).map_err(write_failed(&self.slice))
    }
}

impl Draft {
    /// Gives the slice, whose bytes are on disk, and its manifest their names. The slice comes last: where it is, the
    /// manifest is too. What is there already is never replaced, unless that was asked for.
    pub(super) fn publish(self, manifest: &[u8]) -> Result<()> {
        let Output { slice, manifest: beside, folder, force } = &self.output;
        let mut file = self.output.hidden()?;
        file.write_all(manifest).map_err(write_failed(beside))?;
        file.as_file().sync_all().map_err(write_failed(beside))?;
        let path = file.into_temp_path();
        if *force {
            path.persist(beside).map_err(|error| write_failed(beside)(error.error))?;
            self.path.persist(slice).map_err(|error| write_failed(slice)(error.error))?;
        } else {
            path.persist_noclobber(beside).map_err(|error| not_created(beside, error.error))?;
            if let Err(error) = self.path.persist_noclobber(slice) {
                drop(fs::remove_file(beside));
                return Err(not_created(slice, error.error));
            }
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(local("flush the folder of the output", folder))
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".manifest.json");
    name.into()
}

fn taken(path: &Path) -> Error {
    Error::new(ErrorKind::Configuration, "the output exists")
        .with_context("path", path.display())
        .with_hint("choose another --output, or replace it with --force")
}

fn not_created(path: &Path, error: std::io::Error) -> Error {
    if error.kind() == IoErrorKind::AlreadyExists { taken(path) } else { write_failed(path)(error) }
}

/// Why a slice cannot be written.
pub(super) fn write_failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| {
        let is_full = matches!(error.kind(), IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded);
        let failed = local("write the slice", &path)(error);
        if is_full { failed.with_hint("free some space, or choose another --output") } else { failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    fn names(folder: &Path) -> Vec<String> {
        let mut names = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>();
        names.sort();
        names
    }

    #[test]
    fn a_slice_that_is_not_published_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(&folder.path().join("slice.csv"), false).unwrap();
        let (draft, _file) = output.begin().unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(draft);
        assert_eq!(names(folder.path()), [] as [String; 0]);
    }

    #[test]
    fn what_came_in_the_meantime_is_not_replaced() {
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
    fn with_force_both_files_are_replaced() {
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
    fn force_replaces_plain_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = |name: &str, target: &str| symlink(target, folder.path().join(name)).unwrap();
        link("to-a-device", "/dev/null");
        link("to-a-file", "slice.csv");
        link("slice.csv.manifest.json", "elsewhere");
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        for name in ["to-a-device", "to-a-file", "socket", "slice.csv"] {
            let refused = Output::new(&folder.path().join(name), true).map_err(|error| error.kind());
            assert_eq!(refused.err(), Some(ErrorKind::Configuration), "{name}");
        }
    }

    #[test]
    fn places_that_cannot_hold_a_slice_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("archive")).unwrap();
        let refused = |name: &str| Output::new(&folder.path().join(name), true).map_err(|error| error.kind()).err();
        for name in ["", "archive", "missing/slice.csv", ".."] {
            assert_eq!(refused(name), Some(ErrorKind::Configuration), "{name:?}");
        }
        let inside = Output::new(&folder.path().join("archive/slice.csv"), false).unwrap();
        assert!(inside.outside_of(Some(&folder.path().join("archive"))).is_err());
        let outside = Output::new(&folder.path().join("slice.csv"), false).unwrap();
        assert!(outside.outside_of(Some(&folder.path().join("archive"))).is_ok());
    }
}

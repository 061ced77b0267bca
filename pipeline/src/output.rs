//! Output files: published atomically, and existing files are replaced only on request.

use archive_connectors::{Error, ErrorKind, Result, error::local};
use std::{
    fs::{self, File, Permissions},
    io::{ErrorKind as IoErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};

/// How the names of temporary files end.
const PART: &str = ".part";

/// A file to be written.
#[derive(Clone, Debug)]
pub struct OutputFile {
    path: PathBuf,
    folder: PathBuf,
    force: bool,
}

impl OutputFile {
    /// Checks, before any work is done, that a file can be written to `path`. An existing file is replaced only with
    /// `force`.
    pub fn new(path: &Path, force: bool) -> Result<Self> {
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
        match fs::symlink_metadata(path) {
            Ok(_) if !force => return Err(taken(path)),
            // As root, this would replace `/dev/null` for the whole host.
            Ok(found) if !found.is_file() => {
                let error = Error::new(ErrorKind::Configuration, "what is there is no plain file");
                return Err(error.with_context("path", path.display()).with_hint("choose another --output"));
            }
            _ => {}
        }
        Ok(Self { path: path.to_owned(), folder, force })
    }

    /// Rejects a path inside the archive, where the file would look like part of it.
    pub fn outside_of(self, archive: Option<&Path>) -> Result<Self> {
        let inside = archive.and_then(|archive| archive.canonicalize().ok());
        let folder = self.folder.canonicalize().map_err(local("look for the folder of the output", &self.folder))?;
        if inside.is_some_and(|archive| folder.starts_with(archive)) {
            return Err(Error::new(ErrorKind::Configuration, "the output is inside the archive")
                .with_context("output", self.path.display())
                .with_hint("choose a folder outside of it"));
        }
        Ok(self)
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a temporary file in the same folder, named after `command`, locked while it is open, and deleted on drop.
    /// Its permissions follow the process' umask. Removes those of killed commands, whose locks are gone.
    pub fn begin(&self, command: &str) -> Result<NamedTempFile> {
        let (prefix, mode) = (format!(".kt-archive-{command}-"), Permissions::from_mode(0o666));
        self.remove_abandoned(&prefix);
        let begun = tempfile::Builder::new().prefix(&prefix).suffix(PART).permissions(mode).tempfile_in(&self.folder);
        let begun = begun.map_err(write_failed(&self.path))?;
        // Where files cannot be locked, none is removed.
        drop(begun.as_file().try_lock());
        Ok(begun)
    }

    fn remove_abandoned(&self, prefix: &str) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_ours = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(PART));
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_ours && is_file && File::open(entry.path()).is_ok_and(|left| left.try_lock().is_ok()) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    /// Renames a synced temporary file to its final name. A file created there in the meantime is kept, unless it may
    /// be replaced.
    pub fn publish(&self, begun: TempPath) -> Result<()> {
        let published = if self.force { begun.persist(&self.path) } else { begun.persist_noclobber(&self.path) };
        published.map_err(|error| match error.error.kind() {
            IoErrorKind::AlreadyExists => taken(&self.path),
            _ => write_failed(&self.path)(error.error),
        })
    }

    /// Writes and publishes the whole file. It is durable when this returns.
    pub fn write(&self, command: &str, content: &[u8]) -> Result<()> {
        let mut begun = self.begin(command)?;
        let written = begun.write_all(content).and_then(|()| begun.as_file().sync_all());
        written.map_err(write_failed(&self.path))?;
        self.publish(begun.into_temp_path())?;
        self.flush()
    }

    /// Syncs the folder, so that the name is durable.
    pub fn flush(&self) -> Result<()> {
        let flushed = File::open(&self.folder).and_then(|folder| folder.sync_all());
        flushed.map_err(local("flush the folder of the output", &self.folder))
    }

    /// Returns whether an existing file is replaced.
    pub const fn replaces(&self) -> bool {
        self.force
    }
}

fn taken(path: &Path) -> Error {
    Error::new(ErrorKind::Configuration, "the output exists")
        .with_context("path", path.display())
        .with_hint("choose another --output, or replace it with --force")
}

/// Maps an I/O error of an output file.
pub(crate) fn write_failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| {
        let is_full = matches!(error.kind(), IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded);
        let failed = local("write the output", &path)(error);
        if is_full { failed.with_hint("free some space, or choose another --output") } else { failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn force_replaces_only_plain_files() {
        let folder = tempfile::tempdir().unwrap();
        let link = |name: &str, target: &str| symlink(target, folder.path().join(name)).unwrap();
        link("to-a-device", "/dev/null");
        link("to-a-file", "elsewhere");
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        for name in ["to-a-device", "to-a-file", "socket"] {
            let refused = OutputFile::new(&folder.path().join(name), true).map_err(|error| error.kind());
            assert_eq!(refused.err(), Some(ErrorKind::Configuration), "{name}");
        }
    }

    #[test]
    fn writes_atomically_and_replaces_only_with_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let [new, forced] = [false, true].map(|force| OutputFile::new(&path, force).unwrap());
        new.write("report", b"one").unwrap();
        assert_eq!(new.write("report", b"two").unwrap_err().kind(), ErrorKind::Configuration);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        forced.write("report", b"three").unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()), (b"three".to_vec(), 1));
    }

    #[test]
    fn removes_what_killed_commands_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFile::new(&folder.path().join("page.html"), false).unwrap();
        let used = output.begin("report").unwrap();
        for name in [".kt-archive-report-abc.part", ".kt-archive-pull-abc.part", "report.part"] {
            fs::write(folder.path().join(name), "left").unwrap();
        }
        output.write("report", b"page").unwrap();
        let is_there = |name: &str| folder.path().join(name).is_file();
        assert!(!is_there(".kt-archive-report-abc.part") && used.path().is_file());
        assert!(is_there(".kt-archive-pull-abc.part") && is_there("report.part") && is_there("page.html"));
    }

    #[test]
    fn rejects_unusable_paths_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("archive")).unwrap();
        let refused = |name: &str| OutputFile::new(&folder.path().join(name), true).map_err(|error| error.kind()).err();
        for name in ["", "archive", "missing/page.html", ".."] {
            assert_eq!(refused(name), Some(ErrorKind::Configuration), "{name:?}");
        }
        let inside = OutputFile::new(&folder.path().join("archive/page.html"), false).unwrap();
        assert!(inside.outside_of(Some(&folder.path().join("archive"))).is_err());
        let outside = OutputFile::new(&folder.path().join("page.html"), false).unwrap();
        assert!(outside.outside_of(Some(&folder.path().join("archive"))).is_ok());
    }
}

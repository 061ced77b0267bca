//! Files on the local disk before they are stored.

use super::{PART, Sink, disk::DiskError, upload::Parts};
use crate::{Error, ErrorKind, Result, error::local};
use archive_formats::manifest::DataFile;
use bytes::Bytes;
use futures::stream;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path as LocalPath, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};
use tempfile::{NamedTempFile, TempPath};

/// A complete file on the local disk, with its entry in a manifest. It is removed when this is dropped.
#[derive(Debug)]
pub struct StagedFile<F = DataFile> {
    /// The local path.
    pub local: PathBuf,
    /// The entry of the file in a manifest.
    pub file: F,
    /// Whether the file has left the local path.
    is_moved: AtomicBool,
}

impl<F> StagedFile<F> {
    /// The file at `local`, whose bytes are those of `file`.
    pub fn new(local: TempPath, file: F) -> Result<Self> {
        let local = local.keep().map_err(|error| {
            let path = error.path.to_path_buf();
            self::local("keep a staged file", &path)(error.error)
        })?;
        Ok(Self { local, file, is_moved: AtomicBool::new(false) })
    }

    /// Leaves the local path alone from now on: another file may get it.
    pub(super) fn set_moved(&self) {
        self.is_moved.store(true, Ordering::Relaxed);
    }
}

impl<F> Drop for StagedFile<F> {
    fn drop(&mut self) {
        if !*self.is_moved.get_mut() {
            // What is left is removed with the folder of the month, or with the orphans.
            drop(std::fs::remove_file(&self.local));
        }
    }
}

impl Sink {
    /// Creates a local file for the bytes of a data file: in a directory in the folder of `path`, where the file needs no
    /// copy to be stored, otherwise in `scratch`. `path` is that of an object with any digest, since that of the file is
    /// not known yet. The file is removed when it is dropped.
    pub fn stage(&self, path: &str, scratch: &LocalPath) -> Result<NamedTempFile> {
        let Some(directory) = &self.directory else {
            return NamedTempFile::new_in(scratch).map_err(local("create a staged file", scratch));
        };
        directory
            .begin(&self.location(path)?)
            .map_err(|error| self.directory_error("create a staged file", path, error))
    }

    /// The error of reading or writing a staged file. `doing` completes "could not …".
    pub fn staging_error(&self, doing: &'static str, staged: &LocalPath, error: io::Error) -> Error {
        match &self.directory {
            Some(_) => self.directory_error(doing, &staged.display().to_string(), error.into()),
            None => local(doing, staged)(error),
        }
    }

    fn directory_error(&self, doing: &str, path: &str, error: DiskError) -> Error {
        self.failed(doing, path, &object_store::Error::Generic { store: "directory", source: error.into() })
    }
}

/// A local file in parts of 8 MiB.
pub(super) fn local_parts(path: &LocalPath) -> Parts<'static> {
    let read = |open: Option<File>, path: PathBuf| async move {
        let reading = tokio::task::spawn_blocking(move || {
            let part = read_part(open, &path);
            part.map_err(local("read a staged file", &path))
                .map(|part| part.map(|(part, file)| (part, (Some(file), path))))
        });
        reading.await.map_err(|error| Error::new(ErrorKind::Internal, "reading was interrupted").with_source(error))?
    };
    Box::pin(stream::try_unfold((None, path.to_owned()), move |(open, path)| read(open, path)))
}

/// The next part, or `None` at the end of the file.
fn read_part(open: Option<File>, path: &LocalPath) -> io::Result<Option<(Bytes, File)>> {
    let mut file = match open {
        Some(file) => file,
        None => File::open(path)?,
    };
    let mut part = Vec::new();
    (&mut file).take(PART).read_to_end(&mut part)?;
    Ok((!part.is_empty()).then(|| (part.into(), file)))
}

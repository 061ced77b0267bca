//! Lists the files below a folder. What cannot be listed is an error: a folder that is passed over would look empty.

use super::disk::written_name;
use futures::{StreamExt as _, stream, stream::BoxStream};
use object_store::{Error, ObjectMeta, Result, path::Path};
use percent_encoding::{CONTROLS, percent_encode};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path as LocalPath, PathBuf},
};
use walkdir::{DirEntry, WalkDir};

/// Files listed at once on a blocking thread.
const BATCH: usize = 1_000;

/// The folder in which `fsck` keeps what it finds, in the root of a file system. Only root may read it.
const LOST_AND_FOUND: &str = "lost+found";

/// What a walk does with symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// What they lead to is listed under their names.
    Follow,
    /// They are passed over.
    PassOver,
}

/// The files below `folder` of `root`, without those that are being written. A folder that does not exist is empty.
pub(super) fn walk(root: PathBuf, folder: &Path, links: Links) -> BoxStream<'static, Result<ObjectMeta>> {
    let start = root.join(folder.as_ref());
    let entries = WalkDir::new(&start).min_depth(1).follow_links(links == Links::Follow).into_iter();
    let objects = entries.filter_map(move |entry| object(&root, &start, entry).transpose());
    let batches = stream::unfold(Some(objects), |objects| async {
        let mut objects = objects?;
        let batch = tokio::task::spawn_blocking(move || {
            let batch = objects.by_ref().take(BATCH).collect::<Vec<_>>();
            (batch, objects)
        });
        match batch.await {
            Ok((batch, _)) if batch.is_empty() => None,
            Ok((batch, objects)) => Some((batch, Some(objects))),
            Err(source) => Some((vec![Err(source.into())], None)),
        }
    });
    batches.flat_map(stream::iter).boxed()
}

fn object(root: &LocalPath, start: &LocalPath, entry: walkdir::Result<DirEntry>) -> Result<Option<ObjectMeta>> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return failed(root, start, error),
    };
    if !entry.file_type().is_file() || entry.file_name().to_str().and_then(written_name).is_some() {
        return Ok(None);
    }
    let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
    let text = std::str::from_utf8(relative.as_os_str().as_bytes()).map_err(|source| {
        object_store::path::Error::NonUnicode {
            path: percent_encode(relative.as_os_str().as_bytes(), CONTROLS).to_string(),
            source,
        }
    })?;
    let location = Path::parse(text)?;
    match entry.metadata() {
        Ok(metadata) => {
            let last_modified = metadata.modified().map_err(|error| unlisted(entry.path(), &error))?.into();
            Ok(Some(ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None }))
        }
        Err(error) => failed(root, start, error),
    }
}

/// Maps an error of the walk; `None` if it means that there is nothing.
fn failed(root: &LocalPath, start: &LocalPath, error: walkdir::Error) -> Result<Option<ObjectMeta>> {
    let path = error.path().unwrap_or(start).to_owned();
    let cause = error.into_io_error().unwrap_or_else(|| io::Error::other("a link leads to a folder above it"));
    match cause.kind() {
        io::ErrorKind::NotFound if !is_link(&path) => Ok(None),
        io::ErrorKind::NotFound => Err(unlisted(&path, &io::Error::other("what the link leads to does not exist"))),
        io::ErrorKind::PermissionDenied
            if path.strip_prefix(root).map(LocalPath::as_os_str) == Ok(OsStr::new(LOST_AND_FOUND)) =>
        {
            tracing::warn!(path = %path.display(), "passed over a folder of the file system, which cannot be read");
            Ok(None)
        }
        _ => Err(unlisted(&path, &cause)),
    }
}

/// Whether there is something at `path`, which is then a link.
fn is_link(path: &LocalPath) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn unlisted(path: &LocalPath, cause: &io::Error) -> Error {
    let source = io::Error::new(cause.kind(), format!("{}: {cause}", path.display()));
    Error::Generic { store: "directory", source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt as _;
    use std::os::unix::fs::symlink;

    async fn names(root: &LocalPath) -> Result<Vec<String>> {
        let objects = walk(root.to_owned(), &Path::default(), Links::Follow);
        let mut names = objects.map_ok(|object| object.location.to_string()).try_collect::<Vec<_>>().await?;
        names.sort_unstable();
        Ok(names)
    }

    #[tokio::test]
    async fn a_folder_that_does_not_exist_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(names(&folder.path().join("missing")).await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn files_behind_links_are_listed_and_begun_files_are_not() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("file"), "").unwrap();
        symlink(elsewhere.path(), folder.path().join("link")).unwrap();
        for name in ["a", "a#1", "a#b"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(folder.path()).await.unwrap(), ["a", "a#b", "link/file"]);
    }

    #[tokio::test]
    async fn links_may_be_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (target, name) in [("file", "link"), ("missing", "nowhere"), (".", "above")] {
            symlink(target, folder.path().join(name)).unwrap();
        }
        let objects = walk(folder.path().to_owned(), &Path::default(), Links::PassOver);
        let names = objects.map_ok(|object| object.location.to_string()).try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(names, ["file"]);
    }

    #[tokio::test]
    async fn a_link_that_leads_nowhere_is_not_passed_over() {
        for target in ["missing", "."] {
            let folder = tempfile::tempdir().unwrap();
            symlink(target, folder.path().join("link")).unwrap();
            let error = names(folder.path()).await.unwrap_err();
            assert!(matches!(error, Error::Generic { .. }), "{error}");
        }
    }
}

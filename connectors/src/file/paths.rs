//! From what the user typed to files.

use crate::{Error, ErrorKind, Result, artifact::Syntax};
use glob::MatchOptions;
use std::{
    fs::{self, Metadata},
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// What it is called in messages and manifests: without the folders that the user typed.
    pub(super) name: Arc<str>,
    /// What its name promises.
    pub(super) syntax: Syntax,
    /// The state in which it was found.
    pub(super) stamp: Stamp,
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Named {
    /// Fails if the file is not any more what it was when it was found.
    pub(super) fn unchanged(&self) -> Result<()> {
        let unchanged = fs::metadata(&self.path).is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp);
        if unchanged { Ok(()) } else { Err(self.changed()) }
    }

    pub(super) fn changed(&self) -> Error {
        Error::new(ErrorKind::TryLater, "a file changed while it was read")
            .with_context("file", &self.name)
            .with_hint("nothing was committed; run again when nobody writes to the file")
    }
}

/// The files that `path` names, in the order of their paths: itself, or what matches it as a pattern.
pub(super) fn find(path: &Path) -> Result<Vec<Named>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(vec![named(path.to_owned(), Path::new(path.file_name().unwrap_or_default()), &metadata)?]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
            pattern.map_or_else(|| Err(missing(path)), matching)
        }
        Err(error) => Err(unreadable(path, error)),
    }
}

fn matching(pattern: &str) -> Result<Vec<Named>> {
    // As shells have it: hidden files are left alone.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let paths = glob::glob_with(pattern, options).map_err(|error| {
        invalid("the source's pattern cannot be read")
            .with_source(error)
            .with_hint("`*` stands for any letters, `?` for one, `[ab]` for one of these, `**` for any folders")
    })?;
    let folder = literal_folder(Path::new(pattern));
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| walk_failed(&error))?;
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if !metadata.is_dir() {
            let name = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
            files.push(named(path, &name, &metadata)?);
        }
    }
    if files.is_empty() {
        return Err(invalid("no file matches the source's pattern")
            .with_context("pattern", pattern)
            .with_hint("check the folder; `*` stands for any letters of a name, and `**` for any folders"));
    }
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The folders of a pattern that are no patterns, as they stand before the files that match it.
fn literal_folder(pattern: &Path) -> PathBuf {
    let is_literal = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    pattern.components().filter(|part| *part != Component::CurDir).take_while(is_literal).collect()
}

fn named(path: PathBuf, name: &Path, metadata: &Metadata) -> Result<Named> {
    if metadata.is_dir() {
        return Err(invalid("the source is a folder")
            .with_context("path", path.display())
            .with_hint("name its files, like 'exports/*.csv'; the quotes keep the shell from doing it"));
    }
    if !metadata.is_file() {
        return Err(invalid("the source is no ordinary file").with_context("path", path.display()));
    }
    let Some(syntax) = syntax(&path) else {
        return Err(invalid("the source has a file whose kind is not known").with_context("path", path.display()))
            .map_err(|error| error.with_hint(KINDS));
    };
    // Whether it may be read is told now, before anything is begun.
    fs::File::open(&path).map_err(|error| unreadable(&path, error))?;
    Ok(Named { name: name.to_string_lossy().into(), path, syntax, stamp: Stamp::of(metadata) })
}

const KINDS: &str = "names end in .csv, .json, .jsonl or .ndjson, each also with .gz behind it";

/// What the name of a file says that is in it. Whether it is gzip its first bytes say.
fn syntax(path: &Path) -> Option<Syntax> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1 {
        "csv" => Some(Syntax::Csv),
        "json" | "jsonl" | "ndjson" => Some(Syntax::Json),
        _ => None,
    }
}

/// What does not even look like a file is not repeated: it may be a secret in the wrong place.
fn missing(path: &Path) -> Error {
    if syntax(path).is_some() {
        invalid("there is no such file").with_context("path", path.display())
    } else {
        invalid("the source is neither a URL nor a file that is there")
    }
    .with_hint(format!("use https://…, demo:, or a path or pattern of files; {KINDS}"))
}

fn walk_failed(error: &glob::GlobError) -> Error {
    invalid("a folder of the source cannot be read")
        .with_context("path", error.path().display())
        .with_context("cause", error.error())
        .with_hint("check its owner and its mode")
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    invalid("a file of the source cannot be read")
        .with_context("path", path.display())
        .with_source(error)
        .with_hint("check the owner and the mode of the file and its folders")
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files of these names.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(folder: &tempfile::TempDir, pattern: &str) -> Vec<String> {
        find(&folder.path().join(pattern)).unwrap().iter().map(|named| named.name.to_string()).collect()
    }

    #[test]
    fn patterns_name_files_in_the_order_of_their_paths() {
        let folder = folder(&["b/10.csv", "b/2.csv.gz", "a/3.JSON", ".hidden.csv", "a/c.csv/inside.csv"]);
        assert_eq!(names(&folder, "b/*"), ["10.csv", "2.csv.gz"]);
        assert_eq!(names(&folder, "*/*"), ["a/3.JSON", "b/10.csv", "b/2.csv.gz"]);
        assert_eq!(names(&folder, "**/*.csv"), ["a/c.csv/inside.csv", "b/10.csv"]);
        assert_eq!(names(&folder, "b/10.csv"), ["10.csv"]);
    }

    #[test]
    fn a_file_that_looks_like_a_pattern_is_a_file() {
        let folder = folder(&["[1].csv", "1.csv"]);
        assert_eq!(names(&folder, "[1].csv"), ["[1].csv"]);
    }

    #[test]
    fn what_names_no_file_of_events_is_refused() {
        let folder = folder(&["a/notes.txt", "a/1.csv", "gz"]);
        for pattern in ["a", "a/*", "a/*.json", "b/1.csv", "gz", "a/***", "a/1.csv/x.csv"] {
            let error = find(&folder.path().join(pattern)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_repeated() {
        let error = find(Path::new("kt_ak_canary")).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

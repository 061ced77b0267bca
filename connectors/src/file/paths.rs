//! Finds the files of a path or a pattern.

use crate::{Error, ErrorKind, Result, artifact::Syntax};
use glob::MatchOptions;
use std::{
    fs::{self, Metadata},
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// A file of the source.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// The name in messages and manifests: the path without the literal folders of the pattern.
    pub(super) name: Arc<str>,
    /// By the extension of its name.
    pub(super) syntax: Syntax,
    pub(super) stamp: Stamp,
}

/// Size and modification time of a file, to notice writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl FoundFile {
    /// Fails if the file changed since it was found.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let unchanged = fs::metadata(&self.path).is_ok_and(|metadata| Stamp::new(&metadata) == self.stamp);
        if unchanged { Ok(()) } else { Err(self.changed()) }
    }

    pub(super) fn changed(&self) -> Error {
        Error::new(ErrorKind::TryLater, "a file changed while it was read")
            .with_context("file", &self.name)
            .with_hint("nothing was committed; run again when no program writes to the file")
    }
}

/// The file `path`, or the files that match it as a pattern, in the order of their paths.
pub(super) fn find(path: &Path) -> Result<Vec<FoundFile>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(vec![found(path.to_owned(), Path::new(path.file_name().unwrap_or_default()), &metadata)?]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
            pattern.map_or_else(|| Err(missing(path)), matching)
        }
        Err(error) => Err(unreadable(path, error)),
    }
}

fn matching(pattern: &str) -> Result<Vec<FoundFile>> {
    // Hidden files do not match, as in shells.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let paths = glob::glob_with(pattern, options).map_err(|error| {
        invalid("the source's pattern cannot be read")
            .with_source(error)
            .with_hint("`*` matches any letters, `?` one letter, `[ab]` one of these, `**` any folders")
    })?;
    let folder = literal_folder(Path::new(pattern));
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| walk_failed(&error))?;
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if !metadata.is_dir() {
            let name = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
            files.push(found(path, &name, &metadata)?);
        }
    }
    if files.is_empty() {
        return Err(invalid("no file matches the source's pattern")
            .with_context("pattern", pattern)
            .with_hint("check the folder; `*` matches any letters of a name, and `**` any folders"));
    }
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The leading folders of a pattern that are no patterns themselves.
fn literal_folder(pattern: &Path) -> PathBuf {
    let is_literal = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    pattern.components().filter(|part| *part != Component::CurDir).take_while(is_literal).collect()
}

fn found(path: PathBuf, name: &Path, metadata: &Metadata) -> Result<FoundFile> {
    if metadata.is_dir() {
        return Err(invalid("the source is a folder").with_context("path", path.display()).with_hint(
            "name its files, like 'exports/*.csv', in quotes so that the shell does not expand the pattern",
        ));
    }
    if !metadata.is_file() {
        return Err(invalid("the source is not a regular file").with_context("path", path.display()));
    }
    let Some(syntax) = syntax(&path) else {
        return Err(invalid("the source has a file of an unknown kind").with_context("path", path.display()))
            .map_err(|error| error.with_hint(KINDS));
    };
    // Fails now if the file is not readable, before a run begins.
    fs::File::open(&path).map_err(|error| unreadable(&path, error))?;
    Ok(FoundFile { name: name.to_string_lossy().into(), path, syntax, stamp: Stamp::new(metadata) })
}

const KINDS: &str = "names end in .csv, .json, .jsonl or .ndjson, optionally followed by .gz";

/// The syntax by the extension of a file, `.gz` aside: the first bytes tell whether it is gzip.
fn syntax(path: &Path) -> Option<Syntax> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1 {
        "csv" => Some(Syntax::Csv),
        "json" | "jsonl" | "ndjson" => Some(Syntax::Json),
        _ => None,
    }
}

/// Does not repeat a path without a known extension: it may be a secret in the wrong place.
fn missing(path: &Path) -> Error {
    if syntax(path).is_some() {
        invalid("there is no such file").with_context("path", path.display())
    } else {
        invalid("the source is neither a URL nor an existing file")
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
        find(&folder.path().join(pattern)).unwrap().iter().map(|file| file.name.to_string()).collect()
    }

    #[test]
    fn a_pattern_finds_files_in_the_order_of_their_paths() {
        let folder = folder(&["b/10.csv", "b/2.csv.gz", "a/3.JSON", ".hidden.csv", "a/c.csv/inside.csv"]);
        assert_eq!(names(&folder, "b/*"), ["10.csv", "2.csv.gz"]);
        assert_eq!(names(&folder, "*/*"), ["a/3.JSON", "b/10.csv", "b/2.csv.gz"]);
        assert_eq!(names(&folder, "**/*.csv"), ["a/c.csv/inside.csv", "b/10.csv"]);
        assert_eq!(names(&folder, "b/10.csv"), ["10.csv"]);
    }

    #[test]
    fn a_file_with_the_name_of_a_pattern_is_found_itself() {
        let folder = folder(&["[1].csv", "1.csv"]);
        assert_eq!(names(&folder, "[1].csv"), ["[1].csv"]);
    }

    #[test]
    fn refuses_paths_without_files_of_events() {
        let folder = folder(&["a/notes.txt", "a/1.csv", "gz"]);
        for pattern in ["a", "a/*", "a/*.json", "b/1.csv", "gz", "a/***", "a/1.csv/x.csv"] {
            let error = find(&folder.path().join(pattern)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{pattern}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_what_may_be_a_secret() {
        let error = find(Path::new("kt_ak_canary")).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

//! Finds the files of a path or a pattern.

use crate::{Error, ErrorKind, Result, artifact::Syntax};
use glob::{MatchOptions, Pattern};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
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
    let (start, parts) = parts(pattern)?;
    let mut paths = BTreeSet::new();
    expand(start, &parts, &mut paths)?;
    let folder = literal_folder(Path::new(pattern));
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if metadata.is_dir() {
            continue;
        }
        if path.to_str().is_none() {
            return Err(invalid("a file that matches the source's pattern has a name that is not UTF-8")
                .with_context("path", path.display())
                .with_hint("rename the file or its folder, or choose a pattern that does not match it"));
        }
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
        files.push(found(path, &name, &metadata)?);
    }
    if files.is_empty() {
        return Err(invalid("no file matches the source's pattern")
            .with_context("pattern", pattern)
            .with_hint("check the folder; `*` matches any letters of a name, and `**` any folders"));
    }
    Ok(files)
}

/// A component of a pattern.
enum Part<'a> {
    /// A name.
    Literal(&'a OsStr),
    /// Names that match.
    Names(Pattern),
    /// `**`: any folders.
    Folders,
}

/// The folder where a pattern starts, and its components.
fn parts(pattern: &str) -> Result<(PathBuf, Vec<Part<'_>>)> {
    let unreadable = |error| {
        invalid("the source's pattern cannot be read")
            .with_source(error)
            .with_hint("`*` matches any letters, `?` one letter, `[ab]` one of these, `**` any folders")
    };
    let (mut start, mut parts) = (PathBuf::new(), Vec::new());
    for component in Path::new(pattern).components() {
        match component.as_os_str().to_str() {
            Some("**") => parts.push(Part::Folders),
            Some(text) if text.contains(['*', '?', '[']) => {
                parts.push(Part::Names(Pattern::new(text).map_err(unreadable)?));
            }
            _ if parts.is_empty() && component != Component::CurDir => start.push(component),
            _ if component == Component::CurDir => {}
            _ => parts.push(Part::Literal(component.as_os_str())),
        }
    }
    Ok((start, parts))
}

/// Adds what matches `parts` below `path`. A name that is not UTF-8 matches as if each wrong byte were one letter.
fn expand(path: PathBuf, parts: &[Part<'_>], found: &mut BTreeSet<PathBuf>) -> Result<()> {
    // Hidden files do not match, as in shells.
    const OPTIONS: MatchOptions =
        MatchOptions { case_sensitive: true, require_literal_separator: false, require_literal_leading_dot: true };
    let Some((part, rest)) = parts.split_first() else {
        found.insert(path);
        return Ok(());
    };
    match part {
        Part::Literal(name) => {
            let next = path.join(name);
            if fs::symlink_metadata(&next).is_ok() { expand(next, rest, found) } else { Ok(()) }
        }
        Part::Names(pattern) => {
            let names = names(&path)?.into_iter();
            let mut matching = names.filter(|name| pattern.matches_with(&name.to_string_lossy(), OPTIONS));
            matching.try_for_each(|name| expand(path.join(name), rest, found))
        }
        Part::Folders => {
            let visible = names(&path)?.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b"."));
            for inner in visible.map(|name| path.join(name)) {
                if is_folder(&inner)? {
                    expand(inner, parts, found)?;
                }
            }
            expand(path, rest, found)
        }
    }
}

/// Whether `path` is a folder. A link to nothing is none; any other error may hide files.
fn is_folder(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        metadata => metadata.map(|found| found.is_dir()).map_err(|error| walk_failed(path, &error)),
    }
}

/// The names in a folder; none if there is no such folder.
fn names(folder: &Path) -> Result<Vec<OsString>> {
    let path = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    match names {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        names => names.map_err(|error| walk_failed(path, &error)),
    }
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

fn walk_failed(path: &Path, error: &io::Error) -> Error {
    invalid("a folder of the source cannot be read")
        .with_context("path", path.display())
        .with_context("cause", error)
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
    fn names_that_are_not_utf_8_are_refused_only_where_they_match() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = folder(&["a/1.csv"]);
        let strange = folder.path().join(OsStr::from_bytes(b"b\xff"));
        fs::create_dir(&strange).unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"a/\xff.txt")), "").unwrap();
        for pattern in ["a/*.csv", "?/*.csv", "**/*.csv", "*/1.csv"] {
            assert_eq!(names(&folder, pattern).len(), 1, "{pattern}");
        }
        fs::write(strange.join("1.csv"), "").unwrap();
        assert_eq!(names(&folder, "a*/*.csv"), ["a/1.csv"]);
        for pattern in ["*/*.csv", "**/*.csv", "b?/1.csv"] {
            let error = find(&folder.path().join(pattern)).unwrap_err();
            assert!(error.to_string().contains("not UTF-8") && !error.hint().is_empty(), "{pattern}: {error:?}");
        }
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

//! The rules of the house that no compiler checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file that is read in one sitting.
const MOST_LINES: usize = 350;

#[test]
fn no_test_file_is_forgotten() {
    let tests = root().join("tests");
    let mut forgotten = rust_files(&tests);
    forgotten.retain(|path| *path != tests.join("main.rs") && !is_declared(path));
    assert_eq!(forgotten, [] as [PathBuf; 0], "no `mod` line names them");
}

#[test]
fn no_source_file_is_longer_than_a_reader_can_bear() {
    let sources = ["formats/src", "connectors/src", "pipeline/src"].map(|folder| rust_files(&root().join(folder)));
    let mut sources = sources.concat();
    sources.retain(|path| !path.ends_with("tests.rs"));
    assert!(sources.len() > 20, "the walk finds only {} files", sources.len());
    let lengths = sources.iter().map(|path| (code_lines(&fs::read_to_string(path).unwrap()), path));
    let too_long = lengths.filter(|(lines, _)| *lines > MOST_LINES).collect::<Vec<_>>();
    assert_eq!(too_long, [], "more than {MOST_LINES} lines of code");
}

#[test]
fn lines_of_code_are_neither_comments_nor_tests() {
    let text = "//! Docs.\n\nfn code() {\n    // Why.\n}\n\n#[cfg(test)]\nmod tests {\n    fn more() {}\n}\n";
    assert_eq!(code_lines(text), 2);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Whether the file that owns the folder of `path` has a `mod` line for it.
fn is_declared(path: &Path) -> bool {
    let (folder, name) = match path.file_name().unwrap().to_str().unwrap() {
        "mod.rs" => (path.parent().unwrap().parent().unwrap(), path.parent().unwrap().file_name().unwrap()),
        _ => (path.parent().unwrap(), path.file_stem().unwrap()),
    };
    let owner = ["main.rs", "mod.rs"].map(|owner| folder.join(owner)).into_iter().find(|owner| owner.is_file());
    let line = format!("mod {};", name.to_str().unwrap());
    owner.is_some_and(|owner| fs::read_to_string(owner).unwrap().lines().any(|found| found.ends_with(&line)))
}

/// Lines that are neither blank nor comments, up to the inline tests, which close a file.
fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

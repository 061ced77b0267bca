//! `docs/troubleshooting.md`: the program prints its messages, and no exit code or finding is missing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn quoted_messages_are_those_of_the_sources() {
    let (sources, cells) = (sources(), first_cells("By message"));
    let quoted = cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect::<Vec<_>>();
    assert!(quoted.len() > 60, "found only {} messages", quoted.len());
    let unknown = quoted.into_iter().filter(|message| !is_printed(&sources, message)).collect::<Vec<_>>();
    assert_eq!(unknown, [] as [&str; 0], "no source prints them");
}

#[test]
fn every_exit_code_is_explained() {
    let numbers = |texts: Vec<String>| texts.iter().filter_map(|text| text.parse::<u8>().ok()).collect::<BTreeSet<_>>();
    let codes = numbers(arms("pipeline/src/exit.rs"));
    assert!(codes.len() > 10, "{codes:?}");
    let explained = numbers(first_cells("By exit code"));
    assert!(codes.is_subset(&explained), "{codes:?}, of which {explained:?} are explained");
}

#[test]
fn every_finding_is_explained() {
    let values = arms("pipeline/src/verify/report.rs").into_iter();
    let codes = values.filter(|value| value.starts_with('V')).collect::<BTreeSet<_>>();
    assert!(codes.len() > 10, "{codes:?}");
    let cells = first_cells("Findings of verify").into_iter().map(|cell| cell.replace('`', ""));
    let explained = cells.filter(|cell| cell.starts_with('V')).collect::<BTreeSet<_>>();
    assert_eq!(codes, explained);
}

/// The first cells of all rows below a heading of the page.
#[track_caller]
fn first_cells(heading: &str) -> Vec<String> {
    let page = read("docs/troubleshooting.md");
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    rows.map(|(cell, _)| cell.to_owned()).collect()
}

/// Whether each part of the message is in the sources, as a whole or as two long texts that a space separates, such as
/// "could not " and what it completes. `…` separates parts.
fn is_printed(sources: &str, message: &str) -> bool {
    const LONG: usize = 8;
    let mut parts = message.split('…').map(str::trim).filter(|part| !part.is_empty());
    parts.all(|part| {
        let mut halves = part.match_indices(' ').map(|(at, _)| part.split_at(at));
        let in_halves = |(one, other): (&str, &str)| {
            one.len() >= LONG && other.len() > LONG && sources.contains(one) && sources.contains(other.trim())
        };
        sources.contains(part) || halves.any(in_halves)
    })
}

/// The values of the match arms `Self::… => value,` of a source file, without quotes.
fn arms(path: &str) -> Vec<String> {
    let text = read(path);
    let arms = text.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "));
    arms.map(|(_, value)| value.replace(['"', ','], "")).collect()
}

/// The sources of the program without comments, unit tests and line breaks in texts.
fn sources() -> String {
    let folders = ["formats/src", "connectors/src", "pipeline/src", "pipeline/cli"];
    let texts = folders.into_iter().flat_map(|folder| files(&root().join(folder))).map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>();
        lines.join("\n").replace("\\\"", "\"").split("\\\n").map(str::trim_start).collect::<String>()
    });
    texts.collect()
}

/// The Rust files in a folder, without those of unit tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !["tests", "tests.rs"].iter().any(|name| path.ends_with(name)));
    let found = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

//! Rules of the source tree that the compiler does not check.
//!
//! Short: the compiler and the lints check the others.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Cargo ignores a file that no `mod` line names, and its tests with it.
#[test]
fn every_source_file_belongs_to_a_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["formats/src", "connectors/src", "pipeline/src", "pipeline/cli", "tests"] {
        let files = rust_files(&root.join(folder));
        assert!(files.len() > 20, "found only {} files in {folder}", files.len());
        let is_root = |path: &Path| path.ends_with("main.rs") || path.ends_with("lib.rs");
        let forgotten = files.into_iter().filter(|path| !is_root(path) && !is_declared(path)).collect::<Vec<_>>();
        assert_eq!(forgotten, [] as [PathBuf; 0], "no `mod` line names them");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Whether a file that owns the folder of `path` (`lib.rs`, `main.rs`, `mod.rs`), or the file named after the folder,
/// has a `mod` line for it.
fn is_declared(path: &Path) -> bool {
    let (folder, name) = match path.file_name().unwrap().to_str().unwrap() {
        "mod.rs" => (path.parent().unwrap().parent().unwrap(), path.parent().unwrap().file_name().unwrap()),
        _ => (path.parent().unwrap(), path.file_stem().unwrap()),
    };
    let line = format!("mod {};", name.to_str().unwrap());
    let mut owners = ["lib.rs", "main.rs", "mod.rs"].map(|owner| folder.join(owner)).to_vec();
    owners.push(folder.with_extension("rs"));
    let texts = owners.into_iter().filter(|owner| owner.is_file()).map(|owner| fs::read_to_string(owner).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).any(|found| found.ends_with(&line))
}

//! The workflow that makes a release, and the formula that it fills in.

use super::file;
use crate::support::handed_over;
use std::{fs, path::Path, process::Command};

#[test]
fn github_takes_every_workflow() {
    let mut check = Command::new(Path::new(&handed_over("KT_TEST_PYTHON")).with_file_name("check-jsonschema"));
    check.args(["--builtin-schema", "vendor.github-workflows"]);
    let folder = file(".github/workflows");
    check.args(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn actions_are_named_by_the_digest_of_their_commit() {
    let workflow = fs::read_to_string(file(".github/workflows/release.yml")).unwrap();
    let mut uses = workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    let is_pinned = |action: &str| {
        let commit = action.split_once('@').and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
        commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    assert_eq!(uses.find(|action| !is_pinned(action)), None);
}

#[test]
fn only_what_the_workflow_knows_is_left_open_in_the_formula() {
    let formula = fs::read_to_string(file("packaging/homebrew/kt-archive.rb")).unwrap();
    let workflow = fs::read_to_string(file(".github/workflows/release.yml")).unwrap();
    let open = formula.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name);
    let open = open.collect::<std::collections::BTreeSet<_>>();
    assert_eq!(open.iter().copied().collect::<Vec<_>>(), ["SHA256", "URL"]);
    assert!(open.iter().all(|name| workflow.contains(&format!("s|{{{{{name}}}}}|"))), "{workflow}");
}

/// The commands of the formula and of `packaging/deb` are those of the program.
#[test]
fn a_release_has_the_version_of_its_tag() {
    let manifest = fs::read_to_string(file("Cargo.toml")).unwrap();
    let script = r#"sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1"#;
    assert!(fs::read_to_string(file(".github/workflows/release.yml")).unwrap().contains(script));
    assert!(fs::read_to_string(file("packaging/deb")).unwrap().contains(script));
    let output = Command::new("sh").args(["-c", script]).current_dir(file("")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"), "{manifest}");
}

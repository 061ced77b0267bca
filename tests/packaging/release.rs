//! The release workflow, and the Homebrew formula that it fills in.

use super::file;
use crate::support::test_variable;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

#[test]
fn workflows_match_the_github_schema() {
    let mut check = Command::new(Path::new(&test_variable("KT_TEST_PYTHON")).with_file_name("check-jsonschema"));
    check.args(["--builtin-schema", "vendor.github-workflows"]);
    let folder = file(".github/workflows");
    check.args(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn actions_are_pinned_by_commit() {
    let workflow = fs::read_to_string(file(".github/workflows/release.yml")).unwrap();
    let mut uses = workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    let is_pinned = |action: &str| {
        let commit = action.split_once('@').and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
        commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    assert_eq!(uses.find(|action| !is_pinned(action)), None);
}

#[test]
fn formula_leaves_open_only_what_the_workflow_fills_in() {
    let formula = fs::read_to_string(file("packaging/homebrew/kt-archive.rb")).unwrap();
    let workflow = fs::read_to_string(file(".github/workflows/release.yml")).unwrap();
    let open = formula.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name);
    let open = open.collect::<std::collections::BTreeSet<_>>();
    assert_eq!(open.iter().copied().collect::<Vec<_>>(), ["SHA256", "URL"]);
    assert!(open.iter().all(|name| workflow.contains(&format!("s|{{{{{name}}}}}|"))), "{workflow}");
}

#[test]
fn release_runs_only_existing_commands() {
    let commands = commands();
    for (path, program) in [
        ("packaging/homebrew/kt-archive.rb", "kt-archive"),
        ("packaging/deb", "\"$program\""),
        (".github/workflows/release.yml", "kt-archive-$TARGET\""),
    ] {
        let text = fs::read_to_string(file(path)).unwrap();
        // Matches both `bin/"kt-archive", "man"` and `#{bin}/kt-archive verify`.
        let text = if program == "kt-archive" { text.replace(['"', ','], "") } else { text };
        let calls = text.split(program).skip(1).filter_map(|rest| rest.strip_prefix(' '));
        let calls = calls.map(|rest| rest.split([' ', '\n']).next().unwrap()).collect::<Vec<_>>();
        let calls = calls.into_iter().filter(|word| !word.is_empty() && *word != ">").collect::<Vec<_>>();
        assert!(calls.len() >= 2, "{path}: {calls:?}");
        let unknown = calls.iter().filter(|word| !commands.iter().any(|command| command == *word));
        assert_eq!(unknown.collect::<Vec<_>>(), [] as [&&str; 0], "{path}");
    }
}

/// The commands in the program's help.
fn commands() -> Vec<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_kt-archive")).arg("--help").env_clear().output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let list = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("  "));
    let names =
        list.filter(|line| !line.starts_with("   ")).map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.collect()
}

/// The release workflow, parsed by `PyYAML`.
#[track_caller]
fn workflow() -> Value {
    let program = "import sys, json, yaml\nprint(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))";
    let mut read = Command::new(test_variable("KT_TEST_PYTHON"));
    let output = read.args(["-c", program]).arg(file(".github/workflows/release.yml")).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn package_is_built_and_tried_on_the_oldest_debian() {
    let workflow = workflow();
    let deb = &workflow["jobs"]["deb"];
    assert_eq!(deb["container"], "debian:bookworm");
    let ran = deb["steps"].as_array().unwrap().iter().filter_map(|step| step["run"].as_str());
    let ran = ran.collect::<Vec<_>>().join("\n");
    let order = ["packaging/deb", "apt-get install -y -qq --no-install-recommends ./out/*.deb", "gh release upload"];
    let places = order.map(|words| ran.find(words).unwrap_or_else(|| panic!("{words}: {ran}")));
    assert!(places.is_sorted(), "{ran}");
    assert_eq!(workflow["jobs"]["publish"]["needs"], serde_json::json!(["build", "deb"]));
    for job in ["build", "deb"] {
        assert_eq!(workflow["jobs"][job]["strategy"]["fail-fast"], "false", "a failed target stops the others");
    }
}

#[test]
fn static_build_step_rejects_dynamic_programs() {
    let workflow = workflow();
    let steps = workflow["jobs"]["build"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "A static program asks for no library").unwrap();
    for (readelf, is_static) in [("echo LOAD", true), ("echo INTERP", false), ("exit 1", false)] {
        let folder = tempfile::tempdir().unwrap();
        let stub = folder.path().join("readelf");
        fs::write(&stub, format!("#!/bin/sh\n{readelf}\n")).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", step["run"].as_str().unwrap()]).current_dir(folder.path()).env_clear();
        shell.env("RUNNER_TEMP", folder.path()).env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
        let output = shell.output().unwrap();
        assert_eq!(output.status.success(), is_static, "{readelf}: {output:?}");
    }
}

#[test]
fn every_package_has_the_same_features() {
    let builds = |path: &str, command: &str| {
        let text = fs::read_to_string(file(path)).unwrap().replace(['"', ','], "");
        text.lines().find(|line| line.contains(command)).unwrap_or_else(|| panic!("{path}")).to_owned()
    };
    let manifest = fs::read_to_string(file("Cargo.toml")).unwrap().parse::<toml::Table>().unwrap();
    assert_eq!(manifest["features"].as_table().unwrap().keys().collect::<Vec<_>>(), ["otlp"]);
    assert!(builds(".github/workflows/release.yml", "cargo build").contains("--all-features"));
    for (path, command) in [
        ("packaging/deb", "cargo build"),
        ("packaging/Containerfile", "cargo build"),
        ("packaging/homebrew/kt-archive.rb", "cargo install"),
    ] {
        assert!(builds(path, command).contains("--features otlp"), "{path}");
    }
}

#[test]
fn release_has_the_version_of_its_tag() {
    let manifest = fs::read_to_string(file("Cargo.toml")).unwrap();
    let script = r#"sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1"#;
    assert!(fs::read_to_string(file(".github/workflows/release.yml")).unwrap().contains(script));
    assert!(fs::read_to_string(file("packaging/deb")).unwrap().contains(script));
    let output = Command::new("sh").args(["-c", script]).current_dir(file("")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"), "{manifest}");
}

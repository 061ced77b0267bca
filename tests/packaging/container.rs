//! The Containerfile, parsed by an independent parser and not built.

use super::file;
use crate::support::test_variable;
use serde_json::Value;
use std::{fs, process::Command};

const PARSE: &str = "import sys, json, dockerfile_parse\n\
    parser = dockerfile_parse.DockerfileParser(path=sys.argv[1])\n\
    print(json.dumps([[it['instruction'], it['value']] for it in parser.structure]))";

/// Instructions and their values.
fn instructions() -> Vec<(String, String)> {
    let mut parse = Command::new(test_variable("KT_TEST_PYTHON"));
    let scratch = tempfile::tempdir().unwrap();
    fs::copy(file("packaging/Containerfile"), scratch.path().join("Dockerfile")).unwrap();
    let output = parse.args(["-c", PARSE]).arg(scratch.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = serde_json::from_slice::<Vec<[Value; 2]>>(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = found.iter().map(|[instruction, value]| (text(instruction), text(value)));
    found.filter(|(instruction, _)| instruction != "COMMENT").collect()
}

/// Sources of `COPY` from the build context.
fn sources() -> Vec<String> {
    let copies = instructions().into_iter().filter(|(name, value)| name == "COPY" && !value.starts_with("--from"));
    let sources = copies.flat_map(|(_, value)| {
        let words = value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        words[..words.len() - 1].to_vec()
    });
    sources.collect()
}

#[test]
fn copied_files_exist_and_reach_the_builder() {
    let ignored = fs::read_to_string(file(".containerignore")).unwrap();
    let sources = sources();
    assert!(sources.contains(&"Cargo.lock".to_owned()), "{sources:?}");
    for source in &sources {
        assert!(file(source).try_exists().unwrap(), "{source}");
        assert!(ignored.lines().any(|line| line == format!("!{source}")), "{source} is ignored");
    }
    let manifest = fs::read_to_string(file("Cargo.toml")).unwrap().parse::<toml::Table>().unwrap();
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        assert!(sources.contains(&member.as_str().unwrap().to_owned()), "{member}");
    }
}

#[test]
fn image_holds_only_the_program_and_runs_unprivileged() {
    let all = instructions();
    let last = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    let image = &all[last..];
    let value = |wanted: &str| &image.iter().find(|(name, _)| name == wanted).unwrap().1;
    assert_eq!(value("FROM"), "scratch");
    assert_eq!(value("USER"), "65532:65532");
    assert_eq!(serde_json::from_str::<Vec<String>>(value("ENTRYPOINT")).unwrap(), ["/usr/bin/kt-archive"]);
    assert!(!image.iter().any(|(name, _)| name == "RUN"), "there is no shell to run anything");
    // A variable would override the settings of a job.
    assert!(!image.iter().any(|(name, value)| name == "ENV" && value.contains("KT_ARCHIVE_")));
    let secrets = ["TOKEN", "PASSWORD", "SECRET", "KEY"];
    assert!(!all.iter().any(|(name, value)| ["ARG", "ENV"].contains(&name.as_str())
        && secrets.iter().any(|secret| value.to_uppercase().contains(secret))));
}

#[test]
fn pod_runs_as_the_user_of_the_image() {
    let host = crate::support::cli::Host::new();
    let job = host.run(&["schedule", "kubernetes", "--source", "demo:"]).expect(0).stdout;
    assert!(job.contains("runAsUser: 65532\n") && job.contains("runAsGroup: 65532\n"), "{job}");
}

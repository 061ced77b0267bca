//! The workflow, checked by GitHub's schema, and its steps run in a shell.

use super::{NASTY, installed, job, python, read_config};
use crate::support::cli::Host;
use serde_json::Value;
use std::{fs, process::Command};

const ARGUMENTS: [&str; 4] = ["--source", "https://api.example", "--archive", "s3://bucket/x"];

#[track_caller]
fn workflow(text: &str) -> Value {
    let program = "import sys, json, yaml\nprint(json.dumps(yaml.load(sys.stdin, yaml.BaseLoader)))";
    serde_json::from_str(&python(program, text)).unwrap()
}

#[test]
fn workflow_matches_the_schema() {
    let host = Host::new();
    let file = host.path("workflow.yml");
    let check = |text: String| {
        fs::write(&file, text).unwrap();
        let mut check = Command::new(installed("check-jsonschema"));
        let output = check.args(["--builtin-schema", "vendor.github-workflows"]).arg(&file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let text = job(&host, "github-actions", &ARGUMENTS);
    assert_eq!(check(text.clone()), (true, "ok -- validation done\n".to_owned()));
    assert!(!check(text.replace("runs-on", "runs_on")).0, "a slip would be found");
}

#[test]
fn archives_on_the_disk_of_the_runner_are_refused() {
    let host = Host::new();
    for arguments in [&["--source", "demo:"][..], &[&ARGUMENTS[..], &["--replica", "/r"]].concat()] {
        let refused = host.run(&[&["schedule", "github-actions"], arguments].concat()).expect(2);
        assert!(refused.stderr.contains("--archive s3://"), "{}", refused.stderr);
    }
}

#[test]
fn settings_round_trip_without_expressions() {
    for nasty in NASTY.into_iter().chain(["two\nlines"]) {
        let host = Host::new();
        let column = format!("--id-column={nasty}");
        let text = job(&host, "github-actions", &[&ARGUMENTS[..], &[&column]].concat());
        let workflow = workflow(&text);
        let settings = workflow["jobs"]["archive"]["steps"][1]["env"]["SETTINGS"].as_str().unwrap();
        assert!(!settings.contains("${{"), "{settings}");
        assert_eq!(read_config(&host, settings)["id-column"], nasty);
    }
}

/// Runs the last step, with the program where the first step installs it.
#[test]
fn archive_step_runs_in_a_shell() {
    let host = Host::new();
    let text = job(&host, "github-actions", &["--source", "demo:?events=50", "--archive", "s3://bucket/x"]);
    let workflow = workflow(&text);
    let step = &workflow["jobs"]["archive"]["steps"][1];
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kt-archive"), host.path("kt-archive")).unwrap();
    let settings = step["env"]["SETTINGS"].as_str().unwrap().replace("s3://bucket/x", "archive");
    let mut shell = Command::new("bash");
    shell.args(["-e", "-o", "pipefail", "-c", step["run"].as_str().unwrap()]).env_clear().current_dir(host.path(""));
    shell.env("RUNNER_TEMP", host.path("")).env("SETTINGS", settings).env("PATH", "/usr/bin:/bin").env("HOME", "/");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(host.path("archive/manifests/00000001.json").is_file());
}

#[test]
fn program_is_installed_only_with_its_digest() {
    let host = Host::new();
    let workflow = workflow(&job(&host, "github-actions", &ARGUMENTS));
    let install = workflow["jobs"]["archive"]["steps"][0]["run"].as_str().unwrap();
    fs::write(host.path("program"), "#!/bin/sh\n").unwrap();
    let url = format!("file://{}", host.path("program").display());
    let digest = archive_formats::Sha256::digest(b"#!/bin/sh\n").to_string();
    for (digest, works) in [(digest.as_str(), true), (&"0".repeat(64), false)] {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", install]).env_clear().env("PATH", "/usr/bin:/bin");
        shell.env("RUNNER_TEMP", host.path("")).env("PROGRAM_URL", &url).env("PROGRAM_SHA256", digest);
        assert_eq!(shell.output().unwrap().status.success(), works);
    }
}

#[test]
fn cloud_identity_of_this_host_is_left_out() {
    let mut host = Host::new();
    host.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
    host.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
    host.set("BUCKET", "acme");
    host.set("UNUSED", "x");
    let file = "source = 'demo:'\narchive = 's3://${BUCKET}/kt'\nid-column = '${UNUSED}'\n";
    fs::write(host.path("kt.toml"), file).unwrap();
    let text = job(&host, "github-actions", &["--config", "kt.toml", "--id-column", "id"]);
    assert!(text.contains("aws-actions/configure-aws-credentials") && text.contains("id-token: write"), "{text}");
    let workflow = workflow(&text);
    let env = workflow["jobs"]["archive"]["steps"][1]["env"].as_object().unwrap();
    assert_eq!(env.keys().collect::<Vec<_>>(), ["SETTINGS", "BUCKET"]);
    assert!(env["SETTINGS"].as_str().unwrap().contains("\"s3://${BUCKET}/kt\""), "{text}");
}

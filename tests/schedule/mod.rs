//! `kt-archive schedule`: its output is run and parsed by the tools it targets.

mod airflow;
mod cron;
mod github_actions;
mod kubernetes;
mod secrets;
mod systemd;

use crate::support::{cli::Host, test_variable};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const KINDS: [&str; 5] = ["cron", "systemd", "kubernetes", "github-actions", "airflow"];

/// Values with a special meaning in some shell, scheduler or language.
const NASTY: [&str; 14] = [
    "it's \"quoted\"",
    "two words",
    "$HOME ${HOME} $(id) `id`",
    "100% %n \\% %%",
    "\\ \\\\ \\n",
    "-rf",
    "--force=yes",
    "é 🦀 \u{2028}\u{202e}",
    "${{ secrets.CANARY }}",
    ": # {a: b} [x] & * ! |",
    "'",
    "\" + os.system(\"id\") + \"",
    "; rm -rf / ;",
    "~/x ]]> <!-- */ \"\"\"",
];

/// Prints the job of a kind with these arguments.
#[track_caller]
fn job(host: &Host, kind: &str, arguments: &[&str]) -> String {
    host.run(&[&["schedule", kind], arguments].concat()).expect(0).stdout
}

/// A host with a program that prints the settings it was started with.
fn host_with_printer() -> (Host, PathBuf) {
    let host = Host::new();
    let script = host.path("script");
    let program = env!("CARGO_BIN_EXE_kt-archive");
    fs::write(&script, format!("#!/bin/sh\n[ \"$1\" = run ] && shift\nexec {program} config show --json \"$@\"\n"))
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    (host, script)
}

/// The settings of a document of `config show`, except for output, program and state folder.
fn settings(document: &str) -> BTreeMap<String, Value> {
    let document = serde_json::from_str::<Value>(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    let settings = document["settings"].as_array().unwrap().iter();
    let settings = settings.map(|it| (it["key"].as_str().unwrap().to_owned(), listed(&it["value"])));
    settings.filter(|(key, _)| !["quiet", "program", "state-dir"].contains(&key.as_str())).collect()
}

/// A list of strings becomes one string with commas, which is equivalent.
fn listed(value: &Value) -> Value {
    match value {
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(",").into()
        }
        other => other.clone(),
    }
}

/// Runs Python with `input` on stdin; panics if it fails.
#[track_caller]
fn python(program: &str, input: &str) -> String {
    piped(Command::new(test_variable("KT_TEST_PYTHON")).args(["-c", program]), input)
}

#[track_caller]
fn piped(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}\n{}\n{input}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// A program of the Python virtual environment.
fn installed(name: &str) -> PathBuf {
    Path::new(&test_variable("KT_TEST_PYTHON")).with_file_name(name)
}

/// The settings of a configuration file, read in an empty environment.
#[track_caller]
fn read_config(host: &Host, text: &str) -> BTreeMap<String, Value> {
    fs::write(host.path("elsewhere.toml"), text).unwrap();
    let mut bare = Host::new();
    bare.set("RUNNER_TEMP", "/runner");
    let file = host.path("elsewhere.toml").display().to_string();
    settings(&bare.run(&["config", "show", "--json", "--config", &file]).expect(0).stdout)
}

#[test]
fn settings_that_a_run_cannot_use_are_refused() {
    let host = Host::new();
    for kind in KINDS {
        let refused = host.run(&["schedule", kind]).expect(2);
        assert!(refused.stderr.contains("no source was given"), "{}", refused.stderr);
    }
    host.run(&["schedule", "at", "--source", "demo:"]).expect(2);
    host.run(&["schedule", "--source", "demo:"]).expect(2);
    let document = host.run(&["schedule", "cron", "--source", "demo:", "--json"]).expect(0).json();
    assert_eq!((&document["command"], &document["kind"]), (&"schedule".into(), &"cron".into()));
    assert!(document["job"].as_str().unwrap().ends_with(">/dev/null\n"));
}

#[test]
fn printing_a_job_creates_no_files() {
    let host = Host::new();
    for kind in ["cron", "systemd", "kubernetes", "airflow"] {
        job(&host, kind, &["--source", "demo:"]);
    }
    assert!(!host.path("archive").is_dir() && !host.state_dir().is_dir());
}

#[test]
fn jobs_document_their_failure_notifications() {
    let mut host = Host::new();
    let assert_documented = |host: &Host, words: &str| {
        for kind in KINDS {
            let text = job(host, kind, &["--source", "demo:", "--archive", "s3://b"]);
            let text = text.replace("\n#", "");
            assert!(text.contains("Failure notifications: ") && text.contains(words), "{kind}: {text}");
        }
    };
    assert_documented(&host, "set --notify or KT_ARCHIVE_NOTIFY");
    host.set("KT_ARCHIVE_NOTIFY", "https://hooks.example/x");
    assert_documented(&host, "the receivers of notify");
}

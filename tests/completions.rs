//! Completion scripts, run in their shells.

use crate::support::cli::Host;
use std::{fs, path::PathBuf, process::Command};

/// A host with the completion script of a shell.
fn script(shell: &str) -> (Host, PathBuf) {
    let host = Host::new();
    let path = host.path("completions");
    fs::write(&path, host.run(&["completions", shell]).expect(0).stdout).unwrap();
    (host, path)
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The completions of bash for the last word.
#[track_caller]
fn bash(words: &[&str]) -> Vec<String> {
    let (_host, path) = script("bash");
    let [.., before, last] = words else { panic!("too few words") };
    let program = format!(
        "set -u; source {}; COMP_WORDS=({}); COMP_CWORD={}; \
         complete -p kt-archive | grep -o -- '-F [^ ]*' | (read -r _ function; COMPREPLY=(); \
         $function kt-archive '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\")",
        path.display(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1
    );
    output(Command::new("bash").args(["--norc", "-c", &program])).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let (_host, path) = script("bash");
    output(Command::new("bash").arg("-n").arg(&path));
    assert_eq!(bash(&["kt-archive", "sch"]), ["schedule"]);
    let kinds = bash(&["kt-archive", "schedule", ""]);
    assert!(["cron", "systemd", "airflow"].iter().all(|kind| kinds.contains(&(*kind).to_owned())), "{kinds:?}");
    assert_eq!(bash(&["kt-archive", "run", "--format", ""]), ["parquet", "csv", "artifact"]);
    assert_eq!(bash(&["kt-archive", "pull", "--format", "js"]), ["jsonl"]);
    assert_eq!(bash(&["kt-archive", "config", "sh"]), ["show"]);
    assert_eq!(bash(&["kt-archive", "verify", "--lev"]), ["--level"]);
}

#[test]
fn fish_completes_commands_options_and_values() {
    let (_host, path) = script("fish");
    output(Command::new("fish").arg("--no-execute").arg(&path));
    let complete = |line: &str| {
        let program = format!("source {}; complete -C '{line}'", path.display());
        output(Command::new("fish").args(["--no-config", "-c", &program]).env("HOME", "/nonexistent"))
    };
    assert!(complete("kt-archive sch").starts_with("schedule\t"), "{}", complete("kt-archive sch"));
    assert!(complete("kt-archive schedule ").lines().any(|line| line.starts_with("kubernetes")));
    assert!(complete("kt-archive verify --level ").lines().any(|line| line.starts_with("quick")));
}

#[test]
fn zsh_loads_the_completion() {
    let (host, path) = script("zsh");
    output(Command::new("zsh").arg("-n").arg(&path));
    fs::rename(&path, host.path("_kt-archive")).unwrap();
    let program = format!(
        "fpath=({} $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[kt-archive]; \
         autoload +X -Uz _kt-archive; functions _kt-archive | grep -c 'github-actions'",
        host.path("").display()
    );
    let stdout = output(Command::new("zsh").args(["-f", "-c", &program]));
    assert!(stdout.starts_with("_kt-archive\n") && !stdout.ends_with("\n0\n"), "{stdout}");
}

#[test]
fn unknown_shell_is_refused_with_the_known_ones() {
    let host = Host::new();
    let refused = host.run(&["completions", "tcsh"]).expect(2);
    assert!(refused.stderr.contains("bash"), "{}", refused.stderr);
    let document = host.run(&["completions", "zsh", "--json"]).expect(0).json();
    assert!(document["script"].as_str().unwrap().starts_with("#compdef kt-archive"));
}

//! The crontab line, checked by `crontab -n` and run by the shell as cron does.

use super::{NASTY, host_with_printer, job, python, settings};
use crate::support::cli::Host;
use std::{fs, process::Command};

/// The command of the last line, as cron passes it to the shell.
#[track_caller]
fn command(crontab: &str) -> String {
    let line = crontab.lines().last().unwrap();
    let command = line.strip_prefix("0 4 1-3 * * ").unwrap_or_else(|| panic!("{line}"));
    let unescaped = command.replace("\\%", "\0");
    assert!(!unescaped.contains('%'), "cron ends the command here: {line}");
    unescaped.replace('\0', "%")
}

/// Runs a command as cron does: in another folder, with a minimal environment.
#[track_caller]
fn run(host: &Host, command: &str) -> std::process::Output {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().current_dir("/");
    shell.env("PATH", "/usr/bin:/bin").env("HOME", host.path("")).env("SHELL", "/bin/sh").env("LOGNAME", "ada");
    shell.output().unwrap()
}

#[test]
fn line_archives_the_last_month_once() {
    let host = Host::new();
    let crontab = job(&host, "cron", &["--source", "demo:?events=50", "--archive", "./my archive 100%"]);
    for _ in 0..2 {
        let output = run(&host, &command(&crontab));
        let (stdout, stderr) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && stdout.is_empty(), "{stderr}");
        assert_eq!(stderr, "", "cron would mail this");
    }
    assert!(host.path("my archive 100%/manifests/00000001.json").is_file());
    assert!(!host.path("my archive 100%/manifests/00000002.json").is_file());
}

#[test]
fn errors_go_to_stderr_with_the_exit_code_of_the_program() {
    let host = Host::new();
    let crontab = job(&host, "cron", &["--source", "./no-such-*.csv"]);
    let output = run(&host, &command(&crontab));
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: ") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn variables_with_secrets_are_read_from_a_file() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_NOTIFY", "http://127.0.0.1:9/canary");
    let crontab = job(&host, "cron", &["--source", "demo:?events=50"]);
    assert!(crontab.contains("KT_ARCHIVE_NOTIFY") && !crontab.contains("canary"), "{crontab}");
    let file = host.path("env");
    fs::write(&file, "KT_ARCHIVE_ALLOW_EMPTY='perhaps'\n").unwrap();
    let command = command(&crontab).replace("/etc/kt-archive/env", &file.display().to_string());
    let stderr = String::from_utf8(run(&host, &command).stderr).unwrap();
    assert!(stderr.contains("KT_ARCHIVE_ALLOW_EMPTY cannot be used"), "the file was not read: {stderr}");
    fs::remove_file(&file).unwrap();
    assert!(!run(&host, &command).status.success(), "a file that is missing is no reason to run without it");
}

#[test]
fn cron_accepts_the_lines_and_runs_on_the_first_three_days() {
    let host = Host::new();
    let crontab = job(&host, "cron", &["--source", "demo:", "--archive", "/srv/100% sure", "--format", "csv,parquet"]);
    let file = host.path("crontab");
    fs::write(&file, &crontab).unwrap();
    let checked = Command::new("crontab").arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}\n{crontab}", String::from_utf8_lossy(&checked.stderr));
    let times = crontab.lines().last().unwrap().splitn(6, ' ').take(5).collect::<Vec<_>>().join(" ");
    let program = "import sys, datetime, croniter\n\
         times = croniter.croniter(sys.stdin.read(), datetime.datetime(2026, 1, 31, 12))\n\
         print(*(times.get_next(datetime.datetime).isoformat() for _ in range(4)))";
    let expected = "2026-02-01T04:00:00 2026-02-02T04:00:00 2026-02-03T04:00:00 2026-03-01T04:00:00\n";
    assert_eq!(python(program, &times), expected);
}

#[test]
fn settings_round_trip() {
    for nasty in NASTY {
        let (mut host, script) = host_with_printer();
        host.set("KT_ARCHIVE_GRACE", "3h");
        host.set("KT_ARCHIVE_TIME_COLUMN", nasty);
        let column = format!("--id-column={nasty}");
        let arguments =
            ["--source", "demo:", "--replica", "r 1,r2", "--archive", nasty.trim_start_matches('-'), &column];
        let there = host.run(&[&["config", "show", "--json"], &arguments[..]].concat()).expect(0).stdout;
        let program = script.display().to_string();
        let crontab = job(&host, "cron", &[&arguments[..], &["--program", &program]].concat());
        let printed = run(&host, command(&crontab).trim_end_matches(" >/dev/null"));
        assert!(printed.status.success(), "{}\n{crontab}", String::from_utf8_lossy(&printed.stderr));
        let mut there = settings(&there);
        let here = |name: &str| host.path(name).display().to_string();
        // The home folder of the host is the current one.
        let archive = nasty.trim_start_matches('-').trim_start_matches("~/");
        there.insert("archive".to_owned(), here(archive).into());
        there.insert("replica".to_owned(), format!("{},{}", here("r 1"), here("r2")).into());
        assert_eq!(settings(&String::from_utf8(printed.stdout).unwrap()), there, "{crontab}");
    }
}

#[test]
fn values_that_a_crontab_cannot_hold_are_refused_with_a_hint() {
    let host = Host::new();
    let long = format!("--id-column={}", "x".repeat(1000));
    for argument in ["--id-column=two\nlines", &long] {
        let refused = host.run(&["schedule", "cron", "--source", "demo:", argument]).expect(2);
        assert!(refused.stderr.contains("--config"), "{}", refused.stderr);
    }
}

#[test]
fn relative_paths_of_the_configuration_file_are_resolved() {
    let (host, script) = host_with_printer();
    let file = "archive = 'a'\nstate-dir = 's'\nsource = 'postgres://u@db/x'\njobs = 3\n\
                [[dataset]]\nname = 'events'\ntable = 'public.e'\n";
    fs::write(host.path("k t.toml"), file).unwrap();
    let program = script.display().to_string();
    let crontab = job(&host, "cron", &["--config", "k t.toml", "--program", &program, "--grace", "2h"]);
    let printed = run(&host, command(&crontab).trim_end_matches(" >/dev/null"));
    let printed = settings(&String::from_utf8(printed.stdout).unwrap());
    assert_eq!(printed["archive"], host.path("a").display().to_string());
    assert_eq!((&printed["jobs"], &printed["grace"]), (&3.into(), &"2h".into()));
    assert_eq!(printed["dataset"][0]["table"], "public.e");
    assert!(crontab.contains(&format!("--state-dir={}", host.path("s").display())), "{crontab}");
}

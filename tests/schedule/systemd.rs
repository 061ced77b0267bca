//! The units, checked by the distribution's `systemd-analyze`.

use super::{NASTY, host_with_printer, job, settings};
use crate::support::cli::Host;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Saves both units with the command in their comments, and returns the folder.
#[track_caller]
fn saved(host: &Host, job: &str) -> PathBuf {
    let folder = host.path("units");
    fs::create_dir_all(&folder).unwrap();
    let script = job.lines().find_map(|line| line.strip_prefix("#   kt-archive schedule systemd ... | ")).unwrap();
    let script = script.replace("{file=$2}", &format!("{{file=\"{}/\" gensub}}", folder.display()));
    let script = script.replace("gensub", "substr($2, 21)");
    super::piped(Command::new("sh").args(["-c", &script]), job);
    folder
}

/// The output of `systemd-analyze verify`, with its debug log.
#[track_caller]
fn verified(folder: &Path) -> String {
    let units = ["kt-archive.service", "kt-archive.timer"].map(|name| folder.join(name));
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(&units).env("SYSTEMD_LOG_LEVEL", "debug").env("SYSTEMD_LOG_COLOR", "0");
    let output = verify.output().unwrap();
    let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let service = || fs::read_to_string(&units[0]).unwrap();
    assert!(output.status.success(), "{log}\n{}", service());
    // `verify` accepts unknown settings with a warning. Unknown system calls are ignored: systemd's groups may be newer than the
    // host's libseccomp.
    let complaints = ["Unknown", "Failed to parse", "ignoring", "deprecated", "Refusing"];
    let about = log.lines().filter(|line| !line.contains("Failed to parse system call"));
    let about = about.filter(|line| line.contains("kt-archive.") && complaints.iter().any(|it| line.contains(it)));
    let about = about.collect::<Vec<_>>();
    assert_eq!(about, [] as [&str; 0], "{}", service());
    log
}

/// The command that systemd starts, from its log, for a shell.
fn command(log: &str) -> String {
    let line = log.lines().find_map(|line| line.trim().strip_prefix("Command Line: ")).unwrap();
    // The log escapes `$` for a shell, and systemd starts the command with `$` for `$$`.
    line.replace("\\$\\$", "\\$")
}

#[test]
fn units_are_valid() {
    for arguments in [
        &["--source", "demo:"][..],
        &["--source", "https://api.example", "--archive", "s3://bucket/x", "--replica", "/mnt/nas/x"],
        &["--source", "postgres://u@db/x", "--metrics-file", "/var/lib/node_exporter/kt.prom", "--state-dir", "/var/x"],
    ] {
        let host = Host::new();
        let log = verified(&saved(&host, &job(&host, "systemd", arguments)));
        assert!(log.contains("Command Line: "), "{log}");
    }
}

#[test]
fn service_archives_the_last_month() {
    let host = Host::new();
    let folder = saved(&host, &job(&host, "systemd", &["--source", "demo:?events=50", "--archive", "it's 100%"]));
    let command = command(&verified(&folder)).replace("/var/lib/kt-archive", &host.path("lib").display().to_string());
    let output = Command::new("/bin/sh").args(["-c", &command]).env_clear().current_dir("/").output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(host.path("it's 100%/manifests/00000001.json").is_file() && host.path("lib").is_dir());
}

#[test]
fn timer_runs_on_the_first_three_days_of_a_month_in_utc() {
    let host = Host::new();
    let units = job(&host, "systemd", &["--source", "demo:"]);
    let times = units.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    let mut calendar = Command::new("systemd-analyze");
    calendar.args(["calendar", "--iterations=4", "--base-time=2026-01-31 12:00:00 UTC", times]).env("TZ", "UTC");
    let output = calendar.output().unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    for time in ["2026-02-01 04:00:00", "2026-02-02 04:00:00", "2026-02-03 04:00:00", "2026-03-01 04:00:00"] {
        assert!(log.contains(time), "{log}");
    }
}

#[test]
fn settings_round_trip() {
    for nasty in NASTY.into_iter().filter(|nasty| !nasty.chars().any(char::is_control)) {
        let (mut host, script) = host_with_printer();
        host.set("KT_ARCHIVE_TIME_COLUMN", nasty);
        let column = format!("--id-column={nasty}");
        let program = script.display().to_string();
        let units = job(&host, "systemd", &["--source", "demo:", &column, "--archive", "/a", "--program", &program]);
        let log = verified(&saved(&host, &units));
        let output =
            Command::new("/bin/sh").args(["-c", &command(&log)]).env_clear().env("HOME", "/").output().unwrap();
        let printed = settings(&String::from_utf8(output.stdout).unwrap());
        assert_eq!((&printed["id-column"], &printed["archive"]), (&nasty.into(), &"/a".into()), "{units}");
        let environment = format!("Environment: KT_ARCHIVE_TIME_COLUMN={nasty}");
        assert!(log.lines().any(|line| line.trim() == environment.trim()), "{environment}\n{units}");
    }
}

#[test]
fn service_can_write_only_to_its_folders() {
    let host = Host::new();
    let arguments = [
        "--source",
        "demo:",
        "--archive",
        "/srv/it's \"a\"",
        "--replica",
        "/mnt/100% b",
        "--metrics-file",
        "/p/x.prom",
    ];
    let log = verified(&saved(&host, &job(&host, "systemd", &arguments)));
    let line = log.lines().find(|line| line.contains("ReadWritePaths:")).unwrap();
    assert_eq!(line.trim(), "ReadWritePaths: /srv/it's \"a\" /mnt/100% b /p");
    let mut exposure = Command::new("systemd-analyze");
    let folder = host.path("units/kt-archive.service");
    // An exposure of 2.0, of 10 for a service without sandboxing.
    let judged = exposure.args(["security", "--offline=true", "--threshold=20"]).arg(folder).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

#[test]
fn values_that_a_unit_cannot_hold_are_refused_with_a_hint() {
    let host = Host::new();
    let refused = host.run(&["schedule", "systemd", "--source", "demo:", "--id-column=two\nlines"]).expect(2);
    assert!(refused.stderr.contains("--config"), "{}", refused.stderr);
}

#[test]
fn certificates_in_a_home_folder_are_readable() {
    let mut host = Host::new();
    host.set("SSL_CERT_FILE", "/home/ada/ca.pem");
    let units =
        job(&host, "systemd", &["--source", "demo:", "--archive", "/srv/a", "--program", "/usr/bin/kt-archive"]);
    assert!(units.contains("\nProtectHome=read-only\n"), "{units}");
}

//! The units, as `systemd-analyze` of the distribution reads them.

use super::{NASTY, host_with_teller, job, settings};
use crate::support::cli::Host;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Saves both units as their comments say, and returns the folder.
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
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let service = || fs::read_to_string(&units[0]).unwrap();
    assert!(output.status.success(), "{said}\n{}", service());
    // A setting that it does not know is no failure to it. That its own groups of system calls have newer calls than the
    // host's library of filters is no fault of the unit.
    let complaints = ["Unknown", "Failed to parse", "ignoring", "deprecated", "Refusing"];
    let about = said.lines().filter(|line| !line.contains("Failed to parse system call"));
    let about = about.filter(|line| line.contains("kt-archive.") && complaints.iter().any(|it| line.contains(it)));
    let about = about.collect::<Vec<_>>();
    assert_eq!(about, [] as [&str; 0], "{}", service());
    said
}

/// The command as systemd starts it, for a shell.
fn command(said: &str) -> String {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Command Line: ")).unwrap();
    // For the shell it has a backslash; what is doubled stands for itself when the command is started.
    line.replace("\\$\\$", "\\$")
}

#[test]
fn the_units_are_what_systemd_takes() {
    for arguments in [
        &["--source", "demo:"][..],
        &["--source", "https://api.example", "--archive", "s3://bucket/x", "--replica", "/mnt/nas/x"],
        &["--source", "postgres://u@db/x", "--metrics-file", "/var/lib/node_exporter/kt.prom", "--state-dir", "/var/x"],
    ] {
        let host = Host::new();
        let said = verified(&saved(&host, &job(&host, "systemd", arguments)));
        assert!(said.contains("Command Line: "), "{said}");
    }
}

#[test]
fn what_systemd_starts_archives_the_last_month() {
    let host = Host::new();
    let folder = saved(&host, &job(&host, "systemd", &["--source", "demo:?events=50", "--archive", "it's 100%"]));
    let command = command(&verified(&folder)).replace("/var/lib/kt-archive", &host.path("lib").display().to_string());
    let output = Command::new("/bin/sh").args(["-c", &command]).env_clear().current_dir("/").output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(host.path("it's 100%/manifests/00000001.json").is_file() && host.path("lib").is_dir());
}

#[test]
fn the_timer_starts_it_on_the_first_three_days_of_a_month_in_utc() {
    let host = Host::new();
    let units = job(&host, "systemd", &["--source", "demo:"]);
    let times = units.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    let mut calendar = Command::new("systemd-analyze");
    calendar.args(["calendar", "--iterations=4", "--base-time=2026-01-31 12:00:00 UTC", times]).env("TZ", "UTC");
    let output = calendar.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for time in ["2026-02-01 04:00:00", "2026-02-02 04:00:00", "2026-02-03 04:00:00", "2026-03-01 04:00:00"] {
        assert!(said.contains(time), "{said}");
    }
}

#[test]
fn every_setting_arrives_whatever_is_in_it() {
    for nasty in NASTY.into_iter().filter(|nasty| !nasty.chars().any(char::is_control)) {
        let (mut host, teller) = host_with_teller();
        host.set("KT_ARCHIVE_TIME_COLUMN", nasty);
        let column = format!("--id-column={nasty}");
        let program = teller.display().to_string();
        let units = job(&host, "systemd", &["--source", "demo:", &column, "--archive", "/a", "--program", &program]);
        let said = verified(&saved(&host, &units));
        let output =
            Command::new("/bin/sh").args(["-c", &command(&said)]).env_clear().env("HOME", "/").output().unwrap();
        let told = settings(&String::from_utf8(output.stdout).unwrap());
        assert_eq!((&told["id-column"], &told["archive"]), (&nasty.into(), &"/a".into()), "{units}");
        let environment = format!("Environment: KT_ARCHIVE_TIME_COLUMN={nasty}");
        assert!(said.lines().any(|line| line.trim() == environment.trim()), "{environment}\n{units}");
    }
}

#[test]
fn a_service_may_write_where_it_archives_and_nowhere_else() {
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
    let said = verified(&saved(&host, &job(&host, "systemd", &arguments)));
    let line = said.lines().find(|line| line.contains("ReadWritePaths:")).unwrap();
    assert_eq!(line.trim(), "ReadWritePaths: /srv/it's \"a\" /mnt/100% b /p");
    let mut exposure = Command::new("systemd-analyze");
    let folder = host.path("units/kt-archive.service");
    // Of 10 for a service that may do everything.
    let judged = exposure.args(["security", "--offline=true", "--threshold=20"]).arg(folder).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

#[test]
fn what_a_unit_cannot_hold_is_refused_with_a_way_out() {
    let host = Host::new();
    let refused = host.run(&["schedule", "systemd", "--source", "demo:", "--id-column=two\nlines"]).expect(2);
    assert!(refused.stderr.contains("--config"), "{}", refused.stderr);
}

#[test]
fn certificates_in_a_home_folder_can_be_read() {
    let mut host = Host::new();
    host.set("SSL_CERT_FILE", "/home/ada/ca.pem");
    let units =
        job(&host, "systemd", &["--source", "demo:", "--archive", "/srv/a", "--program", "/usr/bin/kt-archive"]);
    assert!(units.contains("\nProtectHome=read-only\n"), "{units}");
}

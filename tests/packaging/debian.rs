//! The Debian package: built, checked by lintian, installed, removed and purged in its own root.

use super::file;
use archive_cli::schedule::{Job, Kind, SourceKind, render};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// The unit decides where the service may write, so both must agree.
#[test]
fn packaged_units_equal_those_of_schedule() {
    let job = Job {
        program: "/usr/bin/kt-archive".to_owned(),
        config: Some("/etc/kt-archive/kt-archive.toml".to_owned()),
        source: SourceKind::ExportsApi,
        ..Job::default()
    };
    let printed = render(Kind::Systemd, &job).unwrap();
    let (service, timer) = printed.split_once("\n# /etc/systemd/system/kt-archive.timer\n").unwrap();
    for (unit, printed) in [("service", service), ("timer", timer)] {
        let packaged = fs::read_to_string(file("packaging/debian").join(format!("kt-archive.{unit}"))).unwrap();
        let settings = |text: &str| text[text.find("[Unit]").unwrap()..].trim_end().to_owned();
        assert_eq!(settings(&packaged), settings(printed), "kt-archive.{unit}");
    }
}

#[test]
fn sample_archives_to_the_folder_the_service_may_write() {
    let sample = fs::read_to_string(file("examples/kt-archive.toml")).unwrap();
    let folder = sample.parse::<toml::Table>().unwrap()["archive"].as_str().unwrap().to_owned();
    let service = fs::read_to_string(file("packaging/debian/kt-archive.service")).unwrap();
    assert!(service.contains(&format!("ReadWritePaths={folder}\n")), "{service}");
}

#[track_caller]
fn ended_well(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&stderr));
    said
}

/// The package of the test's program, built as from a release archive, which has no Git history.
fn package(scratch: &Path) -> PathBuf {
    let profile = scratch.join("target/dist");
    fs::create_dir_all(&profile).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_kt-archive"), profile.join("kt-archive")).unwrap();
    let mut made = Command::new(file("packaging/deb"));
    made.args(["--no-build", "--fast", "--output"]).arg(scratch.join("kt-archive.deb"));
    made.env("GIT_DIR", scratch.join("none")).env_remove("SOURCE_DATE_EPOCH");
    ended_well(made.env("CARGO_TARGET_DIR", scratch.join("target")));
    scratch.join("kt-archive.deb")
}

/// An empty root, with stubs for the programs that would change the host.
struct Root {
    folder: TempDir,
}

impl Root {
    fn new() -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "stubs", "etc"] {
            fs::create_dir_all(root.path(folder)).unwrap();
        }
        fs::write(root.path("var/lib/dpkg/status"), "").unwrap();
        for name in ["systemctl", "deb-systemd-invoke"] {
            fs::write(root.path("stubs").join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(root.path("stubs").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    #[track_caller]
    fn dpkg(&self, arguments: &[&str]) {
        let mut dpkg = Command::new("fakeroot");
        dpkg.arg("dpkg").arg(format!("--root={}", self.folder.path().display()));
        // This root has neither the dependencies nor a shell.
        dpkg.args(["--force-depends", "--force-script-chrootless", "--force-not-root"]).args(arguments);
        let path =
            format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.path("stubs").display());
        ended_well(dpkg.env("PATH", path).env("DEBIAN_FRONTEND", "noninteractive"));
    }
}

#[test]
fn package_installs_runs_and_is_purged_without_a_trace() {
    let scratch = tempfile::tempdir().unwrap();
    let package = package(scratch.path());
    let judged = ended_well(Command::new("lintian").args(["--allow-root", "--fail-on", "error"]).arg(&package));
    assert!(!judged.lines().any(|line| line.starts_with("E:")), "{judged}");
    let field = |name: &str| ended_well(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name));
    let synopsis = field("Description").lines().next().unwrap().to_owned();
    assert_eq!(synopsis, env!("CARGO_PKG_DESCRIPTION"), "the synopsis is cut");
    assert!(synopsis.len() <= 80, "{synopsis}");
    assert!(field("Depends").contains("systemd (>= 250) | "), "{}", field("Depends"));
    let changes = fs::read_to_string(file("target/packaging/changelog.Debian")).unwrap();
    let time = ended_well(Command::new("date").args(["--utc", "--rfc-email", "-r"]).arg(file("CHANGELOG.md")));
    assert!(changes.ends_with(&time), "{changes}");
    let conffiles = ended_well(Command::new("dpkg-deb").arg("--info").arg(&package).arg("conffiles"));
    assert_eq!(conffiles.trim(), "/etc/kt-archive/kt-archive.toml");

    let root = Root::new();
    root.dpkg(&["--install", package.to_str().unwrap()]);
    let version = ended_well(Command::new(root.path("usr/bin/kt-archive")).arg("--version").env_clear());
    assert_eq!(version.trim(), format!("kt-archive {}", env!("CARGO_PKG_VERSION")));
    for path in INSTALLED {
        assert!(root.path(path).is_file(), "{path}");
    }
    let page = root.path("usr/share/man/man1/kt-archive-run.1.gz");
    assert!(ended_well(Command::new("man").arg("-l").arg(page).env("LC_ALL", "C.UTF-8")).contains("EXIT STATUS"));
    let users = fs::read_to_string(root.path("etc/passwd")).unwrap();
    assert!(users.lines().any(|user| user.starts_with("kt-archive:")), "{users}");
    assert!(!root.path("etc/systemd/system/timers.target.wants").is_dir(), "the timer is enabled");
    let settings = root.path("etc/kt-archive/kt-archive.toml");
    let mut checked = Command::new(root.path("usr/bin/kt-archive"));
    checked.args(["config", "check", "--config"]).arg(&settings).env_clear();
    ended_well(checked.env("KEEPTRUSTS_API_TOKEN", "t").env("HOME", root.path("")));

    let state = root.path("var/lib/kt-archive/locks");
    fs::create_dir_all(&state).unwrap();
    root.dpkg(&["--remove", "kt-archive"]);
    assert!(settings.is_file() && state.is_dir(), "removal deleted configuration or state");
    assert!(!root.path("usr/bin/kt-archive").is_file() && !root.path(INSTALLED[0]).is_file());
    root.dpkg(&["--purge", "kt-archive"]);
    assert!(!settings.is_file() && !root.path("var/lib/kt-archive").is_dir());
    assert!(!root.path("etc/kt-archive").is_dir());
}

const INSTALLED: [&str; 13] = [
    "usr/share/man/man1/kt-archive.1.gz",
    "usr/share/man/man1/kt-archive-schedule.1.gz",
    "usr/share/bash-completion/completions/kt-archive",
    "usr/share/zsh/vendor-completions/_kt-archive",
    "usr/share/fish/vendor_completions.d/kt-archive.fish",
    "usr/lib/systemd/system/kt-archive.service",
    "usr/lib/systemd/system/kt-archive.timer",
    "usr/lib/sysusers.d/kt-archive.conf",
    "etc/kt-archive/kt-archive.toml",
    "usr/share/doc/kt-archive/copyright",
    "usr/share/doc/kt-archive/examples/iam/writer.json",
    "usr/share/doc/kt-archive/examples/prometheus/alerts.yml",
    "usr/share/doc/kt-archive/examples/grafana/kt-archive.json",
];

//! Finds the programs of the server's own major version.

use super::{super::failure::configuration, failure::MESSAGES, prefix::CommandPrefix};
use crate::{Error, ErrorKind, Result, program::Program};
use archive_formats::backup_manifest::ProgramRecord;
use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

/// A program of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramName {
    /// `pg_dump`.
    Dump,
    /// `pg_dumpall`.
    DumpAll,
    /// `pg_restore`.
    Restore,
    /// `initdb`.
    Initdb,
    /// `postgres`, the server.
    Postgres,
}

impl ProgramName {
    /// The name of its file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::DumpAll => "pg_dumpall",
            Self::Restore => "pg_restore",
            Self::Initdb => "initdb",
            Self::Postgres => "postgres",
        }
    }

    /// Whether it is a server, or starts one.
    const fn is_server(self) -> bool {
        matches!(self, Self::Initdb | Self::Postgres)
    }
}

/// Where the programs are, and the variables that they see.
#[derive(Clone, Debug)]
pub struct ProgramOptions {
    folder: Option<PathBuf>,
    prefix: Option<CommandPrefix>,
    variables: Vec<(&'static str, String)>,
}

/// Variables of this process that programs see: what they need to run at all, and what commands around them need to find
/// their daemon.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "COMPOSE_FILE",
    "COMPOSE_PROJECT_NAME",
    "CONTAINER_HOST",
    "KUBECONFIG",
    "SSH_AUTH_SOCK",
];

/// Those of them that a server needs.
const SERVERS: &[&str] = &["PATH", "LD_LIBRARY_PATH"];

impl ProgramOptions {
    /// Looks in `folder` alone, if there is one. `pg_dump` and `pg_dumpall` run behind `prefix`, if there is one. `variable`
    /// looks up the variables of this process.
    pub fn new(
        folder: Option<PathBuf>,
        prefix: Option<CommandPrefix>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let variables = PASSED.iter().filter_map(|name| variable(name).map(|value| (*name, value))).collect();
        Self { folder, prefix, variables }
    }

    /// The variables that `name` sees. The servers, which run code of others, get no access to agents, daemons and files of this
    /// process.
    fn variables(&self, name: ProgramName) -> impl Iterator<Item = (&'static str, &str)> {
        let is_passed = move |variable: &str| !name.is_server() || SERVERS.contains(&variable);
        self.variables.iter().filter(move |(name, _)| is_passed(name)).map(|(name, value)| (*name, value.as_str()))
    }

    fn variable(&self, wanted: &str) -> Option<&str> {
        self.variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    }
}

/// The programs for a server.
#[derive(Clone, Debug)]
pub struct Programs {
    options: ProgramOptions,
    major: Option<u32>,
}

/// A program that was found, and answered with its version.
#[derive(Clone, Debug)]
pub struct FoundProgram {
    /// Which one.
    pub name: ProgramName,
    /// Its version, as it prints it.
    pub version: String,
    /// Its major version.
    pub major: u32,
    /// Whether it runs behind a command.
    pub is_behind_command: bool,
    pub(in crate::postgres) program: Program,
}

impl FoundProgram {
    /// The record of a run with these arguments, which succeeded and printed these warnings.
    pub(super) fn record(&self, arguments: Vec<String>, warnings: Vec<String>) -> ProgramRecord {
        ProgramRecord { name: self.name.as_str().to_owned(), version: self.version.clone(), arguments, warnings }
    }
}

/// Which versions are good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// The server's: an older `pg_dump` aborts, and a newer one makes dumps that the server's `pg_restore` cannot read.
    Same,
    /// The server's, or a newer one, which reads all dumps.
    AtLeast,
}

impl Programs {
    /// The programs for a server of this major version. It may be unknown where they run behind a command, next to the
    /// server.
    pub fn new(options: ProgramOptions, major: Option<u32>) -> Self {
        Self { options, major }
    }

    /// Finds a program that connects to the server, which may be behind a command.
    pub async fn client(&self, name: ProgramName) -> Result<FoundProgram> {
        match &self.options.prefix {
            Some(prefix) => self.behind(prefix, name).await,
            None => self.local(name).await,
        }
    }

    /// Finds a program of this host with the server's major version.
    pub async fn local(&self, name: ProgramName) -> Result<FoundProgram> {
        self.find(name, self.major, Fit::Same).await
    }

    /// Finds a `pg_restore` that reads the dumps of version `major`: on this host, or else behind the command.
    pub(super) async fn reader(&self, major: u32) -> Result<FoundProgram> {
        let found = self.find(ProgramName::Restore, Some(major), Fit::AtLeast).await;
        match (found, &self.options.prefix) {
            (Err(error), Some(prefix)) => {
                tracing::debug!(%error, "reading the dump behind the command");
                self.behind(prefix, ProgramName::Restore).await
            }
            (found, _) => found,
        }
    }

    async fn behind(&self, prefix: &CommandPrefix, name: ProgramName) -> Result<FoundProgram> {
        let (first, rest) = prefix.words().split_first().ok_or_else(|| configuration("the command is empty"))?;
        let program = self.given(name, first).arguments(rest).argument(name.as_str());
        let (version, major) = version(&program).await?;
        let found = FoundProgram { name, version, major, is_behind_command: true, program };
        match self.major {
            Some(wanted) if wanted != major => Err(unfit(name, wanted, &[(prefix.words().join(" ").into(), major)])),
            _ => Ok(found),
        }
    }

    async fn find(&self, name: ProgramName, wanted: Option<u32>, fit: Fit) -> Result<FoundProgram> {
        let mut others = Vec::new();
        for path in self.candidates(name, wanted) {
            let program = self.given(name, &path);
            match version(&program).await {
                Ok((version, major)) => {
                    let fits = wanted.is_none_or(|wanted| major == wanted || (fit == Fit::AtLeast && major > wanted));
                    if fits {
                        return Ok(FoundProgram { name, version, major, is_behind_command: false, program });
                    }
                    others.push((path, major));
                }
                Err(error) => tracing::debug!(%error, path = %path.display(), "cannot use this program"),
            }
        }
        Err(match wanted {
            Some(wanted) => unfit(name, wanted, &others),
            None => configuration(format!("{} was not found", name.as_str()))
                .with_hint("install PostgreSQL's client programs, or name their folder with --pg-bin"),
        })
    }

    /// Files that may be the program, best first.
    fn candidates(&self, name: ProgramName, wanted: Option<u32>) -> Vec<PathBuf> {
        let mut folders = match &self.options.folder {
            Some(folder) => vec![folder.clone()],
            None => wanted.map(usual_folders).unwrap_or_default(),
        };
        if self.options.folder.is_none() {
            let path = self.options.variable("PATH").unwrap_or_default();
            folders.extend(path.split(':').filter(|folder| folder.starts_with('/')).map(PathBuf::from));
            folders.extend(debian_folders());
        }
        let mut files = folders.into_iter().map(|folder| folder.join(name.as_str())).collect::<Vec<_>>();
        files.retain(|file| is_executable(file));
        files
    }

    fn given(&self, name: ProgramName, path: impl Into<OsString>) -> Program {
        let program = Program::new(name.as_str(), path);
        let variables = self.options.variables(name);
        let program = variables.fold(program, |program, (name, value)| program.variable(name, value));
        program.variable("LC_ALL", "C").messages(MESSAGES)
    }
}

/// Where distributions put the programs of a major version: Debian, Homebrew, and the RPM packages of PostgreSQL.
fn usual_folders(major: u32) -> Vec<PathBuf> {
    [
        format!("/usr/lib/postgresql/{major}/bin"),
        format!("/usr/pgsql-{major}/bin"),
        format!("/opt/homebrew/opt/postgresql@{major}/bin"),
        format!("/usr/local/opt/postgresql@{major}/bin"),
    ]
    .map(PathBuf::from)
    .into()
}

/// The folders of all versions on Debian, newest first.
fn debian_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut majors = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).collect::<Vec<_>>();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))).collect()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn unfit(name: ProgramName, wanted: u32, others: &[(PathBuf, u32)]) -> Error {
    let name = name.as_str();
    let error = match others.first() {
        None => configuration(format!("{name} was not found")).with_context("major version", wanted),
        Some((path, major)) => configuration(format!("{name} has another major version than the server"))
            .with_context("major version", major)
            .with_context("of the server", wanted)
            .with_context("path", path.display()),
    };
    error.with_hint(format!(
        "install the programs of PostgreSQL {wanted} (Debian: postgresql-client-{wanted}; for drills postgresql-{wanted}), or \
         name their folder with --pg-bin: an older pg_dump aborts, and the server's own pg_restore cannot read dumps of a newer one"
    ))
}

/// The version that a program prints, and its major version.
async fn version(program: &Program) -> Result<(String, u32)> {
    /// A command around the program may wait for a daemon.
    const LIMIT: Duration = Duration::from_secs(60);
    let program = program.clone().argument("--version");
    let asked = timeout(LIMIT, program.output(4096)).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Source, format!("{} does not answer --version", program.name())))
    });
    let text = String::from_utf8_lossy(&asked?.0).trim().to_owned();
    let major = major(&text).ok_or_else(|| {
        configuration(format!("{} does not print a version as PostgreSQL does", program.name()))
            .with_hint("check --pg-bin, and the command around the program")
    })?;
    Ok((text, major))
}

/// The major version in a text such as `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(text: &str) -> Option<u32> {
    major_version(text.split_once("(PostgreSQL) ")?.1)
}

/// The major version of a server that prints its version like `15.18 (Debian 15.18-0+deb12u1)`.
pub fn major_version(version: &str) -> Option<u32> {
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a `pg_dump` of this version.
    fn folder(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg_dump");
        fs::write(&path, format!("#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn programs(folder: Option<&Path>, path: &str, major: u32) -> Programs {
        let variable = |name: &str| (name == "PATH").then(|| path.to_owned());
        Programs::new(ProgramOptions::new(folder.map(Path::to_owned), None, &variable), Some(major))
    }

    #[tokio::test]
    async fn named_folder_is_the_only_one() {
        let (named, other) = (folder("97.1 (Debian 97.1-1)"), folder("98.0"));
        let path = other.path().display().to_string();
        let found = programs(Some(named.path()), &path, 97).local(ProgramName::Dump).await.unwrap();
        assert_eq!((found.major, found.version.as_str()), (97, "pg_dump (PostgreSQL) 97.1 (Debian 97.1-1)"));
        assert!(programs(Some(named.path()), &path, 98).local(ProgramName::Dump).await.is_err());
    }

    #[tokio::test]
    async fn path_is_searched_for_the_same_major_version() {
        let (older, same) = (folder("96.3"), folder("98beta1"));
        let path = format!("{}:{}", older.path().display(), same.path().display());
        assert_eq!(programs(None, &path, 98).local(ProgramName::Dump).await.unwrap().major, 98);
    }

    #[tokio::test]
    async fn another_major_version_is_refused_with_a_hint() {
        let newer = folder("98.2");
        let programs = programs(None, &newer.path().display().to_string(), 97);
        let error = programs.local(ProgramName::Dump).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("major version: 98, of the server: 97"), "{error}");
        assert!(error.hint().contains("postgresql-client-97") && error.hint().contains("--pg-bin"), "{}", error.hint());
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major("pg_dump 15.18"), None);
    }

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major_version("15.8 (Debian 15.8-1.pgdg120+1)"), Some(15));
        assert_eq!(major_version("18beta1"), Some(18));
        assert_eq!(major_version(""), None);
    }
}

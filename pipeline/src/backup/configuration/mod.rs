//! The backup of the platform's configurations: one object for each content, and none for a content that is backed up.
//!
//! They are read from the platform's table, from the output of a command, from a Git repository or from files; the platform
//! documents no request that reads them. A content that seems to hold a secret is refused. A linter may judge it first: what
//! is invalid is stored as invalid, since it may be what is deployed.

mod git;
mod link;
mod secrets;
mod source;

pub use link::RepositoryLink;

use super::{Backups, draft::BackupDraft, spool::store_bytes, tiers::kept};
use crate::exit::ExitCode;
use archive_connectors::{
    Clock, Error, ErrorKind, Result,
    error::local,
    postgres::{configurations::ConfigurationTable, contents::Access},
    program::{CommandTemplate, CommandVariables},
    sink::StoredFile,
};
use archive_formats::{
    Sha256,
    backup_manifest::{BackupContent, BackupFile, CommandRecord, ConfigurationBackup, ConfigurationSource, LintRecord},
    key,
};
use git::Repository;
use secrets::{find_secret, secret_in, secret_in_word};
use serde::Serialize;
use source::{Found, PrivateFile, named};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What to back up, and how.
#[derive(Clone, Debug)]
pub struct ConfigurationRequest {
    /// Where the configurations are.
    pub from: ConfigurationFrom,
    /// The name of what a command writes (`configuration` by default), or of a repository (that of its folder). Files have
    /// their own names without extension, and rows those of the table.
    pub name: Option<String>,
    /// The gateway that they are for, where the source does not know it.
    pub gateway: Option<String>,
    /// The environment that they are for, where the source does not know it.
    pub environment: Option<String>,
    /// Judges each configuration before it is stored, by its exit code. Not for repositories.
    pub lint: Option<CommandTemplate>,
    /// What commands see, and how long they may take.
    pub variables: CommandVariables,
}

/// Where configurations are.
#[derive(Clone, Debug)]
pub enum ConfigurationFrom {
    /// In a table of the platform's database, each in a row.
    Table {
        /// How it is read.
        access: Box<Access>,
        /// The table, by default `configurations`.
        table: Option<String>,
    },
    /// In a file that a command writes.
    Command(CommandTemplate),
    /// In the Git repository of a folder.
    Git(PathBuf),
    /// In these files.
    Files(Vec<PathBuf>),
}

/// What became of the configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigurationOutcome {
    /// Each configuration, in the order in which they were read.
    pub configurations: Vec<ConfigurationItem>,
    /// What the user should know although nothing failed.
    pub warnings: Vec<String>,
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigurationItem {
    /// Its name.
    pub name: String,
    /// Whether it was stored.
    pub state: ConfigurationState,
    /// The manifest that names its content; `None` if it was refused.
    pub sequence: Option<u64>,
    /// The digest of its content; `None` if it was refused.
    pub sha256: Option<Sha256>,
    /// What the linter found; `None` without one.
    pub valid: Option<bool>,
    /// Why it was refused, or the linter's first line if it is invalid.
    pub reason: Option<String>,
}

/// Whether a configuration was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigurationState {
    /// Stored, with a manifest.
    Stored,
    /// The newest manifest of its name names this content.
    Already,
    /// Not stored, since it seems to hold a secret.
    Refused,
}

impl ConfigurationOutcome {
    /// Incomplete if a configuration is invalid, or was refused.
    pub fn exit(&self) -> ExitCode {
        let is_bad = |item: &ConfigurationItem| item.state == ConfigurationState::Refused || item.valid == Some(false);
        if self.configurations.iter().any(is_bad) { ExitCode::Incomplete } else { ExitCode::Done }
    }
}

/// Backs up configurations into `backups`, by way of `folder`, a private local one, with a manifest for each that is new.
///
/// A linter that is killed, or cannot be started, is an error, after which the configuration is not stored; those before it
/// are.
pub async fn backup_configuration(
    backups: &mut Backups,
    request: &ConfigurationRequest,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<ConfigurationOutcome> {
    let lint = match &request.lint {
        Some(template) => Some(CommandLine::new(template, &request.variables).await?),
        None => None,
    };
    let outcome = ConfigurationOutcome::default();
    let mut run = ConfigurationRun { backups, request, lint, clock, folder, outcome };
    match &request.from {
        ConfigurationFrom::Table { access, table } => run.table(access, table.as_deref()).await?,
        ConfigurationFrom::Command(template) => {
            let command = CommandLine::new(template, &request.variables).await?;
            let name = request.name.clone().unwrap_or_else(|| "configuration".to_owned());
            run.add(Found::from_command(name, &command, folder).await?).await?;
        }
        ConfigurationFrom::Git(path) => run.repository(path).await?,
        ConfigurationFrom::Files(paths) => {
            for (name, path) in named(paths)? {
                run.add(Found::from_file(name, path)?).await?;
            }
        }
    }
    Ok(run.outcome)
}

/// A command of the user, and what manifests record of it.
struct CommandLine<'a> {
    template: &'a CommandTemplate,
    variables: &'a CommandVariables,
    record: CommandRecord,
}

impl<'a> CommandLine<'a> {
    /// Refuses a command that holds a secret.
    async fn new(template: &'a CommandTemplate, variables: &'a CommandVariables) -> Result<Self> {
        if let Some(kind) = template.words().iter().find_map(|word| secret_in_word(word)) {
            let message = format!("a command seems to hold {kind}, which other users of this host could read");
            return Err(Error::new(ErrorKind::Configuration, message)
                .with_hint("give it to the command in a variable of the environment"));
        }
        let record = CommandRecord { words: template.words().to_vec(), version: template.version(variables).await };
        Ok(Self { template, variables, record })
    }

    /// What it finds in `content`.
    async fn judge(&self, content: &[u8], folder: &Path) -> Result<LintRecord> {
        let file = PrivateFile::new(folder)?;
        std::fs::write(&file.path, content).map_err(local("write a configuration", &file.path))?;
        let found = self.template.examine(&file.path, self.variables).await?;
        let prefix = format!("{}/", file.folder.path().display());
        let readable = |line: String| match secret_in(line.as_bytes()) {
            Some(kind) => format!("[left out: it seems to hold {kind}]"),
            None => line.replace(&prefix, ""),
        };
        Ok(LintRecord {
            valid: found.exit_code == 0,
            exit_code: found.exit_code,
            command: self.record.clone(),
            lines: found.lines.into_iter().map(readable).collect(),
        })
    }
}

/// A backup of configurations that is under way.
struct ConfigurationRun<'a> {
    backups: &'a mut Backups,
    request: &'a ConfigurationRequest,
    lint: Option<CommandLine<'a>>,
    clock: &'a dyn Clock,
    folder: &'a Path,
    outcome: ConfigurationOutcome,
}

impl ConfigurationRun<'_> {
    async fn table(&mut self, access: &Access, table: Option<&str>) -> Result<()> {
        let mut table = ConfigurationTable::open(access, table).await?;
        let source = ConfigurationSource::Table { url: access.server.url().to_owned(), table: table.name().to_owned() };
        while let Some(mut row) = table.next().await? {
            match row.content.take().filter(|content| !content.is_empty()) {
                Some(content) => self.add(Found::from_row(row, content, source.clone())?).await?,
                None => self.outcome.warnings.push(format!("the configuration {:?} has no content", row.name)),
            }
        }
        if self.outcome.configurations.is_empty() {
            self.outcome.warnings.push(format!("the table {} holds no configurations", table.name()));
        }
        table.close().await;
        Ok(())
    }

    /// Stores a configuration unless it is refused, or is backed up.
    async fn add(&mut self, found: Found) -> Result<()> {
        if let Some(secret) = find_secret(&found.content) {
            self.refuse(found.name, format!("line {} seems to hold {}", secret.line, secret.kind));
            return Ok(());
        }
        let lint = match &self.lint {
            Some(lint) => Some(lint.judge(&found.content, self.folder).await?),
            None => None,
        };
        let sha256 = Sha256::digest(&found.content);
        let backup = ConfigurationBackup {
            name: found.name,
            source: found.source,
            gateway: found.gateway.or_else(|| self.request.gateway.clone()),
            environment: found.environment.or_else(|| self.request.environment.clone()),
            version: found.version,
            commit: found.commit,
            lint,
        };
        // A verdict that no manifest has is news.
        let is_judged = |known: &ConfigurationBackup| backup.lint.is_none() || known.valid() == backup.valid();
        let known = self.newest(&backup).filter(|(_, known, file)| file.sha256 == sha256 && is_judged(known));
        if let Some((sequence, known, _)) = known {
            let item = ConfigurationItem::new(known, ConfigurationState::Already, sequence, sha256);
            self.outcome.configurations.push(item);
            return Ok(());
        }
        let path = |sha256: &Sha256| key::configuration(&backup.name, sha256, "yaml");
        let file = store_bytes(self.backups.sink(), self.folder, found.content, path).await?;
        self.commit(backup, sha256, file).await
    }

    /// Stores the bundle of a repository unless its history seems to hold a secret, or its commit is backed up.
    async fn repository(&mut self, path: &Path) -> Result<()> {
        if self.lint.is_some() {
            return Err(Error::new(ErrorKind::Configuration, "a linter judges files, and a repository has many")
                .with_hint("name its files with --file, or leave the linter out"));
        }
        let repository = Repository::open(path, &self.request.variables.variables).await?;
        if repository.is_dirty {
            let warning = "the work tree has changes that no commit holds: they are not backed up";
            self.outcome.warnings.push(warning.to_owned());
        }
        let name = self.request.name.as_ref().or(repository.name.as_ref());
        let backup = ConfigurationBackup {
            name: name.map_or_else(|| "repository".to_owned(), Clone::clone),
            source: ConfigurationSource::Git { path: path.display().to_string(), branch: repository.branch.clone() },
            gateway: self.request.gateway.clone(),
            environment: self.request.environment.clone(),
            version: None,
            commit: Some(repository.commit.clone()),
            lint: None,
        };
        // Bundles of one commit may have different bytes.
        let known = self.newest(&backup).filter(|(_, known, _)| known.commit == backup.commit);
        if let Some((sequence, known, file)) = known {
            let item = ConfigurationItem::new(known, ConfigurationState::Already, sequence, file.sha256);
            self.outcome.configurations.push(item);
            return Ok(());
        }
        if let Some(secret) = repository.find_secret().await? {
            let git::SecretInHistory { found, path, commit } = secret;
            let reason = format!("line {} of {path} in commit {commit} seems to hold {}", found.line, found.kind);
            self.refuse(backup.name, reason);
            return Ok(());
        }
        let staged = repository.bundle(self.folder).await?;
        let staged = staged.stage(|sha256| key::configuration(&backup.name, sha256, "bundle"))?;
        let file = self.backups.sink().store(&staged, |_| ()).await?;
        self.commit(backup, staged.file.sha256, file).await
    }

    /// The newest manifest of a configuration with the name, the gateway and the environment of `backup`: its number, and its
    /// file. Bundles and other contents do not succeed each other.
    fn newest(&self, backup: &ConfigurationBackup) -> Option<(u64, &ConfigurationBackup, &BackupFile)> {
        let is_bundle = |backup: &ConfigurationBackup| matches!(backup.source, ConfigurationSource::Git { .. });
        let key = |backup: &ConfigurationBackup| {
            (is_bundle(backup), backup.name.clone(), backup.gateway.clone(), backup.environment.clone())
        };
        kept(self.backups.chain()).rev().find_map(|entry| match &entry.manifest.content {
            BackupContent::Configuration(known) if key(known) == key(backup) => {
                Some((entry.manifest.sequence, &**known, entry.manifest.files.first()?))
            }
            _ => None,
        })
    }

    async fn commit(
        &mut self,
        backup: ConfigurationBackup,
        sha256: Sha256,
        file: StoredFile<BackupFile>,
    ) -> Result<()> {
        let now = self.clock.now();
        let draft = BackupDraft {
            follows: None,
            identity: self.backups.identity_sha256(),
            content: BackupContent::Configuration(Box::new(backup.clone())),
            taken_at: now,
            committed_at: now,
            seconds: BTreeMap::new(),
        };
        let entry = self.backups.commit(&draft, &[file]).await?;
        let item = ConfigurationItem::new(&backup, ConfigurationState::Stored, entry.manifest.sequence, sha256);
        self.outcome.configurations.push(item);
        Ok(())
    }

    fn refuse(&mut self, name: String, reason: String) {
        let state = ConfigurationState::Refused;
        let item = ConfigurationItem { name, state, sequence: None, sha256: None, valid: None, reason: Some(reason) };
        self.outcome.configurations.push(item);
    }
}

impl ConfigurationItem {
    /// What became of `backup`, which the manifest `sequence` names.
    fn new(backup: &ConfigurationBackup, state: ConfigurationState, sequence: u64, sha256: Sha256) -> Self {
        let invalid = backup.lint.as_ref().filter(|lint| !lint.valid);
        Self {
            name: backup.name.clone(),
            state,
            sequence: Some(sequence),
            sha256: Some(sha256),
            valid: backup.valid(),
            reason: invalid.and_then(|lint| lint.lines.first().cloned()),
        }
    }
}

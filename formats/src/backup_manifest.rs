//! The commit record of a backup: what was saved of a tier of the platform, or what was proved or removed.
//!
//! Backups have a chain of their own: they are kept for weeks, hold personal data and tokens, and are deleted, while events
//! are kept for years. The order of the fields is the order of the keys in the stored documents.

use crate::{
    Chain, CommitRecord, FileRecord, ObjectRecord, Sha256, Timestamp,
    chain::BrokenChain,
    commit_record::Header,
    manifest::{Link, Tool},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name and version of the format.
pub const FORMAT: &str = "keeptrusts-backups/1";

/// A manifest of backups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// The UUID of the backups.
    pub archive: String,
    /// The number of this manifest.
    pub sequence: u64,
    /// The manifest before; null in the first.
    pub previous: Option<Link>,
    /// What it records.
    #[serde(flatten)]
    pub content: BackupContent,
    /// The time of what was saved or examined: for a database that of its snapshot.
    pub taken_at: Timestamp,
    /// When the manifest was made, by the host's clock.
    pub committed_at: Timestamp,
    /// The program that wrote the manifest.
    pub tool: Tool,
    /// Seconds of each stage.
    pub seconds: BTreeMap<String, f64>,
    /// All files.
    pub files: Vec<BackupFile>,
    /// The digest of `backups.json`, in the first manifest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<Sha256>,
}

/// What a manifest of backups records. A kind that this version does not know makes the manifest unreadable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum BackupContent {
    /// A dump of a database.
    Database(Box<DatabaseBackup>),
    /// A restore of a dump for trial.
    Drill(Drill),
    /// Backups whose files may be absent from now on.
    Removal(Removal),
    /// A configuration of the platform.
    Configuration(Box<ConfigurationBackup>),
    /// Export artifacts.
    Artifacts(ArtifactsBackup),
    /// What was checked of a repository of write-ahead log. Later versions write it; this one keeps it as it is.
    Wal(serde_json::Map<String, serde_json::Value>),
}

impl BackupContent {
    /// Its kind, as in the stored document.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => "database",
            Self::Drill(_) => "drill",
            Self::Removal(_) => "removal",
            Self::Configuration(_) => "configuration",
            Self::Artifacts(_) => "artifacts",
            Self::Wal(_) => "wal",
        }
    }
}

/// A dump of a database, with what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseBackup {
    /// The server and the database.
    pub source: DatabaseSource,
    /// The program that made the dump.
    pub program: ProgramRecord,
    /// What was computed of the contents.
    pub digests: DigestLevel,
    /// The tables, by name; empty without digests.
    pub tables: Vec<TableDigest>,
    /// The sequences, by name; empty without digests.
    pub sequences: Vec<SequenceState>,
    /// The large objects; null without digests.
    pub large_objects: Option<LargeObjects>,
    /// The roles of the server, by name; empty without digests, and in manifests of versions that did not record them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleRecord>,
}

/// A server and a database of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSource {
    /// The address without user, password and query; null for a server behind a command.
    pub url: Option<String>,
    /// The name of the database.
    pub database: String,
    /// The server's version, as the server prints it.
    pub server_version: String,
    /// The identifier of the cluster, where the session may read it.
    pub system_identifier: Option<String>,
    /// The superuser that the cluster began with, which is the grantor of memberships; absent where it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superuser: Option<String>,
    /// The end of the write-ahead log when the snapshot was taken, such as `0/16B3748`.
    pub lsn: Option<String>,
    /// The exported snapshot; null without a session of our own.
    pub snapshot: Option<String>,
    /// The encoding.
    pub encoding: Option<String>,
    /// `LC_COLLATE` and `LC_CTYPE`.
    pub locale: Option<Locale>,
    /// Versions of the extensions, by name.
    pub extensions: BTreeMap<String, String>,
    /// The size of the database in bytes, by the server.
    pub bytes: Option<u64>,
}

/// The locale of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale {
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// The locale of the provider `icu` or `builtin`, such as `und`; absent for that of the C library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provided: Option<String>,
}

/// A program that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// Its name.
    pub name: String,
    /// Its version, as it prints it.
    pub version: String,
    /// Its arguments, which never hold a secret.
    pub arguments: Vec<String>,
    /// What it printed to its standard error although it succeeded, without secrets.
    pub warnings: Vec<String>,
}

/// What is computed of the contents of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestLevel {
    /// Rows and digest of each table.
    #[default]
    Full,
    /// Rows of each table.
    Counts,
    /// Nothing.
    Off,
}

/// The contents of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// Schema and name, quoted where SQL needs quotes.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// The [`DigestSum`](crate::DigestSum) of the rows, as [`database_contents`](crate::database_contents) describes: it
    /// does not depend on their order. Null with counts alone. It finds errors, not an adversary.
    pub sha256: Option<Sha256>,
}

/// The state of a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceState {
    /// Schema and name, quoted where SQL needs quotes.
    pub name: String,
    /// `last_value`.
    pub last_value: i64,
    /// `is_called`.
    pub is_called: bool,
    /// `last_value` after the dump, if the sequence moved meanwhile: the dump has a value between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// The large objects of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjects {
    /// How many there are.
    pub count: u64,
    /// The sum, as of a table, over the number and the content of each. Null with counts alone, and where the session may
    /// not read them.
    pub sha256: Option<Sha256>,
}

/// A role of a server, without its password. Those of PostgreSQL itself, whose names begin with `pg_`, are not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// Its name.
    pub name: String,
    /// What it has of `superuser`, `inherit`, `createrole`, `createdb`, `login`, `replication` and `bypassrls`.
    pub attributes: BTreeSet<String>,
    /// How many connections it may have; -1 means no limit.
    pub connection_limit: i32,
    /// The roles that it is a member of, each followed by ` with admin option` if it may grant them.
    pub member_of: BTreeSet<String>,
}

/// A restore of a dump into a database that is dropped afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// The manifest of the dump.
    pub backup: Link,
    /// The version of the server that it was restored into.
    pub server_version: String,
    /// What was compared.
    pub compared: DigestLevel,
    /// Whether the restored database is the one that was dumped, as far as it was compared; null if nothing was.
    pub equal: Option<bool>,
    /// Whether amcheck compared the indexes with their tables.
    #[serde(default)]
    pub amcheck: bool,
    /// What differs, if anything does.
    pub differences: Vec<String>,
}

impl Drill {
    /// Whether the dump could not be restored, as the differences tell.
    pub fn has_failed(&self) -> bool {
        self.equal.is_none() && !self.differences.is_empty()
    }

    /// Whether the backup is what was dumped: `true` only if every value was compared.
    pub fn proves(&self) -> Option<bool> {
        self.equal.filter(|equal| !equal || self.compared == DigestLevel::Full)
    }
}

/// Backups whose files are deleted after this manifest is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Their manifests.
    pub removed: Vec<Link>,
}

/// A configuration of the platform. Its content is the manifest's one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationBackup {
    /// Its name. Later manifests of this name hold later contents.
    pub name: String,
    /// Where it was read.
    pub source: ConfigurationSource,
    /// The gateway that it is for, where that is known.
    pub gateway: Option<String>,
    /// The environment that it is for, such as `production`.
    pub environment: Option<String>,
    /// Its version at the platform, which events name as `config_version`.
    pub version: Option<String>,
    /// The Git commit that holds it.
    pub commit: Option<String>,
    /// What a linter found; null without one.
    pub lint: Option<LintRecord>,
}

impl ConfigurationBackup {
    /// Whether a linter found it valid; `None` without one.
    pub fn valid(&self) -> Option<bool> {
        self.lint.as_ref().map(|lint| lint.valid)
    }
}

/// Where a configuration was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ConfigurationSource {
    /// A row of a table.
    Table {
        /// The address without user, password and query.
        url: String,
        /// Schema and name, quoted where SQL needs quotes.
        table: String,
    },
    /// A file that a command wrote.
    Command(CommandRecord),
    /// A Git repository, as a bundle of its history.
    Git {
        /// The folder.
        path: String,
        /// The branch; null for a commit of none.
        branch: Option<String>,
    },
    /// A file.
    File {
        /// The path as it was given.
        path: String,
    },
}

/// A command of the user that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its words, with `{}` where the path of a local file was.
    pub words: Vec<String>,
    /// Its version as it prints it, where that is known.
    pub version: Option<String>,
}

/// What a linter found in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LintRecord {
    /// Whether it ended with exit code 0.
    pub valid: bool,
    /// Its exit code.
    pub exit_code: i32,
    /// The linter.
    pub command: CommandRecord,
    /// What it printed, without secrets. The first and the last lines, if there were many.
    pub lines: Vec<String>,
}

/// Export artifacts that no manifest before this one names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactsBackup {
    /// The folder or bucket that they were copied from.
    pub source: String,
    /// The artifacts. Several names may have one content, and that may be a file of an earlier manifest.
    pub artifacts: Vec<ArtifactRecord>,
}

/// An export artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its path below the source.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes, from which the name of its object is made.
    pub sha256: Sha256,
    /// When it was last modified, by the source's clock.
    pub modified_at: Timestamp,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// The path, relative to the root of the backups.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl FileRecord for BackupFile {
    fn object(&self) -> ObjectRecord<'_> {
        ObjectRecord { path: &self.path, bytes: self.bytes, sha256: self.sha256 }
    }
}

impl CommitRecord for BackupManifest {
    type File = BackupFile;

    const FORMAT: &'static str = FORMAT;

    const IDENTITY: &'static str = "backups.json";

    fn header(&self) -> Header<'_> {
        let Self { format, archive, sequence, .. } = self;
        Header {
            format,
            archive,
            archive_sha256: self.archive_sha256,
            sequence: *sequence,
            previous: self.previous.as_ref(),
        }
    }

    fn files(&self) -> &[BackupFile] {
        &self.files
    }

    /// Leaves the lists of a database out: those of thousands of tables, every night, would fill the memory.
    fn without_details(mut self) -> Self {
        if let BackupContent::Database(backup) = &mut self.content {
            let DatabaseBackup { tables, sequences, roles, .. } = backup.as_mut();
            (*tables, *sequences, *roles) = Default::default();
        }
        self
    }

    /// Any number of backups may be alike.
    fn check_new(&self, _: &Chain<Self>) -> Result<(), BrokenChain> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_has_a_source_with_a_kind_of_its_own() {
        let source = ConfigurationSource::Command(CommandRecord { words: vec!["kt".to_owned()], version: None });
        let content = BackupContent::Configuration(Box::new(ConfigurationBackup {
            name: "prod".to_owned(),
            source,
            gateway: None,
            environment: None,
            version: None,
            commit: None,
            lint: None,
        }));
        let document = serde_json::to_value(&content).unwrap();
        assert_eq!((&document["kind"], &document["source"]["kind"]), (&"configuration".into(), &"command".into()));
        assert_eq!(serde_json::from_value::<BackupContent>(document).unwrap(), content);
    }
}

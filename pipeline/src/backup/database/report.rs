//! The report of `backup database`.

use super::super::{Backups, restore::RestorableBackup};
use crate::{
    exit::ExitCode,
    human::{count, size, time},
    replicate::ReplicaReport,
    replicate::report::{replica_failures, replica_table, replicas_exit, replicas_failure},
    report::{Failure, Report},
    style::Style,
};
use archive_formats::{
    BackupManifest, Entry, Sha256, Timestamp,
    backup_manifest::{BackupContent, DigestLevel},
    printable,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The report of `backup database`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackupReport {
    /// The URL of the backups, safe to print.
    pub backups: Option<String>,
    /// The number of the manifest.
    pub sequence: Option<u64>,
    /// The SHA-256 of the manifest.
    pub sha256: Option<Sha256>,
    /// The time of the snapshot.
    pub taken_at: Option<Timestamp>,
    /// The name of the database.
    pub database: Option<String>,
    /// The version of the server.
    pub server_version: Option<String>,
    /// What was computed of the contents.
    pub digests: Option<DigestLevel>,
    /// Files of the backup.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Tables; null without digests.
    pub tables: Option<u64>,
    /// Rows in them; null without digests.
    pub rows: Option<u64>,
    /// What the programs printed although they succeeded.
    pub warnings: Vec<String>,
    /// Seconds of each stage.
    pub seconds: BTreeMap<String, f64>,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaReport>,
}

impl BackupReport {
    pub(super) fn new(backups: &Backups, entry: &Entry<BackupManifest>, replicas: Vec<ReplicaReport>) -> Self {
        let manifest = &entry.manifest;
        let report = Self {
            backups: Some(backups.url().to_owned()),
            sequence: Some(manifest.sequence),
            sha256: Some(entry.sha256),
            taken_at: Some(manifest.taken_at),
            files: manifest.files.len() as u64,
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            seconds: manifest.seconds.clone(),
            replicas,
            ..Self::default()
        };
        let BackupContent::Database(backup) = &manifest.content else { return report };
        let is_read = backup.digests != DigestLevel::Off;
        Self {
            database: Some(backup.source.database.clone()),
            server_version: Some(backup.source.server_version.clone()),
            digests: Some(backup.digests),
            tables: is_read.then_some(backup.tables.len() as u64),
            rows: is_read.then(|| backup.tables.iter().map(|table| table.rows).sum()),
            warnings: backup.program.warnings.clone(),
            ..report
        }
    }

    /// Warns where most of the backup `before` is gone: what is saved may not be what was meant.
    pub(super) fn compared_with(mut self, before: Option<&RestorableBackup>) -> Self {
        let Some(before) = before.map(|before| &before.backup).filter(|backup| backup.digests != DigestLevel::Off)
        else {
            return self;
        };
        let rows_before = before.tables.iter().map(|table| table.rows).sum::<u64>();
        if let (Some(tables), Some(rows)) = (self.tables, self.rows)
            && (rows < rows_before / 2 || tables < before.tables.len() as u64 / 2)
        {
            let was = format!("{}, {}", count(before.tables.len() as u64, "table"), count(rows_before, "row"));
            self.warnings.push(format!("less than half of the backup before, which has {was}"));
        }
        self
    }
}

impl Report for BackupReport {
    fn exit(&self) -> ExitCode {
        replicas_exit(&self.replicas)
    }

    fn text(&self, style: Style) -> String {
        let (Some(sequence), Some(taken_at)) = (self.sequence, self.taken_at) else { return String::new() };
        let contents = match (self.tables, self.rows) {
            (Some(tables), Some(rows)) => format!("{}, {}", count(tables, "table"), count(rows, "row")),
            _ => "no digests: a drill proves that it restores, and not what it holds".to_owned(),
        };
        let database = printable(self.database.as_deref().unwrap_or_default()).into_owned();
        let parts = [
            format!("backup {sequence}"),
            format!("database {database} of {}", taken_at.to_seconds_string()),
            contents,
            format!("{} in {}", size(self.bytes), count(self.files, "file")),
            time(self.seconds.values().copied().fold(0.0, f64::max)),
        ];
        let warnings = self.warnings.iter().map(|warning| format!("warning: {}\n", printable(warning)));
        let warnings = warnings.collect::<String>();
        let hint = "a backup counts once a drill has restored it: kt-archive backup drill";
        format!(
            "{warnings}{}\n{}{}\n",
            style.fit(&parts.join("  ")),
            replica_table(&self.replicas, style),
            style.fit(hint)
        )
    }

    fn failure(&self) -> Option<Failure> {
        replicas_failure(&self.replicas)
    }

    fn details(&self) -> Vec<Failure> {
        replica_failures(&self.replicas).collect()
    }
}

//! `backup configuration` and `backup artifacts`: what they share of a command.

use super::{
    ArtifactsOutcome, ArtifactsRequest, Backups, ConfigurationOutcome, ConfigurationRequest, ConfigurationState,
    backup_artifacts, backup_configuration,
    database::{copy_to_replicas, lock, open_locked},
    open_backups, until_stopped,
};
use crate::{
    exit::ExitCode,
    human::{count, size},
    lock::Lock,
    observer::Observer,
    replicate::{
        ReplicaReport, ReplicateReport, Replicator,
        report::{replica_failures, replica_table, replicas_exit, replicas_failure},
    },
    report::{Failure, Report},
    settings::Settings,
    state,
    style::{Style, Tone},
};
use archive_connectors::{Clock, Error, ErrorKind, Result};
use archive_formats::printable;
use serde::Serialize;
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Backs up the configurations that `request` names.
pub async fn back_up_configuration(
    settings: &Settings,
    request: &ConfigurationRequest,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<CopyReport<ConfigurationOutcome>> {
    let (mut backups, _lock, folder) = begin(settings, clock).await?;
    let work = Box::pin(backup_configuration(&mut backups, request, clock, &folder));
    let outcome = until_stopped(&stop, work).await?;
    Ok(CopyReport::new(backups, settings, outcome, observer, stop).await)
}

/// Backs up the export artifacts that `request` names.
pub async fn back_up_artifacts(
    settings: &Settings,
    request: &ArtifactsRequest,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<CopyReport<ArtifactsOutcome>> {
    let (mut backups, _lock, folder) = begin(settings, clock).await?;
    let work = Box::pin(backup_artifacts(&mut backups, request, clock, &folder));
    let outcome = until_stopped(&stop, work).await?;
    Ok(CopyReport::new(backups, settings, outcome, observer, stop).await)
}

/// The backups, locked, and a private folder for what is on its way into them.
async fn begin(settings: &Settings, clock: &dyn Clock) -> Result<(Backups, Lock, PathBuf)> {
    let (backups, lock) = open_locked(settings, clock).await?;
    let folder = state::staging(&settings.state_dir, backups.id())?;
    Ok((backups, lock, folder))
}

/// Brings the replicas of `settings` up to the backups; with `repair`, replaces what is missing or damaged there.
pub async fn replicate_backups(
    settings: &Settings,
    repair: bool,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<ReplicateReport> {
    let replicas = &settings.backup.replicas;
    if replicas.is_empty() {
        let error = Error::new(ErrorKind::Configuration, "no replica was named");
        return Err(error.with_hint("name one with --replica"));
    }
    let mut backups = open_backups(settings.backup.location()?).await?;
    let _lock = lock(settings, &mut backups).await?;
    let mut replicator = Replicator { archive: &mut backups, repair, observer, stop };
    Ok(ReplicateReport { replicas: replicator.update(replicas).await, ..ReplicateReport::default() })
}

/// The report of a command that copies what is new.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CopyReport<T> {
    /// The URL of the backups, safe to print.
    pub backups: Option<String>,
    /// What became of the copies.
    #[serde(flatten)]
    pub outcome: T,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaReport>,
}

impl<T> CopyReport<T> {
    async fn new(
        mut backups: Backups,
        settings: &Settings,
        outcome: T,
        observer: Arc<dyn Observer>,
        stop: CancellationToken,
    ) -> Self {
        let replicas = copy_to_replicas(&mut backups, settings, observer, stop).await;
        Self { backups: Some(backups.url().to_owned()), outcome, replicas }
    }
}

/// What a copy tells its users.
pub trait CopyOutcome: Default + Serialize {
    /// The exit code without replicas.
    fn exit(&self) -> ExitCode;

    /// Its lines, each with a line feed.
    fn text(&self, style: Style) -> String;

    /// Why the exit code is not zero.
    fn failure(&self) -> Option<Failure>;
}

impl<T: CopyOutcome> Report for CopyReport<T> {
    fn exit(&self) -> ExitCode {
        match self.outcome.exit() {
            ExitCode::Done => replicas_exit(&self.replicas),
            exit => exit,
        }
    }

    fn text(&self, style: Style) -> String {
        format!("{}{}", self.outcome.text(style), replica_table(&self.replicas, style))
    }

    fn failure(&self) -> Option<Failure> {
        self.outcome.failure().or_else(|| replicas_failure(&self.replicas))
    }

    fn details(&self) -> Vec<Failure> {
        let own = self.outcome.failure();
        own.into_iter().chain(replica_failures(&self.replicas)).collect()
    }
}

impl CopyOutcome for ConfigurationOutcome {
    fn exit(&self) -> ExitCode {
        self.exit()
    }

    fn text(&self, style: Style) -> String {
        let lines = self.configurations.iter().map(|item| {
            let state = match item.state {
                ConfigurationState::Stored => style.paint(Tone::Good, "stored "),
                ConfigurationState::Already => "already".to_owned(),
                ConfigurationState::Refused => style.paint(Tone::Bad, "refused"),
            };
            let digest = item.sha256.map_or_else(String::new, |sha256| format!("  {}", sha256.short()));
            let valid = match item.valid {
                Some(true) => "  valid",
                Some(false) => "  invalid",
                None => "",
            };
            let reason = item.reason.as_ref().map_or_else(String::new, |reason| format!("  {}", printable(reason)));
            format!("{state}  {}\n", style.fit(&format!("{}{digest}{valid}{reason}", printable(&item.name))))
        });
        let warnings = self.warnings.iter().map(|warning| format!("warning: {}\n", style.fit(&printable(warning))));
        lines.chain(warnings).collect()
    }

    fn failure(&self) -> Option<Failure> {
        let exit = self.exit();
        let refused = self.configurations.iter().filter(|item| item.state == ConfigurationState::Refused).count();
        let (message, hint) = match (exit, refused) {
            (ExitCode::Done, _) => return None,
            (_, 0) => (
                "a configuration is invalid; it is stored as invalid",
                "see what the linter prints, and mend the configuration",
            ),
            _ => (
                "a configuration seems to hold a secret, and was not stored",
                "take the secret out of the configuration: the platform has variables and secret stores for it",
            ),
        };
        Some(Failure { message: message.to_owned(), hint: hint.to_owned(), exit })
    }
}

impl CopyOutcome for ArtifactsOutcome {
    fn exit(&self) -> ExitCode {
        self.exit()
    }

    fn text(&self, style: Style) -> String {
        let already = format!("{} backed up before", count(self.already, "artifact"));
        let skipped =
            (self.skipped > 0).then(|| format!("{} passed over: hidden or partial", count(self.skipped, "file")));
        let new = format!(
            "{} new, {} stored, {}",
            count(self.new, "artifact"),
            count(self.stored, "object"),
            size(self.bytes)
        );
        let parts = [Some(new), Some(already), skipped].into_iter().flatten().collect::<Vec<_>>();
        let changed =
            self.changed.iter().map(|path| format!("changed while it was read: {}\n", style.fit(&printable(path))));
        let warnings = self.warnings.iter().map(|warning| format!("warning: {}\n", style.fit(&printable(warning))));
        std::iter::once(format!("{}\n", style.fit(&parts.join("  ")))).chain(changed).chain(warnings).collect()
    }

    fn failure(&self) -> Option<Failure> {
        (self.exit() != ExitCode::Done).then(|| Failure {
            message: format!(
                "{} changed while it was read, and was not stored",
                count(self.changed.len() as u64, "file")
            ),
            hint: "run the same command again once the export is done".to_owned(),
            exit: self.exit(),
        })
    }
}

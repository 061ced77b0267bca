//! The metrics of backups. They share the file with those of runs, and have names of their own.

use super::{
    super::{Attempt, Finished},
    Family, Sample, Value, directories_of,
    file::Textfile,
    text, warn,
};
use crate::{
    backup::{DatabaseTier, KnownBackup, open_backups},
    exit::ExitCode,
    settings::Settings,
};
use archive_connectors::Result;
use archive_formats::Timestamp;
use std::time::Duration;

/// Time for a look at the backups, shorter than the retries of an unreachable store.
const LIMIT: Duration = Duration::from_secs(30);

const ATTEMPT: &str = "kt_archive_backup_last_attempt_timestamp_seconds";
const EXIT: &str = "kt_archive_backup_last_attempt_exit_code";
const SUCCESS: &str = "kt_archive_backup_last_success_timestamp_seconds";

/// Writes to the metrics file, if there is one, that a command of backups begins.
pub(in crate::monitoring) async fn begin(settings: &Settings, attempt: &Attempt) {
    let (started, command) = (attempt.started, attempt.command);
    let written = update(settings, |earlier, backups| commands(earlier, backups, command, started, None)).await;
    if let Err(error) = written {
        tracing::debug!(%error, "could not write the metrics");
    }
}

/// Writes the result of a command of backups and their state to the metrics file, if there is one.
pub(in crate::monitoring) async fn end(settings: &Settings, finished: &Finished) {
    let Attempt { command, started, .. } = finished.attempt;
    let tier = if settings.monitoring.metrics_file.is_some() { tier(settings, finished).await } else { None };
    let ended = Some((finished.ended, finished.exit));
    let written = update(settings, |earlier, backups| {
        let mut families = commands(earlier, backups, command, started, ended);
        families.extend(tier.iter().flat_map(|tier| state(backups, tier)));
        families
    });
    if let Err(error) = written.await {
        warn(&error);
    }
}

async fn update(settings: &Settings, families: impl FnOnce(&str, &str) -> Vec<Family>) -> Result<()> {
    let (Some(path), Some(location)) = (&settings.monitoring.metrics_file, &settings.backup.location) else {
        return Ok(());
    };
    let archives = directories_of(std::iter::once(location).chain(&settings.backup.replicas));
    let file = Textfile { path, archive: location.url(), archives: &archives };
    file.update_backups(|earlier| families(earlier, location.url())).await
}

/// The state of the backups after a command; `None` if they cannot be read in time.
async fn tier(settings: &Settings, finished: &Finished) -> Option<DatabaseTier> {
    let location = settings.backup.location.as_ref()?;
    let limit = match finished.exit {
        ExitCode::Interrupted | ExitCode::Terminated => Duration::from_secs(2),
        _ => LIMIT,
    };
    let backups = tokio::time::timeout(limit, Box::pin(open_backups(location))).await.ok()?.ok()?;
    Some(DatabaseTier::new(backups.chain(), settings.backup.objectives, finished.ended))
}

/// The attempts of every command: this one, and those that `earlier` names.
fn commands(
    earlier: &str,
    backups: &str,
    command: &str,
    started: Timestamp,
    ended: Option<(Timestamp, ExitCode)>,
) -> Vec<Family> {
    let family = |name, help, own: Option<Value>, keeps: bool| {
        let others = text::samples(earlier, backups, name, "command");
        let others = others.into_iter().filter(|(other, _)| *other != command || (keeps && own.is_none()));
        let others = others.map(|(other, value)| (other, Value::Real(value)));
        let all = others.chain(own.map(|value| (command.to_owned(), value)));
        let samples = all.map(|(command, value)| Sample::new(backups, value).with("command", command));
        Family { name, help, samples: samples.collect() }
    };
    let exit = ended.map(|(_, exit)| Value::from(u64::from(exit.code())));
    let success = ended.filter(|(_, exit)| *exit == ExitCode::Done).map(|(ended, _)| Value::from(ended));
    vec![
        family(
            ATTEMPT,
            "When the last command of this kind began, in seconds since 1970.",
            Some(started.into()),
            false,
        ),
        family(
            EXIT,
            "Exit code of the last command of this kind; absent while it runs, and after it was killed.",
            exit,
            false,
        ),
        family(
            SUCCESS,
            "When the last command of this kind with exit code 0 ended, in seconds since 1970.",
            success,
            true,
        ),
    ]
}

fn state(backups: &str, tier: &DatabaseTier) -> Vec<Family> {
    let one = |name, help, value: Option<Value>| Family {
        name,
        help,
        samples: value.map(|value| Sample::new(backups, value)).into_iter().collect(),
    };
    let taken_at = |backup: &Option<KnownBackup>| backup.as_ref().map(|backup| Value::from(backup.taken_at));
    vec![
        one("kt_archive_backup_backups", "Backups of databases that can be restored.", Some(tier.backups.into())),
        one(
            "kt_archive_backup_newest_timestamp_seconds",
            "Time of the snapshot of the newest backup, in seconds since 1970.",
            taken_at(&tier.newest),
        ),
        one(
            "kt_archive_backup_newest_proved_timestamp_seconds",
            "Time of the snapshot of the newest backup that a drill found equal, in seconds since 1970.",
            taken_at(&tier.newest_proved),
        ),
        one(
            "kt_archive_backup_newest_bytes",
            "Size of the newest backup.",
            tier.newest.as_ref().map(|backup| backup.bytes.into()),
        ),
        one(
            "kt_archive_backup_restore_seconds",
            "How long the restore and the comparison of the newest proved backup took.",
            tier.rto_seconds.map(Value::Real),
        ),
        one(
            "kt_archive_backup_missed_objectives",
            "Objectives (--rpo, --rto) that were missed when the metrics were written.",
            Some((tier.missed.len() as u64).into()),
        ),
    ]
}

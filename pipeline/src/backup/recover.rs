//! `recover database`: a backup becomes a new database, and takes the name of the lost one once it is proved equal.

use super::{
    open_backups,
    plan::{longer_name, not_in_backups, writers},
    restore::{RestorableBackup, Restoration, Stages},
    until_stopped,
};
use crate::{
    exit::ExitCode,
    human::{count, time},
    report::{Failure, Report},
    settings::Settings,
    state::Scratch,
    style::{Style, Tone},
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result,
    postgres::{
        Server,
        databases::Databases,
        programs::{DatabaseProperties, ProgramOptions, apply_missing_globals},
    },
};
use archive_formats::{Timestamp, backup_manifest::DigestLevel, printable};
use serde::Serialize;
use std::{collections::BTreeMap, num::NonZero, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What is restored, and where.
#[derive(Clone, Debug)]
pub struct RecoverRequest {
    /// The number of the backup's manifest; default: the newest backup.
    pub backup: Option<u64>,
    /// The server, and the name of the new database.
    pub into: Server,
    /// Where PostgreSQL's programs are.
    pub programs: ProgramOptions,
    /// Sessions that restore at the same time.
    pub jobs: NonZero<usize>,
    /// Whether the new database takes the name of the one that was backed up.
    pub switch: bool,
    /// Whether that is done, not only shown.
    pub confirm: bool,
}

/// Restores a backup into a new database, compares every table, and switches names if `request` asks for it. A database that
/// exists is never written to.
pub async fn recover(
    settings: &Settings,
    request: &RecoverRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
    stop: &CancellationToken,
) -> Result<RecoverReport> {
    let backups = open_backups(settings.backup.location()?).await?;
    let restored = RestorableBackup::find(&backups, request.backup).await?;
    let (name, live) = (request.into.database().to_owned(), restored.backup.source.database.clone());
    if request.switch && name == live {
        return Err(same_name(&name));
    }
    let databases = Databases::connect_beside(&request.into, &live).await?;
    let mut stages = Stages::begin();
    let mark = Mark { backups: backups.id(), backup: restored.entry.manifest.sequence };
    if request.switch && databases.comment(&live).await?.is_some_and(|comment| mark.is(&comment)) {
        return Ok(RecoverReport::done_before(&restored, live));
    }
    match databases.comment(&name).await? {
        Some(comment) if request.switch && mark.is(&comment) => tracing::info!("the database was restored before"),
        Some(comment) if comment != UNFINISHED || !databases.sessions(&name).await?.is_empty() => {
            return Err(exists(&name, request.switch));
        }
        left => {
            if left.is_some() {
                tracing::warn!(database = name, "dropping what a killed recovery left");
                databases.drop(&name).await?;
            }
            let scratch = Scratch::new(&settings.state_dir, "recover")?;
            let how = Restoration {
                sink: backups.sink(),
                backups: backups.id(),
                programs: restored.programs(&request.programs),
                folder: scratch.path(),
                jobs: request.jobs,
                progress: &progress,
            };
            make(&databases, &request.into, &restored, &how, stop).await?;
            stages.end("restore");
        }
    }
    let comparing = restored.differences(request.into.clone(), request.jobs.get(), &progress, false);
    let differences = until_stopped(stop, Box::pin(comparing)).await?;
    stages.end("compare");
    let compared = restored.backup.digests;
    let equal = (compared != DigestLevel::Off).then_some(differences.is_empty());
    let comment = if equal == Some(false) { format!("{}, which differs", mark.text()) } else { mark.text() };
    databases.set_comment(&name, &comment).await?;
    let mut report = RecoverReport {
        backup: Some(restored.entry.manifest.sequence),
        taken_at: Some(restored.entry.manifest.taken_at),
        database: Some(name.clone()),
        compared: Some(compared),
        equal,
        differences,
        seconds: stages.seconds,
        ..RecoverReport::default()
    };
    if request.switch && equal != Some(false) {
        report.switch = Some(switch(&databases, &name, &live, request.confirm, clock.now()).await?);
    }
    databases.close().await;
    Ok(report)
}

/// Makes the database that `into` names, with the roles that the server lacks, and restores the backup into it. A database
/// that is not whole is dropped.
async fn make(
    databases: &Databases,
    into: &Server,
    restored: &RestorableBackup,
    how: &Restoration<'_>,
    stop: &CancellationToken,
) -> Result<()> {
    let (encoding, locale) = restored.encoding();
    databases.create(into.database(), &encoding, &locale).await?;
    let work = async {
        databases.set_comment(into.database(), UNFINISHED).await?;
        apply_missing_globals(into, &restored.globals(how.sink).await?).await?;
        restored.restore(into, how).await?;
        let properties = DatabaseProperties::read(&how.programs, how.folder, || restored.blocks(how.sink)).await?;
        properties.apply(into).await
    };
    let restored = until_stopped(stop, Box::pin(work)).await;
    if restored.is_err()
        && let Err(error) = databases.drop(into.database()).await
    {
        tracing::warn!(%error, "a database that is not whole is left; the same command drops it");
    }
    restored
}

/// The comment of a database that is not restored whole.
const UNFINISHED: &str = "kt-archive: unfinished";

/// The comment of a database that was restored from a backup.
struct Mark<'a> {
    backups: &'a str,
    backup: u64,
}

impl Mark<'_> {
    fn text(&self) -> String {
        format!("kt-archive: backup {} of {}", self.backup, self.backups)
    }

    fn is(&self, comment: &str) -> bool {
        comment == self.text()
    }
}

fn same_name(name: &str) -> Error {
    Error::new(ErrorKind::Configuration, "the new database would have the name that it is to take over")
        .with_context("database", name)
        .with_hint("name another database with --into: --switch renames it after the comparison")
}

fn exists(name: &str, switches: bool) -> Error {
    let error = Error::new(ErrorKind::Configuration, "the database exists, and a restore makes a new one");
    let hint = if switches {
        "it was not restored from this backup by kt-archive: choose a name that is free"
    } else {
        "choose a name that is free: a database that exists is never overwritten; one that was restored before is switched to \
         with --switch --confirm"
    };
    error.with_context("database", name).with_hint(hint)
}

/// Gives the restored database the name `live`; a database of this name keeps its rows under another one.
async fn switch(databases: &Databases, restored: &str, live: &str, confirm: bool, now: Timestamp) -> Result<Switch> {
    let is_there = databases.comment(live).await?.is_some();
    let kept = is_there.then(|| kept_name(live, now));
    let sessions = if is_there { databases.sessions(live).await? } else { Vec::new() };
    if !confirm {
        return Ok(Switch { name: live.to_owned(), kept, sessions, done: false });
    }
    if !sessions.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, "sessions use the database: nothing was renamed")
            .with_context("database", live)
            .with_context("sessions", sessions.join(", "))
            .with_hint("stop what writes (`kt-archive recover plan` lists it), and run the same command again: it goes on here"));
    }
    databases.switch(restored, live, kept.as_deref()).await?;
    Ok(Switch { name: live.to_owned(), kept, sessions, done: true })
}

fn kept_name(live: &str, now: Timestamp) -> String {
    longer_name(live, &format!("_before_{}", now.to_seconds_string().replace(['-', ':'], "")))
}

/// The change of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// The name that the restored database takes.
    pub name: String,
    /// The new name of the database that had it; null if there was none.
    pub kept: Option<String>,
    /// The sessions of that one.
    pub sessions: Vec<String>,
    /// Whether it was done.
    pub done: bool,
}

/// The report of `recover database`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RecoverReport {
    /// The number of the manifest of the backup.
    pub backup: Option<u64>,
    /// The time of its snapshot: later changes are not in it.
    pub taken_at: Option<Timestamp>,
    /// The new database.
    pub database: Option<String>,
    /// What was compared.
    pub compared: Option<DigestLevel>,
    /// Whether the restored database is the one that was dumped; null if nothing was compared.
    pub equal: Option<bool>,
    /// What differs.
    pub differences: Vec<String>,
    /// The change of names; null if it was not asked for, or refused since the database differs.
    pub switch: Option<Switch>,
    /// Seconds of each stage.
    pub seconds: BTreeMap<String, f64>,
    /// Whether the database was restored from this backup and had taken its name before; nothing was done then.
    pub already: bool,
}

impl RecoverReport {
    /// The report where the database has the name already. Another switch would take the rows away that came since.
    fn done_before(restored: &RestorableBackup, live: String) -> Self {
        Self {
            backup: Some(restored.entry.manifest.sequence),
            taken_at: Some(restored.entry.manifest.taken_at),
            database: Some(live),
            already: true,
            ..Self::default()
        }
    }
}

impl Report for RecoverReport {
    fn exit(&self) -> ExitCode {
        if self.equal == Some(false) { ExitCode::Damaged } else { ExitCode::Done }
    }

    fn text(&self, style: Style) -> String {
        let (Some(backup), Some(taken_at), Some(database)) = (self.backup, self.taken_at, &self.database) else {
            return String::new();
        };
        if self.already {
            let done = format!("database {} is backup {backup} already: nothing was done", printable(database));
            let again = "to restore it again, restore without --switch, or remove the comment of the database first";
            return format!("{}\n{}\n", style.fit(&done), style.fit(again));
        }
        let mut lines = Vec::new();
        for difference in &self.differences {
            lines.push(format!("{}  {}", style.paint(Tone::Bad, "differs"), printable(difference)));
        }
        let found = match self.equal {
            Some(true) if self.compared == Some(DigestLevel::Counts) => {
                "the numbers of rows are those of the dump".to_owned()
            }
            Some(true) => "every table is equal to what was dumped".to_owned(),
            Some(false) => count(self.differences.len() as u64, "difference"),
            None => "not compared: the backup has no digests".to_owned(),
        };
        let (database, seconds) = (printable(database), time(self.seconds.values().sum()));
        lines.push(format!(
            "backup {backup} of {} is database {database}: {found}, {seconds}",
            taken_at.to_seconds_string()
        ));
        match &self.switch {
            Some(switch) => lines.extend(switch.lines(&database)),
            None if self.equal != Some(false) => {
                lines
                    .push("look at it, stop what writes, then run the same command with --switch --confirm".to_owned());
            }
            None => {}
        }
        if self.switch.as_ref().is_some_and(|switch| switch.done) {
            lines.push(format!("now put in place what no backup holds: {}", not_in_backups().join("; ")));
            let starts = writers().into_iter().rev().collect::<Vec<_>>();
            lines.push(format!("then start, in this order: {}", starts.join(", ")));
        }
        lines.push(String::new());
        lines.iter().map(|line| style.fit(line)).collect::<Vec<_>>().join("\n")
    }

    fn failure(&self) -> Option<Failure> {
        (self.equal == Some(false)).then(|| Failure {
            message: "the restored database is not the one that was dumped: it is kept, and no name was changed"
                .to_owned(),
            hint: "restore an earlier backup with --backup: `kt-archive recover plan` names the newest proved one"
                .to_owned(),
            exit: ExitCode::Damaged,
        })
    }
}

impl Switch {
    fn lines(&self, database: &str) -> Vec<String> {
        let (name, done) = (printable(&self.name), self.done);
        let kept = self.kept.as_ref().map(|kept| {
            let what = if done { "is kept as" } else { "would be kept as" };
            format!("what was {name} {what} {}", printable(kept))
        });
        let taken = if done {
            format!("{database} is {name} now")
        } else {
            format!("{database} would become {name}: add --confirm")
        };
        let sessions = (!done && !self.sessions.is_empty())
            .then(|| format!("sessions that must end first: {}", printable(&self.sessions.join(", "))));
        sessions.into_iter().chain(kept).chain([taken]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_what_is_kept_fits_the_server() {
        let now = "2026-11-30T02:03:04Z".parse().unwrap();
        assert_eq!(kept_name("keeptrusts", now), "keeptrusts_before_20261130T020304Z");
        assert_eq!(kept_name(&"ä".repeat(40), now).len(), 62);
    }
}

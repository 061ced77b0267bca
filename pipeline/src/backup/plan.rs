//! `recover plan`: what to stop, in which order, from which backup, and how long it took in the last drill.

use super::{
    open_backups,
    tiers::{DatabaseTier, KnownBackup},
};
use crate::{
    exit::ExitCode,
    human::time,
    report::{Failure, Report},
    settings::Settings,
    style::{Style, Tone},
    wrap::wrap,
};
use archive_connectors::{Clock, Result};
use archive_formats::printable;
use serde::Serialize;

/// What writes to the database, in the order in which it stops. The guide stops the API alone.
pub(super) fn writers() -> [&'static str; 5] {
    ["API", "workers", "lifecycle worker", "export jobs", "webhooks"]
}

/// What no backup holds, and a recovery needs.
pub(super) fn not_in_backups() -> [&'static str; 5] {
    [
        "the platform's encryption key, without which Git tokens cannot be read",
        "the passwords of roles, unless they were saved with --role-passwords",
        "the environment of the platform's services",
        "subscriptions to other servers, which are in the dump and are not restored",
        "changes after the snapshot of the backup",
    ]
}

/// Reads the plan from the backups of `settings`.
pub async fn recovery_plan(settings: &Settings, clock: &dyn Clock) -> Result<PlanReport> {
    let backups = open_backups(settings.backup.location()?).await?;
    let tier = DatabaseTier::new(backups.chain(), settings.backup.objectives, clock.now());
    let DatabaseTier { newest, newest_proved, missed, .. } = tier;
    let steps =
        newest_proved.as_ref().or(newest.as_ref()).map(|chosen| steps(chosen, backups.url())).unwrap_or_default();
    Ok(PlanReport {
        backups: Some(backups.url().to_owned()),
        stop: writers().map(str::to_owned).to_vec(),
        not_in_backups: not_in_backups().map(str::to_owned).to_vec(),
        newest,
        newest_proved,
        missed,
        steps,
    })
}

fn steps(chosen: &KnownBackup, url: &str) -> Vec<String> {
    let KnownBackup { sequence, database, .. } = chosen;
    let new = longer_name(database, "_restored");
    let recover = format!("kt-archive recover database --backups {url} --backup {sequence} --into postgres://…/{new}");
    vec![
        format!("stop, in this order: {}", writers().join(", ")),
        "switch the retention of events off: the lifecycle worker would prune what comes back".to_owned(),
        format!("restore into a new database, which is compared: {recover}"),
        format!("give it the name {database}; the old one is kept under another name: {recover} --switch --confirm"),
        "put the encryption key and the passwords of roles in place".to_owned(),
        format!("start, in this order: {}", writers().into_iter().rev().collect::<Vec<_>>().join(", ")),
        "switch retention on again once `kt-archive run` has archived what came back".to_owned(),
    ]
}

/// `name` with `suffix`, within the 63 bytes that PostgreSQL keeps of a name.
pub(super) fn longer_name(name: &str, suffix: &str) -> String {
    const LONGEST: usize = 63;
    let mut end = name.len().min(LONGEST - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// The report of `recover plan`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    /// The URL of the backups, safe to print.
    pub backups: Option<String>,
    /// The newest backup of a database.
    pub newest: Option<KnownBackup>,
    /// The newest that a drill found equal, from which the steps restore.
    pub newest_proved: Option<KnownBackup>,
    /// What must stop, in this order.
    pub stop: Vec<String>,
    /// What is done, in this order.
    pub steps: Vec<String>,
    /// What no backup holds.
    pub not_in_backups: Vec<String>,
    /// What was promised (`--rpo`, `--rto`) and is not kept.
    pub missed: Vec<String>,
}

impl Report for PlanReport {
    fn exit(&self) -> ExitCode {
        if self.newest.is_none() || !self.missed.is_empty() { ExitCode::Incomplete } else { ExitCode::Done }
    }

    fn text(&self, style: Style) -> String {
        let mut lines = Vec::new();
        let mut line = |line: String| {
            lines.push(style.width().map_or_else(|| line.clone(), |width| wrap(&line, width, 0, "   ")));
        };
        let describe = |backup: &KnownBackup| {
            let restore = match (backup.proved, backup.restore_seconds) {
                (Some(true), Some(seconds)) => format!("proved by a restore that took {}", time(seconds)),
                _ if backup.failed => "a drill could not restore it".to_owned(),
                (Some(false), _) => "found different by a drill".to_owned(),
                (None, Some(seconds)) => format!("restored in {}, and not compared", time(seconds)),
                _ => "never restored".to_owned(),
            };
            format!(
                "backup {} of {}, database {}: {restore}",
                backup.sequence,
                backup.taken_at.to_seconds_string(),
                printable(&backup.database)
            )
        };
        match (&self.newest_proved, &self.newest) {
            (Some(proved), Some(newest)) if proved.sequence != newest.sequence => {
                line(format!("newest proved: {}", describe(proved)));
                line(format!("newest: {}; it has later rows", describe(newest)));
            }
            (Some(proved), _) => line(format!("newest proved: {}", describe(proved))),
            (None, Some(newest)) => {
                line(format!("newest: {}", describe(newest)));
                line(style.paint(Tone::Bad, "no backup is proved: kt-archive backup drill"));
            }
            (None, None) => {}
        }
        for (number, step) in self.steps.iter().enumerate() {
            line(format!("{}. {}", number + 1, printable(step)));
        }
        for thing in &self.not_in_backups {
            line(format!("not in the backup: {thing}"));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn failure(&self) -> Option<Failure> {
        (self.exit() != ExitCode::Done).then(|| Failure {
            message: match self.missed.as_slice() {
                [] => "there is no backup of a database".to_owned(),
                missed => missed.join("; "),
            },
            hint: "make one: `kt-archive backup database`, and prove it: `kt-archive backup drill`".to_owned(),
            exit: ExitCode::Incomplete,
        })
    }
}

//! The jobs of backups: a backup every night, pruning after it, and a drill every month.

use super::{Job, JobInput, Kind, cron, systemd, unsupported};
use archive_connectors::Result;

/// A command of backups, and when it runs.
#[derive(Debug)]
pub(super) struct BackupJob {
    pub(super) job: Job,
    /// What its unit is called after `kt-archive-`.
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// In the syntax of cron, in UTC.
    pub(super) times: &'static str,
    /// In the syntax of systemd.
    pub(super) calendar: &'static str,
}

/// The settings that every command of backups has.
const COMMON: [&str; 8] = ["backups", "backups-replica", "pg-bin", "state-dir", "metrics-file", "notify", "rpo", "rto"];

/// Those of how a database is dumped.
const DUMPING: [&str; 8] = [
    "backup-database",
    "digests",
    "role-passwords",
    "part-size",
    "connections",
    "statement-timeout",
    "lock-timeout",
    "pg-command",
];

/// Those of what is kept.
const KEEPING: [&str; 3] = ["keep-daily", "keep-monthly", "keep-min"];

/// Settings of every command.
const OUTPUT: [&str; 4] = ["log-format", "progress", "verbose", "quiet"];

/// The jobs of backups in the format of a scheduler. Without a rule of what is kept, nothing is pruned.
pub(super) fn render(kind: Kind, input: &JobInput<'_>, program: &str, config: Option<&str>) -> Result<String> {
    input.settings.backup.database()?;
    let job = |command: &[&'static str], keys: &[&'static str]| {
        let keys = [&COMMON, keys, &OUTPUT[..]].concat();
        let made = Job::new(&JobInput { keys: &keys, backup: command, ..input.clone() })?;
        Ok::<_, archive_connectors::Error>(Job {
            program: program.to_owned(),
            config: config.map(str::to_owned),
            ..made
        })
    };
    let mut jobs = vec![BackupJob {
        job: job(&["backup", "database"], &DUMPING)?,
        name: "backup-database",
        description: "Back up the database of Keeptrusts",
        times: "0 2 * * *",
        calendar: "*-*-* 02:00:00 UTC",
    }];
    let keep = input.settings.backup.keep;
    if keep.daily.is_some() || keep.monthly.is_some() {
        let mut prune = job(&["backup", "prune"], &KEEPING)?;
        prune.flags.push("--confirm".to_owned());
        jobs.push(BackupJob {
            job: prune,
            name: "backup-prune",
            description: "Remove backups of Keeptrusts that are not to be kept",
            times: "0 6 * * *",
            calendar: "*-*-* 06:00:00 UTC",
        });
    }
    jobs.push(BackupJob {
        job: job(&["backup", "drill"], &[])?,
        name: "backup-drill",
        description: "Restore the newest backup of Keeptrusts on trial",
        times: "0 7 2 * *",
        calendar: "*-*-02 07:00:00 UTC",
    });
    match kind {
        Kind::Cron => cron::render_backups(&jobs),
        Kind::Systemd => systemd::render_backups(&jobs),
        Kind::Kubernetes | Kind::GithubActions | Kind::Airflow => Err(unsupported(
            format!("backups are scheduled by cron and systemd, and not by {}", kind.as_str()),
            "print the job without --backups for the archive of events, and run the commands of backups on a host that \
             reaches the database",
        )),
    }
}

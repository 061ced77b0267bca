//! The options of the commands of backups. Two have other flags than their names in the configuration file, since the same flags
//! of other commands mean the archive of events.

use super::options::{argument, documented, shortened};
use clap::{Arg, Command};

/// How a database is dumped.
const DUMPING: [&str; 7] =
    ["digests", "role-passwords", "part-size", "connections", "statement-timeout", "lock-timeout", "pg-command"];

/// Adds its options to a command below `backup` or `recover`.
pub(super) fn add(command: Command, width: usize) -> Command {
    let keys: &[&str] = match command.get_name() {
        "database" if command.get_arguments().any(|argument| argument.get_id() == "switch") => {
            &["into", "pg-bin", "jobs", "metrics-file", "notify"]
        }
        "database" => &["backup-database", "backups-replica", "pg-bin", "metrics-file", "notify", "rpo", "rto"],
        "configuration" => &["backup-database", "table", "backups-replica", "metrics-file", "notify"],
        "artifacts" | "replicate" => &["backups-replica", "metrics-file", "notify"],
        "verify" => &["level", "expect-head", "pg-bin", "metrics-file", "notify"],
        "drill" => &["into", "backups-replica", "pg-bin", "jobs", "metrics-file", "notify", "rpo", "rto"],
        "prune" => {
            &["keep-daily", "keep-monthly", "keep-min", "rpo", "rto", "backups-replica", "metrics-file", "notify"]
        }
        _ => &["rpo", "rto", "metrics-file", "notify"],
    };
    let dumps = keys.contains(&"pg-bin") && keys.contains(&"backup-database");
    let command = if command.get_name() == "configuration" {
        // One place of configurations at a time.
        command
            .mut_arg("file", |file| file.conflicts_with("backup-database"))
            .mut_arg("git", |git| git.conflicts_with("backup-database"))
            .mut_arg("exec", |exec| exec.conflicts_with("backup-database"))
    } else {
        command
    };
    let command = command.arg(described(argument("backups"))).args(keys.iter().map(|key| described(argument(key))));
    let dumping = DUMPING.iter().filter(|_| dumps).map(|key| argument(key).hide_short_help(true));
    documented(command.args(dumping), width)
}

/// Adds the options of what a backup needs to `doctor`.
pub(super) fn add_to_doctor(command: Command) -> Command {
    const CHECKED: [&str; 7] = ["backups", "backup-database", "backups-replica", "pg-bin", "pg-command", "rpo", "rto"];
    let options = CHECKED.map(|key| match key {
        // The flag --replica is that of the archive here.
        "backups-replica" => argument(key),
        _ => described(argument(key)),
    });
    command.args(options.map(|argument| argument.hide_short_help(true).help_heading("Backups")))
}

/// Adds the options of backups to `schedule`, which prints their jobs instead of that of a run.
pub(super) fn add_to_schedule(command: Command) -> Command {
    const PLACED: [&str; 12] = [
        "backups",
        "backup-database",
        "backups-replica",
        "digests",
        "role-passwords",
        "pg-bin",
        "pg-command",
        "keep-daily",
        "keep-monthly",
        "keep-min",
        "rpo",
        "rto",
    ];
    let options = PLACED.map(|key| match key {
        // The flag --replica is that of the archive here.
        "backups-replica" => argument(key),
        _ => described(argument(key)),
    });
    command.args(options.map(|argument| argument.hide_short_help(true).help_heading("Backups, instead of a run")))
}

/// An option in the words of these commands.
fn described(argument: Arg) -> Arg {
    match argument.get_id().as_str() {
        "backups" => shortened(argument, "A folder, s3://…, gs://… or az://…, apart from the archive"),
        "backup-database" => shortened(
            argument.long("from").visible_alias("backup-database"),
            "The database: postgres://user@host/database",
        ),
        "backups-replica" => shortened(
            argument.long("replica").visible_alias("backups-replica"),
            "A copy of the backups, updated after them",
        ),
        "table" => argument
            .help("The table of the configurations, as SQL spells it [default: configurations]")
            .hide_short_help(true),
        "into" => shortened(argument, "The database: postgres://user@host/database"),
        "level" => shortened(argument, "quick or full [default: full]"),
        "expect-head" => shortened(argument, "A head that the backups had once"),
        "jobs" => argument
            .help(
                "Sessions that restore at the same time; 1 needs no copy of the dump on the local disk [default: as many as \
                 cores]",
            )
            .hide_short_help(true),
        "pg-bin" | "metrics-file" | "notify" | "rpo" | "rto" => argument.hide_short_help(true),
        _ => argument,
    }
}

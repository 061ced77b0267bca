//! The command line for clap. Doc comments are the help texts.

#![expect(clippy::doc_markdown, reason = "a help text on a terminal has no backticks")]

mod commands;
mod source;

pub(super) use commands::{
    BackfillArgs, CompletionsArgs, ConfigArgs, ConfigCommand, DoctorArgs, ManArgs, OverviewArgs, PullArgs,
    ReplicateArgs, ReportArgs, RestoreArgs, RunArgs, ScheduleArgs, StatusArgs, VerifyArgs,
};
pub(super) use source::SourceArgs;

use archive::config::{LogFormat, ProgressMode, choice};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;

const ENVIRONMENT: &str = "\
Every option but --month, --from, --to and --json can be set as
KT_ARCHIVE_<OPTION>, such as KT_ARCHIVE_STATE_DIR, and all but --config in the
configuration file under its own name. A flag beats the environment, which
beats the file.";

pub(super) const LONG: &str = "\
Every option but --month, --from, --to and --json can be set as
KT_ARCHIVE_<OPTION>, such as KT_ARCHIVE_STATE_DIR, and all but --config in the
configuration file (TOML) under its own name. A flag beats the environment,
which beats the file.

Secrets come from the environment, or from files that it names:
  KEEPTRUSTS_API_TOKEN       token of the exports API; else
  KEEPTRUSTS_API_TOKEN_FILE  file that holds it; else API_TOKEN
  PGPASSWORD, PGPASSFILE     password of a PostgreSQL source, or a file of
                             passwords instead of ~/.pgpass; PGHOST, PGUSER,
                             PGSSLMODE … fill in what its URL leaves open
  AWS_*, GOOGLE_*, AZURE_*   credentials and endpoint of an archive at s3://,
                             gs:// or az://
  KT_ARCHIVE_NOTIFY          addresses that are notified of runs
KEEPTRUSTS_API_URL is the source when there is no --source.

Exit codes:
  0    done, or archived before
  1    failed for another reason
  2    usage or configuration
  3    partial: some months or replicas done, some not
  4    damage, a broken chain, or a restored month that differs
  5    incomplete data: nothing was committed but what keep asks for, or a month
       is missing
  6    the source, or the database of a restore, failed for good
  7    the archive's store failed for good, or holds no archive
  8    another run works on the same archive
  9    not authorised
  75   try again later
  130  interrupted (SIGINT); 143 stopped (SIGTERM)";

/// Archives Keeptrusts events by month, with manifests that prove nothing is missing or changed.
#[derive(Debug, Parser)]
#[command(name = "kt-archive", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = ENVIRONMENT, after_long_help = LONG)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Archive a month, by default the last one and every gap
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Run(RunArgs),
    /// Archive every month of a range that is not archived yet
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Backfill(BackfillArgs),
    /// Read the archive back and prove it
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Verify(VerifyArgs),
    /// Show which months are archived and which are missing, as a calendar
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Status(StatusArgs),
    /// Write a page (HTML) about the state of the archive, for an auditor
    ///
    /// Coverage, events a day by verdict, sizes, chain head, the last verification on record and the replicas, in one
    /// file without scripts that needs no network. Months whose files are missing, have another size, or turn out to be
    /// damaged while they are counted are named in it, and then the exit code is 4. What was counted before is not read
    /// again: `kt-archive verify` does that.
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Report(ReportArgs),
    /// Check settings, credentials, source and stores before the first run; leaves nothing behind
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Doctor(DoctorArgs),
    /// Check the settings, show where they come from, or print their schema
    Config(ConfigArgs),
    /// Bring every replica up to the archive
    ///
    /// Copies the months that a replica lacks: first their files, each checked against its digest, then their
    /// manifests. What the replica has of earlier months is not read again; --repair reads all of it.
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Replicate(ReplicateArgs),
    /// Write a slice of the archive for a reviewer, with the proof of where it came from
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Pull(PullArgs),
    /// Load an archived month back into PostgreSQL, and compare every value with the archive
    ///
    /// The table is created unless it exists; one that has rows of the month already is refused. The server gives all
    /// rows back, and a digest of each column is compared with that of the archive. A difference is exit code 4. All of
    /// it is one transaction: what fails or differs leaves nothing behind.
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Restore(RestoreArgs),
    /// Print a job that archives every month with these settings, for cron, systemd, Kubernetes, GitHub Actions or Airflow
    ///
    /// The job does what `kt-archive run` with the same settings does, at 04:00 UTC on the first three days of the month:
    /// on the 2nd and the 3rd it ends at once when the month is archived. Its comments name what to change. It holds no
    /// secret, only the names of the files, variables and secret stores that they are taken from.
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Schedule(Box<ScheduleArgs>),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
}

impl Command {
    /// The name as typed, with that of a subcommand.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Backfill(_) => "backfill",
            Self::Verify(_) => "verify",
            Self::Status(_) => "status",
            Self::Report(_) => "report",
            Self::Doctor(_) => "doctor",
            Self::Config(ConfigArgs { command: ConfigCommand::Check(_) }) => "config check",
            Self::Config(ConfigArgs { command: ConfigCommand::Show(_) }) => "config show",
            Self::Config(ConfigArgs { command: ConfigCommand::Schema }) => "config schema",
            Self::Replicate(_) => "replicate",
            Self::Pull(_) => "pull",
            Self::Restore(_) => "restore",
            Self::Schedule(_) => "schedule",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(super) struct CommonArgs {
    /// Where the archive is: a folder, file://…, s3://bucket/prefix, gs://… or az://… [default: ./archive]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) archive: Option<String>,
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder for spool, staging, journal and lock [default: $XDG_STATE_HOME/kt-archive, else ~/.local/state/kt-archive]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// How logs on stderr look: text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = choice::<LogFormat>)]
    pub(super) log_format: Option<LogFormat>,
    /// Progress on stderr: auto (bars on a terminal, else a line per month), always (bars) or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_parser = choice::<ProgressMode>)]
    pub(super) progress: Option<ProgressMode>,
    /// Log what is done; twice: and how
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// No progress, and log errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn definition_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn common_options_are_accepted_before_and_after_the_command() {
        for line in ["kt-archive --json status", "kt-archive status --json"] {
            assert!(Arguments::try_parse_from(line.split(' ')).unwrap().common.json, "{line}");
        }
    }

    #[test]
    fn invalid_combinations_and_values_are_refused() {
        for line in [
            "kt-archive verify --month 2025-03 --from 2025-01 --to 2025-02",
            "kt-archive verify --from 2025-01",
            "kt-archive backfill --from 2025-01",
            "kt-archive run --month 2025-13",
            "kt-archive run --format rejects",
            "kt-archive pull --from 2025-03-01",
            "kt-archive pull --from 2025-03-01 --to yesterday",
            "kt-archive pull --from 2025-03-01 --to 2025-03-02 --match model",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}

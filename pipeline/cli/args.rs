//! The command line for clap: the commands, and the arguments that are no options of the configuration. Doc comments are
//! the help texts.

use super::schedule::Kind;
use archive::config::choice;
use archive_connectors::program::CommandTemplate;
use archive_formats::{Month, Timestamp};
use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use clap_complete::Shell;
use std::path::PathBuf;

/// The heading of the options that every command has.
pub(super) const COMMON: &str = "Common options";

/// Puts `--config` and `--json` after the options of the configuration.
const LAST: usize = 100;

/// The end of the short help.
pub(super) const SHORT: &str = "--help: every option, examples, the syntax of values, variables, exit codes";

/// The end of the long help. A line is a paragraph, or a term and its meaning after two blanks; `options` breaks them.
pub(super) const LONG: &str = "\
Every option but --month, --to, --json and the --from of months and times can be set as KT_ARCHIVE_<OPTION>, such as KT_ARCHIVE_STATE_DIR, \
and all but --config in the configuration file (TOML) under its own name. A flag beats the environment, which beats \
the file.

Values:
  sizes                      256MiB, 64MB, 1GiB: a whole number and its unit; K, M and G are KiB, MiB and GiB
  durations                  90s, 15m, 1h, 2d: a whole number and one unit
  months                     2025-03, in UTC; a range includes both ends
  times                      2025-03-01T08:00:00Z, or 2025-03-01 or 2025-03 for its beginning in UTC; a range \
excludes its end
  paths                      ~ is the home folder; a relative path begins at the current folder
  lists                      repeat the option, or use commas

Secrets come from the environment, or from files that it names:
  KEEPTRUSTS_API_TOKEN       token of the exports API; else
  KEEPTRUSTS_API_TOKEN_FILE  file that holds it; else API_TOKEN
  PGPASSWORD, PGPASSFILE     password of a PostgreSQL source, or a file of passwords instead of ~/.pgpass; PGHOST, \
PGUSER, PGSSLMODE … fill in what its URL leaves open
  AWS_*, GOOGLE_*, AZURE_*   credentials and endpoint of an archive at s3://, gs:// or az://
  KT_ARCHIVE_NOTIFY          addresses that are notified of runs
KEEPTRUSTS_API_URL is the source when there is no --source.

Exit codes:
  0    done, or archived before
  1    failed for another reason
  2    usage or configuration
  3    partial: some months or replicas done, some not
  4    damage, a broken chain, or a restored month that differs
  5    incomplete data: nothing was committed but what keep asks for, or a month is missing
  6    the source, or the database of a restore, failed for good
  7    the archive's store failed for good, or holds no archive
  8    another run works on the same archive
  9    not authorised
  75   try again later
  130  interrupted (SIGINT); 143 stopped (SIGTERM)";

/// Archives Keeptrusts events by month, and proves that none is missing or changed.
#[derive(Debug, Parser)]
#[command(name = "kt-archive", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON, display_order = LAST)]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long, global = true, help_heading = COMMON, display_order = LAST)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Archive a month, by default the last one and every gap
    Run {
        /// The month [default: the last one, and every gap]
        ///
        /// The month [default: the last calendar month, and every gap since the first archived month]
        #[arg(long, value_name = "YYYY-MM")]
        month: Option<Month>,
    },
    /// Archive every month of a range that is not archived yet
    ///
    /// Both ends are included. Months that are archived are passed over, so that the same command goes on where an
    /// interrupted one stopped.
    Backfill(BackfillArgs),
    /// Read the archive back and prove it
    Verify(VerifyArgs),
    /// Show archived and missing months as a calendar
    Status(PeriodArgs),
    /// Write an HTML page about the archive, for an auditor
    ///
    /// Coverage, events a day by verdict, sizes, chain head, the last verification on record and the replicas, in one
    /// file without scripts that needs no network. Months whose files are missing, have another size, or turn out to be
    /// damaged while they are counted are named in it, and then the exit code is 4. What was counted before is not read
    /// again: `kt-archive verify` does that.
    Report(PeriodArgs),
    /// Check what a run needs: settings, credentials, source, stores
    ///
    /// Leaves nothing behind. The exit code is that of the run.
    Doctor,
    /// Check the settings, show their origins, or print their schema
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Bring every replica up to the archive
    ///
    /// Copies the months that a replica lacks: first their files, each checked against its digest, then their
    /// manifests. What the replica has of earlier months is not read again; --repair reads all of it.
    Replicate,
    /// Write a slice for a reviewer, with proof of where it came from
    ///
    /// The range of times is half-open: --from is included, --to is not. Only files that manifests name are read, each
    /// after a check of its digest; damage or a missing month gives no slice.
    Pull(PullArgs),
    /// Load a month back into PostgreSQL, and compare every value
    ///
    /// The table is created unless it exists; one that has rows of the month already is refused. The server gives all
    /// rows back, and a digest of each column is compared with that of the archive. A difference is exit code 4. All of
    /// it is one transaction: what fails or differs leaves nothing behind.
    Restore {
        /// The month
        #[arg(long, value_name = "YYYY-MM")]
        month: Month,
    },
    /// Print a job that archives every month with these settings
    ///
    /// With --backups, the jobs of backups: a backup every night, pruning, and a drill every month (cron, systemd). Otherwise
    /// the job does what `kt-archive run` with the same settings does, at 04:00 UTC on the first three days of the month:
    /// on the 2nd and the 3rd it ends at once when the month is archived. Its comments name what to change. It holds no
    /// secret, only the names of the files, variables and secret stores that they are taken from.
    Schedule {
        /// cron, systemd, kubernetes, github-actions or airflow
        #[arg(value_name = "KIND", value_parser = kinds(), hide_possible_values = true)]
        kind: Kind,
    },
    /// Back up the platform's other tiers, and prove that they restore
    ///
    /// Backups have a place and a chain of their own, apart from the archive of events.
    Backup {
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Restore a lost database, next to what is left of it
    Recover {
        #[command(subcommand)]
        command: RecoverCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// bash, zsh or fish
        #[arg(value_name = "SHELL", value_parser = shells(), hide_possible_values = true)]
        shell: Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder, such as ~/.local/share/man/man1; it is made if there is none, and older pages in it are replaced
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

impl Command {
    /// The name as typed, with that of a subcommand.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Backfill(_) => "backfill",
            Self::Verify(_) => "verify",
            Self::Status(_) => "status",
            Self::Report(_) => "report",
            Self::Doctor => "doctor",
            Self::Config { command: ConfigCommand::Check } => "config check",
            Self::Config { command: ConfigCommand::Show } => "config show",
            Self::Config { command: ConfigCommand::Schema } => "config schema",
            Self::Replicate => "replicate",
            Self::Pull(_) => "pull",
            Self::Restore { .. } => "restore",
            Self::Schedule { .. } => "schedule",
            Self::Backup { command } => command.name(),
            Self::Recover { command: RecoverCommand::Plan } => "recover plan",
            Self::Recover { command: RecoverCommand::Database(_) } => "recover database",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Dump a database, with digests of every table in the same snapshot
    ///
    /// The dump is hashed, stored in parts, and read to its end by a second program, all at once: no whole dump is on the
    /// local disk. Nothing is committed unless both programs succeed. The roles are saved beside it.
    Database,
    /// Keep every version of the platform's configurations
    ///
    /// From the table `configurations` of the database (--from), the output of a command, a Git repository, or files. One
    /// object for each content; what did not change is not stored again. What seems to hold a secret is refused. A
    /// configuration that the linter finds invalid is stored as invalid, and the exit code is 5.
    Configuration(Box<ConfigurationArgs>),
    /// Keep every export artifact
    ///
    /// Copies by digest from a folder or a bucket. What the source deletes stays.
    Artifacts(ArtifactsArgs),
    /// Read the backups back and prove them
    ///
    /// The chain, the names and sizes of all files; at level full every byte, and every dump to its end. Whether a dump
    /// restores, and to the same rows, is what a drill proves.
    Verify,
    /// Bring every replica of the backups up to them
    ///
    /// As every command that commits does; with --repair, what a replica lacks or has damaged is replaced. A damaged file of
    /// the backups comes back from a whole replica: name that as --backups, and the damaged place as --replica.
    Replicate(RepairArgs),
    /// Restore a backup on trial, and compare every table
    ///
    /// By default in a scratch cluster of this host, which is made for it and removed whatever happens: roles and extensions
    /// that are missing in the backup are missed there. A difference is exit code 4. The result is committed: a backup that
    /// a drill has proved is never pruned by newer ones that it has not.
    Drill(DrillArgs),
    /// Remove backups that are not to be kept
    ///
    /// Names them; with --confirm, removes them. Never removes the newest, the newest that a drill proved, or more than leave
    /// --keep-min; and nothing while the newest is older than --rpo, else than 48 hours.
    Prune(ConfirmArgs),
}

impl BackupCommand {
    const fn name(&self) -> &'static str {
        match self {
            Self::Database => "backup database",
            Self::Configuration(_) => "backup configuration",
            Self::Artifacts(_) => "backup artifacts",
            Self::Verify => "backup verify",
            Self::Replicate(_) => "backup replicate",
            Self::Drill(_) => "backup drill",
            Self::Prune(_) => "backup prune",
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct ConfigurationArgs {
    /// A file; repeat it for several
    #[arg(long, value_name = "FILE", group = "origin")]
    pub(super) file: Vec<PathBuf>,
    /// A Git repository, as a bundle of its HEAD
    #[arg(long, value_name = "DIR", group = "origin")]
    pub(super) git: Option<PathBuf>,
    /// A command that writes the file {}
    ///
    /// A command that writes the file {}, such as 'kt config export --output {}'
    #[arg(long, value_name = "COMMAND", group = "origin")]
    pub(super) exec: Option<CommandTemplate>,
    /// A command that judges the file {}
    ///
    /// A command that judges the file {} by its exit code, such as 'kt policy lint --file {}'
    #[arg(long, value_name = "COMMAND")]
    pub(super) lint_exec: Option<CommandTemplate>,
    /// The name, where the source has none
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) name: Option<String>,
    /// The gateway, where the source has none
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) gateway: Option<String>,
    /// The environment, where the source has none
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) environment: Option<String>,
    /// Print the call that links this repository to the platform, and make none
    ///
    /// Linking is a write at the platform: the call is printed for a person, with the address of `KEEPTRUSTS_API_URL`.
    #[arg(
        long,
        value_name = "URL",
        hide_short_help = true,
        num_args = 0..=1,
        default_missing_value = "https://git.example/organisation/repository.git"
    )]
    pub(super) print_link: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ArtifactsArgs {
    /// The folder of the artifacts, or s3://…, gs://… or az://…
    #[arg(long, value_name = "URL")]
    pub(super) from: String,
    /// Read also what has the name, the size and the time of an artifact that is backed up
    #[arg(long)]
    pub(super) reread: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct DrillArgs {
    /// The backup with this number [default: the newest]
    #[arg(long, value_name = "N")]
    pub(super) backup: Option<u64>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RepairArgs {
    /// Read every object of the replicas, and replace what is missing or damaged
    #[arg(long)]
    pub(super) repair: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfirmArgs {
    /// Do it, instead of showing what would be done
    #[arg(long)]
    pub(super) confirm: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum RecoverCommand {
    /// Print what to stop, in which order, from which backup
    ///
    /// With how long the last drill took, and what no backup holds.
    Plan,
    /// Restore a backup into a new database, and compare every table
    ///
    /// The database must not exist: nothing that exists is written to. Roles that exist stay as they are. With --switch it
    /// then takes the name of the database that was backed up, which is kept under another name.
    Database(RecoverArgs),
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RecoverArgs {
    /// The backup with this number [default: the newest]
    #[arg(long, value_name = "N")]
    pub(super) backup: Option<u64>,
    /// Give it the name of the database that was backed up
    ///
    /// Give the restored database the name of the one that was backed up, once it is proved equal. Without --confirm, show
    /// what would be renamed. A database that was restored by an earlier call is compared again, and not restored again.
    #[arg(long)]
    pub(super) switch: bool,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// First month, included
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) from: Month,
    /// Last month, included [default: the last closed one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) to: Option<Month>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Verify this month alone
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"])]
    pub(super) month: Option<Month>,
    /// First month, included [default: the whole archive]
    #[arg(long, value_name = "YYYY-MM", requires = "to")]
    pub(super) from: Option<Month>,
    /// Last month, included
    #[arg(long, value_name = "YYYY-MM", requires = "from")]
    pub(super) to: Option<Month>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PeriodArgs {
    /// First month, included [default: the first archived one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) from: Option<Month>,
    /// Last month, included [default: the last closed one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) to: Option<Month>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the settings, without asking source or stores
    Check,
    /// Print the settings that count as a configuration file, each with where it comes from
    Show,
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PullArgs {
    /// When the slice begins, included
    ///
    /// When the slice begins, included: a time (2025-03-01T08:00:00Z), or a date or a month, for its beginning in UTC
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_lenient)]
    pub(super) from: Timestamp,
    /// When it ends, not included: 2025-04-01 for all of March
    ///
    /// When it ends, not included: --to 2025-04-01, or 2025-04, ends with the last instant of March
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_lenient)]
    pub(super) to: Timestamp,
}

/// Parses the name of a scheduler.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|word| choice::<Kind>(&word))
}

/// Parses the name of a shell: those whose scripts the tests run.
fn shells() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|word| word.parse::<Shell>())
}

//! The options of each command.

use super::{ENVIRONMENT, LONG, SourceArgs};
use crate::schedule::Kind;
use archive::{
    config::{Condition, EventFormat, choice},
    expected_head::ExpectedHead,
    units::{Count, DurationArg},
    verify::Level,
};
use archive_formats::{Dataset, Month, Timestamp};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The month [default: the last calendar month, and every gap since the first archived month]
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) month: Option<Month>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    /// First month
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) from: Month,
    /// Last month, included
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) to: Month,
    /// Months that are archived at the same time; a run that archives several takes it from KT_ARCHIVE_JOBS or the file
    /// [default: 2 from PostgreSQL and files, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<Count>,
    /// Print which months would be archived, and archive nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verify this month alone
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"])]
    pub(crate) month: Option<Month>,
    /// First month [default: the whole archive]
    #[arg(long, value_name = "YYYY-MM", requires = "to")]
    pub(crate) from: Option<Month>,
    /// Last month, included
    #[arg(long, value_name = "YYYY-MM", requires = "from")]
    pub(crate) to: Option<Month>,
    /// quick (chain, names and sizes) or full (every byte and every row) [default: full]
    #[arg(long, value_name = "LEVEL", value_parser = choice::<Level>)]
    pub(crate) level: Option<Level>,
    /// A head that the archive had once: its number, its sha256, or NUMBER:SHA256
    #[arg(long, value_name = "HEAD")]
    pub(crate) expect_head: Option<ExpectedHead>,
}

#[derive(Debug, Args)]
pub(crate) struct OverviewArgs {
    /// First month [default: the first archived one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) from: Option<Month>,
    /// Last month, included [default: the last closed one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) to: Option<Month>,
    /// Show these datasets; repeat it or use commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) dataset: Vec<Dataset>,
    /// A copy of the archive, to see how far it is behind; repeat it or use commas
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) replica: Vec<String>,
    /// How long the platform keeps events, such as 365d, to show how many days are left to archive them
    #[arg(long, value_name = "DURATION")]
    pub(crate) platform_retention: Option<DurationArg>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) overview: OverviewArgs,
    /// A line for each month, with its events, its size and when it was committed, instead of the calendar
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) overview: OverviewArgs,
    /// The page to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the settings, without asking source or stores
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Check(SourceArgs),
    /// Print the settings that count as a configuration file, each with where it comes from
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Show(SourceArgs),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct ReplicateArgs {
    /// A copy of the archive: a place like --archive; repeat it or use commas
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) replica: Vec<String>,
    /// Read every object of the replicas, and replace what is missing or damaged by the archive's bytes
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// When the slice begins, included: a time (2025-03-01T08:00:00Z) or a date, for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_lenient)]
    pub(crate) from: Timestamp,
    /// When it ends, not included
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_lenient)]
    pub(crate) to: Timestamp,
    /// The dataset [default: events]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) dataset: Vec<Dataset>,
    /// Only events with this value, as the archive's CSV has it; nothing after the = means NULL or empty text. Values of
    /// one column are alternatives, several columns must all match. Repeat it
    #[arg(id = "match", long, value_name = "COLUMN=VALUE")]
    pub(crate) conditions: Vec<Condition>,
    /// These columns, in this order; repeat it or use commas. Those of the configuration file are the columns of a run
    /// [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// csv, parquet or jsonl (a JSON object per line)
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<EventFormat>,
    /// The file to write; csv and jsonl are gzipped when it ends in .gz. Its proof goes to FILE.manifest.json
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Take what there is of a range that is not archived whole
    #[arg(long)]
    pub(crate) allow_gaps: bool,
    /// Put a ' before texts of CSV that a spreadsheet would evaluate: those that begin with = + - @, tab or return
    #[arg(long)]
    pub(crate) csv_safe: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) month: Month,
    /// The database: postgres://user@host/database. Passwords come from PGPASSWORD or the password file
    #[arg(long, value_name = "URL")]
    pub(crate) into: Option<String>,
    /// The dataset [default: events]
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<Dataset>,
    /// The table, as SQL spells it: name or schema.name [default: the one that the month came from, else the dataset's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// Restore into a temporary table, compare, and take all of it back: a rehearsal that leaves nothing behind
    #[arg(long)]
    pub(crate) drill: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// What runs the job: cron, systemd, kubernetes, github-actions or airflow
    #[arg(value_name = "KIND", value_parser = kinds(), hide_possible_values = true)]
    pub(crate) kind: Kind,
    /// Where the program is on the host of the job [default: where this one is]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// Parses the name of a scheduler.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|word| choice::<Kind>(&word))
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL", value_parser = shells(), hide_possible_values = true)]
    pub(crate) shell: Shell,
}

/// Parses the name of a shell: those whose scripts the tests run.
fn shells() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|word| word.parse::<Shell>())
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1; it is made if there is none, and older pages in it are replaced
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

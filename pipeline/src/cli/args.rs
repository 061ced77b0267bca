//! What can be typed. The comments are the help texts.

#![expect(clippy::doc_markdown, reason = "a help text on a terminal has no backticks")]

use crate::{
    config::{EventFormat, LogFormat, Policy, ProgressMode, choice},
    expected_head::ExpectedHead,
    pull::Condition,
    report::Level,
    transform::Rename,
    units::{Count, Size, Span},
};
use archive_connectors::exports_api::{ArtifactFormat, Layout};
use archive_formats::{Dataset, Month, Timestamp};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;

const ENVIRONMENT: &str = "\
Every option but --month, --from, --to and --json can be set as KT_ARCHIVE_<OPTION>, such as
KT_ARCHIVE_STATE_DIR, and all but --config in the configuration file under its own name.
A flag beats the environment, which beats the file.";

const LONG: &str = "\
Every option but --month, --from, --to and --json can be set as KT_ARCHIVE_<OPTION>, such as
KT_ARCHIVE_STATE_DIR, and all but --config in the configuration file (TOML) under its own name.
A flag beats the environment, which beats the file.

Secrets come from the environment alone:
  KEEPTRUSTS_API_TOKEN       token of the exports API; else
  KEEPTRUSTS_API_TOKEN_FILE  file that holds it; else API_TOKEN
  AWS_*, GOOGLE_*, AZURE_*   credentials and endpoint of an archive at s3://, gs:// or az://
KEEPTRUSTS_API_URL is the source when there is no --source.

Exit codes:
  0    done, or archived before
  1    failed for another reason
  2    usage or configuration
  3    partial: some months or replicas done, some not
  4    damage, or a broken chain
  5    incomplete data: nothing was committed but what keep asks for, or a month is missing
  6    the source failed for good
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
    /// Show which months are archived, and which are missing
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Status(StatusArgs),
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
}

impl Command {
    /// What was typed for it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Backfill(_) => "backfill",
            Self::Verify(_) => "verify",
            Self::Status(_) => "status",
            Self::Doctor(_) => "doctor",
            Self::Config(ConfigArgs { command: ConfigCommand::Check(_) }) => "config check",
            Self::Config(ConfigArgs { command: ConfigCommand::Show(_) }) => "config show",
            Self::Config(ConfigArgs { command: ConfigCommand::Schema }) => "config schema",
            Self::Replicate(_) => "replicate",
            Self::Pull(_) => "pull",
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

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Where events come from: https://… (exports API), demo:?events=N&seed=N, or files: a path, file://… or a pattern
    /// like 'exports/*.csv' (.csv, .json, .jsonl, .ndjson, also .gz) [default: $KEEPTRUSTS_API_URL]
    #[arg(long, value_name = "URL")]
    pub(super) source: Option<String>,
    /// A copy of the archive, brought up to it after the commits: a place like --archive; repeat it or use commas
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(super) replica: Vec<String>,
    /// What to archive: events, traces, escalations, audit-log; repeat it or use commas [default: events]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) dataset: Vec<Dataset>,
    /// How to archive it: parquet, csv, artifact (as it was delivered); repeat it or use commas [default: parquet]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(super) format: Vec<EventFormat>,
    /// How long a month must be over before it is archived [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(super) grace: Option<Span>,
    /// Begin another file of the month at this size [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub(super) part_size: Option<Size>,
    /// Name of the column, in artifacts and files, that identifies an event [default: event_id, id or eventId]
    #[arg(long, value_name = "NAME")]
    pub(super) id_column: Option<String>,
    /// Name of the column with the time of an event [default: timestamp, created_at, occurred_at or time]
    #[arg(long, value_name = "NAME")]
    pub(super) time_column: Option<String>,
    #[command(flatten)]
    pub(super) rows: RowArgs,
    #[command(flatten)]
    pub(super) transforms: TransformArgs,
    #[command(flatten)]
    pub(super) api: ApiArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What may be committed")]
pub(super) struct RowArgs {
    /// Rows that cannot be events: fail, or keep them in files of their own and exit with 5 [default: fail]
    #[arg(long, value_name = "POLICY", value_parser = choice::<Policy>)]
    pub(super) rejects: Option<Policy>,
    /// Events with one id and different content: fail, or keep all of them and exit with 5 [default: fail]
    #[arg(long, value_name = "POLICY", value_parser = choice::<Policy>)]
    pub(super) conflicts: Option<Policy>,
    /// Commit a month without events
    #[arg(long)]
    pub(super) allow_empty: bool,
    /// Commit a month with columns of other types than the dataset had before
    #[arg(long)]
    pub(super) accept_schema_change: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Columns (the id and the time of an event always stay)")]
pub(super) struct TransformArgs {
    /// Archive these columns alone; repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// Archive all columns but these; repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) drop: Vec<String>,
    /// Replace the values of these columns by keyed digests (HMAC-SHA-256); repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) pseudonymise: Vec<String>,
    /// File that holds the key of --pseudonymise, which its user alone may read
    #[arg(long, value_name = "FILE")]
    pub(super) pseudonym_key_file: Option<PathBuf>,
    /// Archive columns under other names; repeat it or use commas
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    pub(super) rename: Vec<Rename>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Exports API")]
pub(super) struct ApiArgs {
    /// Endpoints: exports, exports-jobs, or auto [default: exports]
    #[arg(long, value_name = "LAYOUT", value_parser = choice::<Layout>)]
    pub(super) api_layout: Option<Layout>,
    /// Format of the artifacts: csv or json [default: csv]
    #[arg(long, value_name = "FORMAT", value_parser = choice::<ArtifactFormat>)]
    pub(super) api_format: Option<ArtifactFormat>,
    /// Ask for this much more on both sides of the month, and keep what belongs to it [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(super) api_margin: Option<Span>,
    /// How long an export job may take before the run gives up with exit code 75 [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(super) job_timeout: Option<Span>,
    /// Allow http:// to hosts that are neither loopback nor private
    #[arg(long)]
    pub(super) allow_http: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The month [default: the last calendar month, and every gap since the first archived month]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) month: Option<Month>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// First month
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) from: Month,
    /// Last month, included
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) to: Month,
    /// Months that are archived at the same time [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<Count>,
    /// Only say which months would be archived
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Verify this month alone
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"])]
    pub(super) month: Option<Month>,
    /// First month [default: the whole archive]
    #[arg(long, value_name = "YYYY-MM", requires = "to")]
    pub(super) from: Option<Month>,
    /// Last month, included
    #[arg(long, value_name = "YYYY-MM", requires = "from")]
    pub(super) to: Option<Month>,
    /// quick (chain, names and sizes) or full (every byte and every row) [default: full]
    #[arg(long, value_name = "LEVEL", value_parser = choice::<Level>)]
    pub(super) level: Option<Level>,
    /// A head that the archive had once: its number, its sha256, or NUMBER:SHA256
    #[arg(long, value_name = "HEAD")]
    pub(super) expect_head: Option<ExpectedHead>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// First month [default: the first archived one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) from: Option<Month>,
    /// Last month, included [default: the last closed one]
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) to: Option<Month>,
    /// Show these datasets; repeat it or use commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) dataset: Vec<Dataset>,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what is wrong with the settings, without asking source or stores
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Check(SourceArgs),
    /// Print the settings that count as a configuration file, each with where it comes from
    #[command(after_help = ENVIRONMENT, after_long_help = LONG)]
    Show(SourceArgs),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct ReplicateArgs {
    /// A copy of the archive: a place like --archive; repeat it or use commas
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(super) replica: Vec<String>,
    /// Read every object of the replicas, and replace what is missing or damaged by the archive's bytes
    #[arg(long)]
    pub(super) repair: bool,
}

#[derive(Debug, Args)]
pub(super) struct PullArgs {
    /// When the slice begins, included: a time (2025-03-01T08:00:00Z) or a date, for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = Timestamp::from_people)]
    pub(super) from: Timestamp,
    /// When it ends, not included
    #[arg(long, value_name = "TIME", value_parser = Timestamp::from_people)]
    pub(super) to: Timestamp,
    /// The dataset [default: events]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) dataset: Vec<Dataset>,
    /// Only events with this value, as the archive's CSV has it; nothing after the = means NULL or empty text. Values of
    /// one column are alternatives, several columns must all match. Repeat it
    #[arg(id = "match", long, value_name = "COLUMN=VALUE")]
    pub(super) conditions: Vec<Condition>,
    /// These columns, in this order; repeat it or use commas. Those of the configuration file are the columns of a run
    /// [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// csv, parquet or jsonl (a JSON object per line)
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(super) format: Vec<EventFormat>,
    /// The file to write; csv and jsonl are gzipped when it ends in .gz. Its proof goes to FILE.manifest.json
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    pub(super) force: bool,
    /// Take what there is of a range that is not archived whole
    #[arg(long)]
    pub(super) allow_gaps: bool,
    /// Put a ' before texts of CSV that a spreadsheet would evaluate: those that begin with = + - @, tab or return
    #[arg(long)]
    pub(super) csv_safe: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn common_options_may_stand_before_and_after_the_command() {
        for line in ["kt-archive --json status", "kt-archive status --json"] {
            assert!(Arguments::try_parse_from(line.split(' ')).unwrap().common.json, "{line}");
        }
    }

    #[test]
    fn months_and_ranges_do_not_mix() {
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

//! Options of commands that archive: source, datasets, formats and monitoring.

use archive::{
    config::{EventFormat, Policy, choice},
    transform::Rename,
    units::{Count, DurationArg, Size},
};
use archive_connectors::exports_api::{ArtifactFormat, Layout};
use archive_formats::Dataset;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Where events come from: https://… (exports API), postgres://user@host/database, demo:?events=N&seed=N, or files: a
    /// path, file://… or a pattern like 'exports/*.csv' (.csv, .json, .jsonl, .ndjson, also .gz)
    /// [default: $KEEPTRUSTS_API_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// A copy of the archive, brought up to it after the commits: a place like --archive; repeat it or use commas
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) replica: Vec<String>,
    /// What to archive: events, traces, escalations, audit-log, with PostgreSQL any table; repeat it or use commas
    /// [default: events]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) dataset: Vec<Dataset>,
    /// How to archive it: parquet, csv, artifact (as an API or a file delivered it); repeat it or use commas [default: parquet]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<EventFormat>,
    /// How long a month must be over before it is archived [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) grace: Option<DurationArg>,
    /// Begin another file of the month at this size [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) part_size: Option<Size>,
    /// Name of the column, in artifacts, files and tables, that identifies an event [default: event_id, id or eventId]
    #[arg(long, value_name = "NAME")]
    pub(crate) id_column: Option<String>,
    /// Name of the column with the time of an event [default: timestamp, created_at, occurred_at or time]
    #[arg(long, value_name = "NAME")]
    pub(crate) time_column: Option<String>,
    #[command(flatten)]
    pub(crate) rows: RowArgs,
    #[command(flatten)]
    pub(crate) transforms: TransformArgs,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(flatten)]
    pub(crate) postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) monitoring: MonitoringArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What may be committed")]
pub(crate) struct RowArgs {
    /// Rows that cannot be events: fail, or keep them in files of their own and exit with 5 [default: fail]
    #[arg(long, value_name = "POLICY", value_parser = choice::<Policy>)]
    pub(crate) rejects: Option<Policy>,
    /// Events with one id and different content: fail, or keep all of them and exit with 5 [default: fail]
    #[arg(long, value_name = "POLICY", value_parser = choice::<Policy>)]
    pub(crate) conflicts: Option<Policy>,
    /// Commit a month without events
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Commit a month with columns of other types than the dataset had before
    #[arg(long)]
    pub(crate) accept_schema_change: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Columns (the id and the time of an event always stay)")]
pub(crate) struct TransformArgs {
    /// Archive these columns alone; repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Archive all columns but these; repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
    /// Replace the values of these columns by keyed digests (HMAC-SHA-256); repeat it or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) pseudonymise: Vec<String>,
    /// File that holds the key of --pseudonymise, which its user alone may read
    #[arg(long, value_name = "FILE")]
    pub(crate) pseudonym_key_file: Option<PathBuf>,
    /// Archive columns under other names; repeat it or use commas
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    pub(crate) rename: Vec<Rename>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Exports API")]
pub(crate) struct ApiArgs {
    /// Endpoints: exports, exports-jobs, or auto [default: exports]
    #[arg(long, value_name = "LAYOUT", value_parser = choice::<Layout>)]
    pub(crate) api_layout: Option<Layout>,
    /// Format of the artifacts: csv or json [default: csv]
    #[arg(long, value_name = "FORMAT", value_parser = choice::<ArtifactFormat>)]
    pub(crate) api_format: Option<ArtifactFormat>,
    /// Ask for this much more on both sides of the month, and keep what belongs to it [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) api_margin: Option<DurationArg>,
    /// How long an export job may take before the run gives up with exit code 75 [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) job_timeout: Option<DurationArg>,
    /// Allow http:// to hosts that are neither loopback nor private
    #[arg(long)]
    pub(crate) allow_http: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "PostgreSQL")]
pub(crate) struct PostgresArgs {
    /// The table that holds the dataset; several datasets have theirs in the configuration file [default: the dataset's
    /// name, with underscores for hyphens]
    #[arg(long, value_name = "SCHEMA.NAME")]
    pub(crate) table: Option<String>,
    /// How many connections read at the same time, for all months together [default: as many as cores, at most 16]
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<Count>,
    /// Archive rows with this value of the column org_id alone [default: all rows]
    #[arg(long, value_name = "VALUE")]
    pub(crate) where_org: Option<String>,
    /// How long a statement may take on the server; 0s for as long as it likes [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) statement_timeout: Option<DurationArg>,
    /// How long a statement may wait for a lock; 0s for as long as it likes [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) lock_timeout: Option<DurationArg>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Monitoring")]
pub(crate) struct MonitoringArgs {
    /// Write what the run did, and the state of the archive, to this file for Prometheus' node exporter; *.prom in the
    /// folder of its textfile collector
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,
    /// Notify this address when the run begins, and how it ended: https://… is a webhook, which gets JSON, and
    /// healthcheck+https://… a check like those of healthchecks.io, which gets pings; repeat it or use commas. Such an
    /// address is often a credential: KT_ARCHIVE_NOTIFY and the file keep it out of process lists
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) notify: Vec<String>,
    /// How long the platform keeps events, such as 365d, to show how many days are left to archive them
    #[arg(long, value_name = "DURATION")]
    pub(crate) platform_retention: Option<DurationArg>,
}

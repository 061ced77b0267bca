//! Every option, described once. Flags, environment, file, `config show`, the schema, completions and manual pages all
//! follow from this table. The program only chooses which options a command takes.

#![expect(clippy::doc_markdown, reason = "the help texts are printed on terminals, without backticks")]

use super::{Conditions, Datasets, EventFormat, Level, LogFormat, Policy, ProgressMode, TimeUnit, is_value, spelling};
use crate::{
    expected_head::ExpectedHead,
    transform::Rename,
    units::{Count, DurationArg, FileMode, List, Size, Switch},
};
use archive_connectors::exports_api::{ArtifactFormat, Layout};
use archive_formats::backup_manifest::DigestLevel;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Value;

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct ConfigOption {
    /// Its key in the file, and its long flag. In capitals after `KT_ARCHIVE_`, with underscores, it is the variable.
    pub key: &'static str,
    /// What it does.
    pub help: &'static str,
    /// A placeholder for its value; `None` for an option without a value.
    pub value_name: Option<&'static str>,
    /// Its value if it is not set: a value, or a sentence.
    pub default: Option<&'static str>,
}

impl ConfigOption {
    /// The default, if it is a value and not a sentence. That of a switch is `false`.
    pub fn default_value(&self) -> Option<Value> {
        let syntax = spelling(self.key);
        match self.default {
            None if syntax.boolean => Some(false.into()),
            Some(text) if !text.contains([' ', '$']) => {
                let number = text.parse::<i64>().ok().filter(|_| syntax.integer).map(Value::from);
                let value = number.unwrap_or_else(|| text.into());
                is_value(self.key, value.clone()).then_some(value)
            }
            _ => None,
        }
    }
}

/// The option with this key.
pub fn option(key: &str) -> Option<&'static ConfigOption> {
    OPTIONS.iter().find(|option| option.key == key)
}

/// Defines [`Config`] and [`OPTIONS`]. A row is: help, key, field, type, placeholder of the value, default.
macro_rules! options {
    ($($(#[doc = $help:literal])+
       $key:literal => $field:ident: $type:ty $(, $value_name:literal)? $(= $default:literal)?;)*) => {
        /// One layer of settings: the flags, the environment, or the file. `None` means that the layer does not set it.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Config {
            $($(#[doc = $help])+ #[serde(rename = $key)] pub $field: Option<$type>,)*
        }

        impl Config {
            /// Fills unset fields from `lower`.
            #[must_use]
            pub fn or(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* }
            }
        }

        /// Every option, in the order of `config show`.
        pub static OPTIONS: &[ConfigOption] = &[$(ConfigOption {
            key: $key,
            help: concat!($($help),+).trim_ascii_start(),
            value_name: optional!($($value_name)?),
            default: optional!($($default)?),
        },)*];
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

options! {
    /// Where the archive is: a folder, file://…, s3://bucket/prefix, gs://… or az://…
    "archive" => archive: String, "URL" = "./archive";
    /// Folder for spool, staging, journal and lock
    "state-dir" => state_dir: PathBuf, "DIR" = "$XDG_STATE_HOME/kt-archive, else ~/.local/state/kt-archive";
    /// How logs on stderr look: text or json
    "log-format" => log_format: LogFormat, "FORMAT" = "text";
    /// Progress on stderr: auto (bars on a terminal, else a line per month), always (bars) or never
    "progress" => progress: ProgressMode, "WHEN" = "auto";
    /// Log what is done; twice: and how
    "verbose" => verbose: Count;
    /// No progress, and log errors only
    "quiet" => quiet: Switch;
    /// Where events come from: https://… (exports API), postgres://user@host/database, demo:?events=N&seed=N&types=all,
    /// or files: a path, file://… or a pattern like 'exports/*.csv' (.csv, .json, .jsonl, .ndjson, also .gz)
    "source" => source: String, "URL" = "$KEEPTRUSTS_API_URL";
    /// A copy of the archive, brought up to it after the commits: a place like --archive; repeat it or use commas
    "replica" => replica: List<String>, "URL";
    /// What to archive: events, traces, escalations, audit-log, with PostgreSQL any table; repeat it or use commas
    "dataset" => dataset: Datasets, "NAME" = "events";
    /// How to archive it: parquet, csv, artifact (as an API or a file delivered it); repeat it or use commas
    "format" => format: List<EventFormat>, "FORMAT" = "parquet";
    /// How long a month must be over before it is archived
    "grace" => grace: DurationArg, "DURATION" = "1h";
    /// Begin another file of the month at this size, at least 1MiB
    "part-size" => part_size: Size, "SIZE" = "256MiB";
    /// Mode of the files of an archive or a replica in a folder, less the umask; folders can be searched by those who
    /// may read the files
    "file-mode" => file_mode: FileMode, "MODE" = "0640";
    /// Archive these columns alone; repeat it or use commas
    "columns" => columns: List<String>, "NAME";
    /// Archive all columns but these; repeat it or use commas
    "drop" => drop: List<String>, "NAME";
    /// Archive columns under other names; repeat it or use commas
    "rename" => rename: List<Rename>, "OLD=NEW";
    /// Replace the values of these columns by keyed digests (HMAC-SHA-256); repeat it or use commas
    "pseudonymise" => pseudonymise: List<String>, "NAME";
    /// File that holds the key of --pseudonymise, which its user alone may read
    "pseudonym-key-file" => pseudonym_key_file: PathBuf, "FILE";
    /// Archive UUIDs, JSON and times of day as text: Spark, ClickHouse, Delta Lake and Iceberg do not read these types of
    /// Parquet by themselves. For all months of a dataset
    "parquet-compat" => parquet_compat: Switch;
    /// Rows that cannot be events: fail, or keep them in files of their own and exit with 5
    "rejects" => rejects: Policy, "POLICY" = "fail";
    /// Events with one id and different content: fail, or keep all of them and exit with 5
    "conflicts" => conflicts: Policy, "POLICY" = "fail";
    /// Members of the JSON around the events, or about the export job, that do not tell of events left out: any other that
    /// is unknown and not empty stops the run; repeat it or use commas
    "harmless-members" => harmless_members: List<String>, "NAME";
    /// Times with more digits than microseconds lose them: us; without it, their rows are rejected
    "truncate-times" => truncate_times: TimeUnit, "UNIT";
    /// Commit a month without events
    "allow-empty" => allow_empty: Switch;
    /// Commit a month with columns of other types than the dataset had before
    "accept-schema-change" => accept_schema_change: Switch;
    /// Go on with a dataset from another kind of source or another organisation than before; its manifests record that
    "accept-source-change" => accept_source_change: Switch;
    /// Begin a dataset with nearly the name of one that the archive has, which is taken for a typing error otherwise
    "new-dataset" => new_dataset: Switch;
    /// Endpoints: exports, exports-jobs, or auto
    "api-layout" => api_layout: Layout, "LAYOUT" = "exports";
    /// Format of the artifacts: csv or json
    "api-format" => api_format: ArtifactFormat, "FORMAT" = "csv";
    /// Ask for this much more on both sides of the month, and keep what belongs to it
    "api-margin" => api_margin: DurationArg, "DURATION" = "1h";
    /// How long an export job may take before the run gives up with exit code 75
    "job-timeout" => job_timeout: DurationArg, "DURATION" = "1h";
    /// Allow http:// to hosts that are neither loopback nor private
    "allow-http" => allow_http: Switch;
    /// Name of the column, in artifacts, files and tables, that identifies an event
    "id-column" => id_column: String, "NAME" = "event_id, id or eventId";
    /// Name of the column with the time of an event
    "time-column" => time_column: String, "NAME" = "timestamp, created_at, occurred_at or time";
    /// The table that holds the dataset; several datasets have theirs in the configuration file
    "table" => table: String, "SCHEMA.NAME" = "the dataset's name, with underscores for hyphens";
    /// How many connections read at the same time, for all months together
    "connections" => connections: Count, "N" = "as many as cores, at most 16";
    /// Archive rows with this value of the column org_id alone
    "where-org" => where_org: String, "VALUE" = "all rows";
    /// How long a statement may take on the server; 0s for as long as it likes
    "statement-timeout" => statement_timeout: DurationArg, "DURATION" = "1h, and no limit for backups";
    /// How long a statement may wait for a lock; 0s for as long as it likes
    "lock-timeout" => lock_timeout: DurationArg, "DURATION" = "10s";
    /// Where the program is on the host of the job
    "program" => program: PathBuf, "FILE" = "where this one is";
    /// Write what the run did, and the state of the archive, to this file for Prometheus' node exporter; *.prom in the
    /// folder of its textfile collector
    "metrics-file" => metrics_file: PathBuf, "FILE";
    /// Notify this address when the run begins, and how it ended: https://… is a webhook, which gets JSON, and
    /// healthcheck+https://… a check like those of healthchecks.io, which gets pings; repeat it or use commas. Such an
    /// address is often a credential: KT_ARCHIVE_NOTIFY and the file keep it out of process lists
    "notify" => notify: List<String>, "URL";
    /// How long the platform keeps events, such as 365d, to show how many days are left to archive them
    "platform-retention" => platform_retention: DurationArg, "DURATION";
    /// Months that are archived at the same time; a run that archives several takes it from KT_ARCHIVE_JOBS or the file
    "jobs" => jobs: Count, "N" = "2 from PostgreSQL and files, else 1";
    /// Print which months would be archived, and archive nothing
    "dry-run" => dry_run: Switch;
    /// Read every object of the replicas, and replace what is missing or damaged by the archive's bytes
    "repair" => repair: Switch;
    /// A line for each month, with its events, its size and when it was committed, instead of the calendar
    "list" => list: Switch;
    /// For monitoring: exit with 4 if damage is known, with 5 if months are late, none is archived, or a replica is not
    /// current, else with 0
    "check" => check: Switch;
    /// quick (chain, names and sizes) or full (every byte and every row)
    "level" => level: Level, "LEVEL" = "full";
    /// A head that the archive had once, as status prints it: 42:3f2a9c0d5b1e7788…, or its number or SHA-256 alone
    "expect-head" => expect_head: ExpectedHead, "HEAD";
    /// Only events with this value, as the archive's CSV has it; nothing after the = means NULL or empty text. Values
    /// of one column are alternatives, several columns must all match. Repeat it
    "match" => r#match: Conditions, "COLUMN=VALUE";
    /// Whose archive it is, for the head of a page
    "organisation" => organisation: String, "NAME";
    /// The file to write: .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet, with its proof in FILE.manifest.json. - is standard
    /// output, for csv and jsonl, without proof
    "output" => output: PathBuf, "FILE";
    /// Take what there is of a range that is not archived whole
    "allow-gaps" => allow_gaps: Switch;
    /// Put a ' before texts of CSV that a spreadsheet would evaluate: those that begin with = + - @, tab or return
    "csv-safe" => csv_safe: Switch;
    /// Replace what is there
    "force" => force: Switch;
    /// The database: postgres://user@host/database. Passwords come from PGPASSWORD or the password file
    "into" => into: String, "URL";
    /// Where backups are: a folder, file://…, s3://bucket/prefix, gs://… or az://…, apart from the archive
    "backups" => backups: String, "URL";
    /// A copy of the backups, brought up to them after the commits; repeat it or use commas
    "backups-replica" => backups_replica: List<String>, "URL";
    /// The database to back up: postgres://user@host/database. Passwords come from PGPASSWORD or the password file
    "backup-database" => backup_database: String, "URL";
    /// What is computed of the tables in the snapshot of a dump: full (rows and digests), counts or off
    "digests" => digests: DigestLevel, "LEVEL" = "full, or off with --pg-command";
    /// Save the passwords of roles too, as the server stores them
    "role-passwords" => role_passwords: Switch;
    /// The folder of pg_dump and PostgreSQL's other programs, of the server's major version
    "pg-bin" => pg_bin: PathBuf, "DIR" = "where packages put them, else $PATH";
    /// A command that runs pg_dump where the server is, such as 'docker exec -i -e PGPASSWORD keeptrusts-postgres'; without
    /// a connection of its own, a backup has no digests
    "pg-command" => pg_command: String, "COMMAND";
    /// Days whose last backup is kept
    "keep-daily" => keep_daily: Count, "N";
    /// Months whose last backup is kept
    "keep-monthly" => keep_monthly: Count, "N";
    /// Never keep fewer backups than this
    "keep-min" => keep_min: Count, "N" = "3";
    /// The recovery point objective: how old the newest backup may be, such as 24h
    "rpo" => rpo: DurationArg, "DURATION";
    /// The recovery time objective: how long a restore may take, by the last drill, such as 2h
    "rto" => rto: DurationArg, "DURATION";
    /// Restore into a temporary table, compare, and take all of it back: a rehearsal that leaves nothing behind
    "drill" => drill: Switch;
}

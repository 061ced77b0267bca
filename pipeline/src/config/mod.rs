//! Options from flags, environment and file: parsed and merged, not yet validated.

mod condition;
mod datasets;
mod file;
mod keys;
mod layer;
mod spelling;
mod substitute;

pub use condition::{Condition, Conditions};
pub use datasets::{DatasetEntry, Datasets};
pub use keys::all as keys;
pub(crate) use keys::edits;
pub use layer::{CONFIG_VARIABLE, Layer, Layers, Origin, Setting, variable};
pub use spelling::{Spelling, is_value, spelling};
pub use substitute::escape;

use crate::{
    expected_head::ExpectedHead,
    transform::Rename,
    units::{Count, DurationArg, List, Size, Switch},
};
use archive_connectors::{
    Error, ErrorKind,
    exports_api::{ArtifactFormat, Layout},
};
use archive_formats::FileFormat;
use serde::{Deserialize, Serialize, de::IntoDeserializer};
use std::{path::PathBuf, str::FromStr};

/// Defines [`Config`]: every field is optional, and unset fields take the value of the next lower layer.
macro_rules! config {
    ($($field:ident: $value:ty,)*) => {
        /// One layer of settings: the flags, the environment, or the file. `None` means that the layer does not set it.
        ///
        /// Field names are the keys of the file; with hyphens they are the long flags, and in capitals after
        /// `KT_ARCHIVE_` the variables.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        #[expect(missing_docs, reason = "each field is the option of the same name, which `--help` explains")]
        pub struct Config {
            $(pub $field: Option<$value>,)*
        }

        impl Config {
            /// Fills unset fields from `lower`.
            #[must_use]
            pub fn or(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* }
            }
        }
    };
}

config! {
    archive: String,
    state_dir: PathBuf,
    log_format: LogFormat,
    progress: ProgressMode,
    verbose: Count,
    quiet: Switch,
    source: String,
    replica: List<String>,
    dataset: Datasets,
    format: List<EventFormat>,
    grace: DurationArg,
    part_size: Size,
    columns: List<String>,
    drop: List<String>,
    rename: List<Rename>,
    pseudonymise: List<String>,
    pseudonym_key_file: PathBuf,
    rejects: Policy,
    conflicts: Policy,
    allow_empty: Switch,
    accept_schema_change: Switch,
    api_layout: Layout,
    api_format: ArtifactFormat,
    api_margin: DurationArg,
    job_timeout: DurationArg,
    allow_http: Switch,
    id_column: String,
    time_column: String,
    table: String,
    connections: Count,
    where_org: String,
    statement_timeout: DurationArg,
    lock_timeout: DurationArg,
    program: PathBuf,
    metrics_file: PathBuf,
    notify: List<String>,
    platform_retention: DurationArg,
    jobs: Count,
    dry_run: Switch,
    repair: Switch,
    list: Switch,
    level: Level,
    expect_head: ExpectedHead,
    r#match: Conditions,
    output: PathBuf,
    allow_gaps: Switch,
    csv_safe: Switch,
    force: Switch,
    into: String,
    drill: Switch,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests;

/// Log format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Progress display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressMode {
    /// Bars on a terminal, one line per month otherwise.
    #[default]
    Auto,
    /// Always bars.
    Always,
    /// No progress.
    Never,
}

/// Thoroughness of a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Chain, names and sizes.
    Quick,
    /// Hashes every byte, and reads every row.
    #[default]
    Full,
}

/// How to treat rows that do not belong in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Commit nothing of the month.
    #[default]
    Fail,
    /// Keep and count them; the run exits with 5.
    Keep,
}

/// A format that can be requested. `rejects` cannot: such files are written when rows are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFormat {
    /// Formats of archive files; slices support some of them too.
    Archived(FileFormat),
    /// Only for slices.
    Jsonl,
}

impl FromStr for EventFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "jsonl" => Ok(Self::Jsonl),
            Ok(format @ (FileFormat::Parquet | FileFormat::Csv | FileFormat::Artifact)) => Ok(Self::Archived(format)),
            Ok(FileFormat::Rejects) | Err(_) => {
                Err(format!("expected parquet, csv or artifact, or for a pull jsonl, not {text:?}"))
            }
        }
    }
}

/// Parses a variant name of an enum.
pub fn choice<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(text.into_deserializer())
}

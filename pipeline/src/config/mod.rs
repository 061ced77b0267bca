//! Options from flags, environment and file: parsed and merged, not yet checked.

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
    units::{Count, List, Size, Span, Switch},
};
use archive_connectors::{
    Error, ErrorKind,
    exports_api::{ArtifactFormat, Layout},
};
use archive_formats::FileFormat;
use serde::{Deserialize, Serialize, de::IntoDeserializer};
use std::{path::PathBuf, str::FromStr};

/// Defines [`Config`]: every field is optional, and a layer fills in what the one above it leaves unset.
macro_rules! config {
    ($($field:ident: $value:ty,)*) => {
        /// One layer of settings: the flags, the environment, or the file. `None` means that the layer does not set it.
        ///
        /// The names of the fields are the keys of the file; with hyphens for underscores they are the long flags, and in
        /// capitals after `KT_ARCHIVE_` the variables.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        #[expect(missing_docs, reason = "each field is the option of the same name, which `--help` explains")]
        pub struct Config {
            $(pub $field: Option<$value>,)*
        }

        impl Config {
            /// This layer, completed by the `lower` one.
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
    grace: Span,
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
    api_margin: Span,
    job_timeout: Span,
    allow_http: Switch,
    id_column: String,
    time_column: String,
    table: String,
    connections: Count,
    where_org: String,
    statement_timeout: Span,
    lock_timeout: Span,
    program: PathBuf,
    metrics_file: PathBuf,
    notify: List<String>,
    platform_retention: Span,
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

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressMode {
    /// Bars on a terminal, one line per month otherwise.
    #[default]
    Auto,
    /// Bars everywhere.
    Always,
    /// None.
    Never,
}

/// How thoroughly `verify` looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Chain, names and sizes.
    Quick,
    /// Every byte hashed, every row read.
    #[default]
    Full,
}

/// What is done about rows that should not be in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Nothing of the month is committed.
    #[default]
    Fail,
    /// They are kept and counted, and the run exits with 5.
    Keep,
}

/// A format that can be asked for. `rejects` cannot: such files are written when there are rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFormat {
    /// Of an archive's files, and some of them of slices too.
    Archived(FileFormat),
    /// Of slices alone.
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

/// Reads one of an enum's names.
pub fn choice<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(text.into_deserializer())
}

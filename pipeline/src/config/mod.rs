//! Options from flags, environment and file: parsed and merged, not yet validated.

mod condition;
mod datasets;
mod file;
mod foreign;
mod home;
mod layer;
mod names;
mod options;
mod spelling;
mod substitute;

pub use condition::{Condition, Conditions};
pub use datasets::{DatasetEntry, Datasets};
pub use foreign::variable_remedy;
pub use home::expand_path;
pub use layer::{CONFIG_VARIABLE, Layer, Layers, Origin, Setting, variable};
pub use names::Names;
pub use options::{Config, ConfigOption, OPTIONS, option};
pub(crate) use spelling::is_value;
pub use spelling::{Spelling, check, correction, spelling};
pub use substitute::escape;

use archive_connectors::{Error, ErrorKind};
use archive_formats::FileFormat;
use serde::{Deserialize, Serialize, de::IntoDeserializer};
use std::str::FromStr;

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

/// Thoroughness of a verification; a higher one includes the lower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// The unit of an archive's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TimeUnit {
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
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

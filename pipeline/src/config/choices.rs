//! Settings that are one of a few words.

use archive_formats::FileFormat;
use serde::{Deserialize, de::IntoDeserializer};
use std::str::FromStr;

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

/// What is done about rows that should not be in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Nothing of the month is committed.
    #[default]
    Fail,
    /// They are kept and counted, and the run says so.
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

//! What flags, environment and file say, before anyone asked whether it makes sense.

mod keys;

use crate::{
    environment::Environment,
    expected_head::ExpectedHead,
    report::Level,
    units::{Count, List, Size, Span, Switch},
};
use archive_connectors::{
    Error, ErrorKind, Result,
    exports_api::{ArtifactFormat, Layout},
};
use archive_formats::{Dataset, FileFormat};
use serde::{Deserialize, de::IntoDeserializer};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

/// One layer of settings: the flags, the environment, or the file. `None` means that the layer does not say.
///
/// The names of the fields are the keys of the file; with hyphens for underscores they are the long flags, and in
/// capitals after `KT_ARCHIVE_` the variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is the option of the same name, which `--help` explains")]
pub struct Config {
    pub archive: Option<String>,
    pub state_dir: Option<PathBuf>,
    pub log_format: Option<LogFormat>,
    pub progress: Option<ProgressMode>,
    pub verbose: Option<Count>,
    pub quiet: Option<Switch>,
    pub source: Option<String>,
    pub dataset: Option<List<Dataset>>,
    pub format: Option<List<EventFormat>>,
    pub grace: Option<Span>,
    pub part_size: Option<Size>,
    pub api_layout: Option<Layout>,
    pub api_format: Option<ArtifactFormat>,
    pub api_margin: Option<Span>,
    pub job_timeout: Option<Span>,
    pub allow_http: Option<Switch>,
    pub id_column: Option<String>,
    pub time_column: Option<String>,
    pub jobs: Option<Count>,
    pub dry_run: Option<Switch>,
    pub level: Option<Level>,
    pub expect_head: Option<ExpectedHead>,
}

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

/// A format that can be asked for. `rejects` cannot: such files are written when there are rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFormat(pub FileFormat);

impl FromStr for EventFormat {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.parse() {
            Ok(format @ (FileFormat::Parquet | FileFormat::Csv)) => Ok(Self(format)),
            Ok(FileFormat::Artifact) => Err("the format artifact is not available yet, use parquet or csv".to_owned()),
            Ok(FileFormat::Rejects) | Err(_) => Err(format!("expected parquet or csv, not {text:?}")),
        }
    }
}

/// Reads one of an enum's names.
pub fn choice<T: for<'de> Deserialize<'de>>(text: &str) -> std::result::Result<T, serde::de::value::Error> {
    T::deserialize(text.into_deserializer())
}

/// What the variables of this program begin with.
const PREFIX: &str = "KT_ARCHIVE_";

/// The variable that names the file: the only one that is not a key of it.
pub const CONFIG_VARIABLE: &str = "KT_ARCHIVE_CONFIG";

impl Config {
    /// What the environment says, and the names of variables with our prefix that mean nothing.
    pub fn from_environment(environment: &Environment) -> Result<(Self, Vec<String>)> {
        let (mut config, mut unknown) = (Self::default(), Vec::new());
        for (name, value) in environment.with_prefix(PREFIX).filter(|(name, _)| *name != CONFIG_VARIABLE) {
            let key = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace('_', "-");
            if keys::all().contains(&key.as_str()) {
                let entry = Self::from_entry(key, toml::Value::String(value.to_owned()));
                config = entry.map_err(|reason| invalid(format!("{name} cannot be used: {reason}")))?.or(config);
            } else {
                unknown.push(name.to_owned());
            }
        }
        Ok((config, unknown))
    }

    /// What the file at `path` says.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            invalid("could not read the configuration file").with_context("path", path.display()).with_source(error)
        })?;
        Self::from_toml(&text).map_err(|error| error.with_context("path", path.display()))
    }

    fn from_toml(text: &str) -> Result<Self> {
        // The parser's own message quotes the line, and a line of a settings file may hold anything.
        let table = text.parse::<toml::Table>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            invalid(format!("line {line} of the configuration file is not TOML: {}", error.message()))
        })?;
        let mut config = Self::default();
        for (key, value) in table {
            if !keys::all().contains(&key.as_str()) {
                let nearest = keys::nearest(&key);
                return Err(invalid(format!("the configuration file has an unknown key {key:?}"))
                    .with_hint(format!("did you mean {nearest:?}? `kt-archive run --help` explains every option")));
            }
            let entry = Self::from_entry(key.clone(), value);
            config = entry
                .map_err(|reason| invalid(format!("{key:?} in the configuration file cannot be used: {reason}")))?
                .or(config);
        }
        Ok(config)
    }

    fn from_entry(key: String, value: toml::Value) -> std::result::Result<Self, String> {
        let entry = toml::Value::Table(toml::Table::from_iter([(key, value)]));
        entry.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// This layer, and where it does not say, the `lower` one.
    #[must_use]
    pub fn or(self, lower: Self) -> Self {
        Self {
            archive: self.archive.or(lower.archive),
            state_dir: self.state_dir.or(lower.state_dir),
            log_format: self.log_format.or(lower.log_format),
            progress: self.progress.or(lower.progress),
            verbose: self.verbose.or(lower.verbose),
            quiet: self.quiet.or(lower.quiet),
            source: self.source.or(lower.source),
            dataset: self.dataset.or(lower.dataset),
            format: self.format.or(lower.format),
            grace: self.grace.or(lower.grace),
            part_size: self.part_size.or(lower.part_size),
            api_layout: self.api_layout.or(lower.api_layout),
            api_format: self.api_format.or(lower.api_format),
            api_margin: self.api_margin.or(lower.api_margin),
            job_timeout: self.job_timeout.or(lower.job_timeout),
            allow_http: self.allow_http.or(lower.allow_http),
            id_column: self.id_column.or(lower.id_column),
            time_column: self.time_column.or(lower.time_column),
            jobs: self.jobs.or(lower.jobs),
            dry_run: self.dry_run.or(lower.dry_run),
            level: self.level.or(lower.level),
            expect_head: self.expect_head.or(lower.expect_head),
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests;

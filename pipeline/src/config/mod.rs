//! What flags, environment and file say, before anyone asked whether it makes sense.

mod choices;
mod keys;

pub use choices::{EventFormat, LogFormat, Policy, ProgressMode, choice};

use crate::{
    environment::Environment,
    expected_head::ExpectedHead,
    report::Level,
    transform::Rename,
    units::{Count, List, Size, Span, Switch},
};
use archive_connectors::{
    Error, ErrorKind, Result,
    exports_api::{ArtifactFormat, Layout},
};
use archive_formats::Dataset;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Defines [`Config`]: every field is optional, and a layer fills in what the one above it leaves open.
macro_rules! config {
    ($($field:ident: $value:ty,)*) => {
        /// One layer of settings: the flags, the environment, or the file. `None` means that the layer does not say.
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
            /// This layer, and where it does not say, the `lower` one.
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
    dataset: List<Dataset>,
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
    jobs: Count,
    dry_run: Switch,
    level: Level,
    expect_head: ExpectedHead,
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
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests;

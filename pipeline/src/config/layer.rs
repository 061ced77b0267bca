//! Layers of settings, and the origin of each setting.

use super::{Config, ConfigOption, OPTIONS, correction, home::expand, invalid, option, substitute::names};
use crate::environment::Environment;
use archive_connectors::{Error, Result};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// The settings of one layer, parsed and as written.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    config: Config,
    words: Table,
    /// Values with variables, before substitution.
    pub(super) raw: Table,
    /// Keys whose values began with `~`.
    pub(super) below_home: BTreeSet<String>,
}

/// All layers, by descending precedence.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Command-line flags.
    pub flags: Layer,
    /// The variables of this program.
    pub environment: Layer,
    /// The configuration file.
    pub file: Layer,
}

/// A setting with an explicit value.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its value, as written in the layer.
    pub value: Value,
    /// Its layer.
    pub from: Origin,
}

/// The origin of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// The variable with this name.
    Variable(String),
    /// The configuration file.
    File,
    /// Not set by any layer.
    Default,
}

/// Prefix of this program's variables.
pub(super) const PREFIX: &str = "KT_ARCHIVE_";

/// The variable with the path of the configuration file; not itself a key of the file.
pub const CONFIG_VARIABLE: &str = "KT_ARCHIVE_CONFIG";

impl Layer {
    /// Creates the layer of the flags, from the notation of the file.
    pub fn from_flags(typed: Table, environment: &Environment) -> Result<Self> {
        let mut layer = Self::default();
        for (key, value) in typed {
            let name = format!("--{key}");
            let value = expand(&name, &key, value, environment)?;
            let entry = read_entry(&key, value.clone());
            let entry = entry.map_err(|reason| unusable(&name, &key, &value, &reason))?;
            layer.add(key, value, entry);
        }
        Ok(layer)
    }

    /// Creates the layer of the environment. Also returns the names of variables with the prefix that are not options.
    pub fn from_environment(environment: &Environment) -> Result<(Self, Vec<String>)> {
        let (mut layer, mut unknown) = (Self::default(), Vec::new());
        for (name, value) in environment.with_prefix(PREFIX).filter(|(name, _)| *name != CONFIG_VARIABLE) {
            let key = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace('_', "-");
            if option(&key).is_some() {
                let value = expand(name, &key, value.into(), environment)?;
                let entry = read_entry(&key, value.clone());
                let entry = entry.map_err(|reason| unusable(name, &key, &value, &reason))?;
                layer.add(key, value, entry);
            } else {
                unknown.push(name.to_owned());
            }
        }
        Ok((layer, unknown))
    }

    /// The parsed settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The value of `key` before substitution, if it contains variables.
    pub fn unfilled(&self, key: &str) -> Option<&Value> {
        self.raw.get(key)
    }

    /// Whether the value of `key` began with `~`.
    pub fn is_below_home(&self, key: &str) -> bool {
        self.below_home.contains(key)
    }

    /// The variables used by the values.
    pub fn variables(&self) -> BTreeSet<String> {
        self.raw.values().flat_map(names).collect()
    }

    pub(super) fn add(&mut self, key: String, value: Value, entry: Config) {
        self.config = entry.or(std::mem::take(&mut self.config));
        self.words.insert(key, value);
    }
}

impl Layers {
    /// The effective settings: each from the highest layer that sets it.
    pub fn merged(&self) -> Config {
        let Self { flags, environment, file } = self;
        let above = flags.config.clone().or(environment.config.clone());
        let merged = above.clone().or(file.config.clone());
        // A dataset named above the file keeps its description from the file.
        let dataset = merged.dataset.map(|chosen| chosen.described_by(file.config.dataset.as_ref(), &above));
        Config { dataset, ..merged }
    }

    /// Every explicit setting, in the order of the keys.
    pub fn settings(&self) -> Vec<Setting> {
        let tables = self.merged().dataset.and_then(|datasets| datasets.tables());
        let chosen = OPTIONS.iter().filter_map(|ConfigOption { key, .. }| {
            let (value, from) = None
                .or_else(|| Some((self.flags.words.get(*key)?, Origin::Flag)))
                .or_else(|| Some((self.environment.words.get(*key)?, Origin::Variable(variable(key)))))
                .or_else(|| Some((self.file.words.get(*key)?, Origin::File)))?;
            let value = tables.as_ref().filter(|_| *key == "dataset").unwrap_or(value);
            Some(Setting { key, value: value.clone(), from })
        });
        chosen.collect()
    }
}

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Flag => "flag",
            Self::Variable(name) => name,
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The variable that sets `key`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// The error for an invalid value of `key`, which the layer calls `name`.
pub(super) fn unusable(name: &str, key: &str, value: &Value, reason: &str) -> Error {
    let error = invalid(format!("{name} cannot be used: {reason}"));
    match correction(key, value) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Parses a layer with this single entry. The error is a message.
pub(super) fn read_entry(key: &str, value: Value) -> std::result::Result<Config, String> {
    let entry = Value::Table(Table::from_iter([(key.to_owned(), value)]));
    entry.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

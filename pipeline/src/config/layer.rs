//! Layers of settings, and the one that each setting comes from.

use super::{Config, invalid, keys, substitute::names};
use crate::environment::Environment;
use archive_connectors::Result;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// The settings of one layer: parsed, and as they were written.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    config: Config,
    words: Table,
    /// Values that name variables, as they were before these were filled in.
    pub(super) raw: Table,
}

/// All layers, from the one that beats the others to the one that every other beats.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// What was typed.
    pub flags: Layer,
    /// The variables of this program.
    pub environment: Layer,
    /// The configuration file.
    pub file: Layer,
}

/// A setting that is not a default.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its value, as the layer spells it.
    pub value: Value,
    /// The layer.
    pub from: Origin,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// The variable of this name.
    Variable(String),
    /// The configuration file.
    File,
    /// No layer sets it.
    Default,
}

/// What the variables of this program begin with.
const PREFIX: &str = "KT_ARCHIVE_";

/// The variable that names the file: the only one that is not a key of it.
pub const CONFIG_VARIABLE: &str = "KT_ARCHIVE_CONFIG";

impl Layer {
    /// Flags: as they were read, and as they were typed.
    pub fn of_flags(config: Config, words: Table) -> Self {
        Self { config, words, raw: Table::new() }
    }

    /// The layer of the environment, and the names of variables with our prefix that are no options.
    pub fn of_environment(environment: &Environment) -> Result<(Self, Vec<String>)> {
        let (mut layer, mut unknown) = (Self::default(), Vec::new());
        for (name, value) in environment.with_prefix(PREFIX).filter(|(name, _)| *name != CONFIG_VARIABLE) {
            let key = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace('_', "-");
            if keys::all().contains(&key.as_str()) {
                let value = Value::String(value.to_owned());
                let entry = read_entry(&key, value.clone());
                let entry = entry.map_err(|reason| invalid(format!("{name} cannot be used: {reason}")))?;
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

    /// The value of `key` with the names of variables in it, if there are any.
    pub fn unfilled(&self, key: &str) -> Option<&Value> {
        self.raw.get(key)
    }

    /// The variables whose values it is made of.
    pub fn variables(&self) -> BTreeSet<String> {
        self.raw.values().flat_map(names).collect()
    }

    pub(super) fn add(&mut self, key: String, value: Value, entry: Config) {
        self.config = entry.or(std::mem::take(&mut self.config));
        self.words.insert(key, value);
    }
}

impl Layers {
    /// The settings in force: of each, the value of the highest layer that has one.
    pub fn merged(&self) -> Config {
        let Self { flags, environment, file } = self;
        let above = flags.config.clone().or(environment.config.clone());
        let merged = above.clone().or(file.config.clone());
        // A dataset that is named above the file keeps its description in the file.
        let dataset = merged.dataset.map(|chosen| chosen.described_by(file.config.dataset.as_ref(), &above));
        Config { dataset, ..merged }
    }

    /// Every setting that a layer chose, in the order of the keys.
    pub fn settings(&self) -> Vec<Setting> {
        let tables = self.merged().dataset.and_then(|datasets| datasets.tables());
        let chosen = keys::all().iter().filter_map(|key| {
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
    /// In a word.
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

/// A layer with this one entry, or why it cannot be.
pub(super) fn read_entry(key: &str, value: Value) -> std::result::Result<Config, String> {
    let entry = Value::Table(Table::from_iter([(key.to_owned(), value)]));
    entry.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

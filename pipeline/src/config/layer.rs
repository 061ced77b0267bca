//! Layers of settings, and which of them said what counts.

use super::{Config, invalid, keys, substitute::names};
use crate::environment::Environment;
use archive_connectors::Result;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// What one layer says: read, and in its own words.
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

/// A setting that a layer chose.
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
    /// Nobody set it.
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

    /// What the environment says, and the names of variables with our prefix that mean nothing.
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

    /// What it says, read.
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
    /// What counts: of each setting what the highest layer says.
    pub fn merged(&self) -> Config {
        let Self { flags, environment, file } = self;
        let above = flags.config.clone().or(environment.config.clone());
        let merged = above.clone().or(file.config.clone());
        // Whoever names a dataset above the file means it with all that the file says of it.
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

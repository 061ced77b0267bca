//! The configuration file.

use super::{
    DatasetEntry, Layer, OPTIONS,
    foreign::remedy,
    home::expand,
    invalid,
    layer::{read_entry, unusable},
    option,
    spelling::{correction, example, wrong_type},
    substitute::{Refusal, fill, names},
};
use crate::environment::Environment;
use archive_connectors::{Error, Result};
use std::path::Path;
use toml::{Table, Value, de::DeTable};

impl Layer {
    /// Reads the file at `path`, and substitutes `${NAME}` from the environment.
    pub fn from_file(path: &Path, environment: &Environment) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            invalid("could not read the configuration file").with_context("path", path.display()).with_source(error)
        })?;
        Self::from_toml(&text, environment).map_err(|error| error.with_context("path", path.display()))
    }

    pub(super) fn from_toml(text: &str, environment: &Environment) -> Result<Self> {
        refuse_unknown_keys(text)?;
        let table = text.parse::<Table>().map_err(|error| not_toml(text, &error))?;
        let mut layer = Self::default();
        for (key, raw) in table {
            let filled = fill(raw.clone(), environment).map_err(|refusal| refused(&key, &refusal))?;
            let value = expand(&in_file(&key), &key, filled.clone(), environment)?;
            if value != filled {
                layer.below_home.insert(key.clone());
            }
            let entry = read_entry(&key, value.clone()).map_err(|reason| invalid_value(&key, &raw, &value, &reason))?;
            if !names(&raw).is_empty() {
                layer.raw.insert(key.clone(), raw);
            }
            layer.add(key, value, entry);
        }
        Ok(layer)
    }
}

/// Checked first: a misspelled key also explains errors in its value.
fn refuse_unknown_keys(text: &str) -> Result<()> {
    let table = DeTable::parse(text).map_err(|error| not_toml(text, &error))?;
    let table = table.get_ref();
    check_keys(text, table, &OPTIONS.iter().map(|option| option.key).collect::<Vec<_>>())?;
    let datasets = table.get("dataset").and_then(|datasets| datasets.get_ref().as_array());
    let mut tables = datasets.into_iter().flatten().filter_map(|entry| entry.get_ref().as_table());
    tables.try_for_each(|table| check_keys(text, table, &DatasetEntry::KEYS))
}

fn check_keys(text: &str, table: &DeTable<'_>, known: &[&'static str]) -> Result<()> {
    let Some(key) = table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) else { return Ok(()) };
    let (line, name) = (line(text, key.span().start), key.get_ref());
    let error = invalid(format!("line {line} of the configuration file has an unknown key {name:?}"));
    Err(error.with_hint(if option(name).is_some() {
        format!("put {name:?} above the first [[dataset]]: keys below such a line belong to that dataset alone")
    } else {
        remedy(name, known)
    }))
}

/// The parser's own message quotes the line, which may contain a secret.
fn not_toml(text: &str, error: &toml::de::Error) -> Error {
    let line = line(text, error.span().map_or(0, |span| span.start));
    invalid(format!("line {line} of the configuration file is not TOML: {}", error.message()))
}

fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

fn refused(key: &str, refusal: &Refusal) -> Error {
    match refusal {
        Refusal::Unset(name) => {
            invalid(format!("{key:?} in the configuration file needs the variable {name}, which is unset or empty"))
                .with_hint(format!("set {name} in the environment; $${{ means ${{ itself"))
        }
        Refusal::Malformed => invalid(format!("{key:?} in the configuration file has a ${{ that names no variable"))
            .with_hint("write ${NAME} for a variable of the environment, and $${ for ${ itself"),
    }
}

/// A key, as messages name it.
pub(super) fn in_file(key: &str) -> String {
    format!("{key:?} in the configuration file")
}

/// The error for an invalid value. Shows the file's own text instead of the values of variables.
fn invalid_value(key: &str, raw: &Value, filled: &Value, reason: &str) -> Error {
    let reason = if raw == filled { Some(reason.to_owned()) } else { read_entry(key, raw.clone()).err() };
    let reason = reason.unwrap_or_else(|| "what its variables hold does not fit".to_owned());
    let Some(option) = option(key) else { return unusable(&in_file(key), key, raw, &reason) };
    let reason = wrong_type(option.key, raw).unwrap_or(reason);
    let hint = correction(key, raw).unwrap_or_else(|| format!("write it like {}", example(option)));
    unusable(&in_file(key), key, raw, &reason).with_hint(hint)
}

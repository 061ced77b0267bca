//! Where an archive and its copies are.

use super::{Given, folders::below};
use archive::config::{self, Origin, Setting};
use archive_connectors::sink::Location;
use std::collections::BTreeMap;
use toml::Value;

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An absolute path.
    Folder(String),
    /// A bucket, or a folder of it.
    Bucket {
        /// The URL.
        url: String,
        /// The same as a configuration file spells it: what a variable holds stays in the variable.
        spelled: String,
    },
}

impl Default for Place {
    fn default() -> Self {
        Self::Folder("/srv/keeptrusts-archive".to_owned())
    }
}

impl Place {
    /// What an address means that is relative to `folder`, if it is relative.
    pub(super) fn of(address: &str, spelled: Option<&str>, folder: &str) -> Self {
        let location = Location::parse(address, &BTreeMap::new());
        match location.as_ref().ok().and_then(Location::directory) {
            Some(path) => Self::Folder(below(folder, &path.display().to_string())),
            None => Self::Bucket {
                url: address.to_owned(),
                spelled: spelled.map_or_else(|| config::escape(address), str::to_owned),
            },
        }
    }

    /// The path, if it is one of the host.
    pub fn folder(&self) -> Option<&str> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Bucket { .. } => None,
        }
    }

    /// What the URL begins with, if it is one.
    pub(super) fn scheme(&self) -> Option<&str> {
        match self {
            Self::Folder(_) => None,
            Self::Bucket { url, .. } => url.split_once("://").map(|(scheme, _)| scheme),
        }
    }
}

/// The places that `key` names, `addresses` once everything is filled in.
pub(super) fn places(key: &str, addresses: &[Location], said: &[Setting], given: &Given<'_>) -> Vec<Place> {
    let is_of_file = said.iter().any(|setting| setting.key == key && setting.from == Origin::File);
    let unfilled = given.layers.file.unfilled(key).filter(|_| is_of_file).map_or_else(Vec::new, parts);
    // A variable that holds several addresses cannot be told apart: then the addresses stand for it.
    let unfilled = if unfilled.len() == addresses.len() { unfilled } else { Vec::new() };
    let place =
        |(index, address): (usize, &Location)| Place::of(address.url(), unfilled.get(index).copied(), given.folder);
    addresses.iter().enumerate().map(place).collect()
}

fn parts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(',').map(str::trim).collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

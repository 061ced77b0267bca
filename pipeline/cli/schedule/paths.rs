//! Paths of a job, made absolute, and the locations of the archive and its replicas.

use super::{JobInput, unsupported};
use archive::config::{self, Origin, Setting};
use archive_connectors::{Result, sink::Location};
use std::{
    collections::BTreeMap,
    path::{MAIN_SEPARATOR, Path},
};
use toml::Value;

/// Keys whose value is a local path.
const PATHS: [&str; 4] = ["state-dir", "pseudonym-key-file", "metrics-file", "pg-bin"];

/// The value of `key` with relative paths resolved against `folder`.
pub(super) fn absolute(key: &str, value: Value, folder: &str) -> Result<Value> {
    match (key, value) {
        ("archive" | "backups", Value::String(text)) => Ok(resolve(&text, folder).into()),
        ("source", Value::String(text)) => source(&text, folder).map(Value::String),
        ("replica" | "backups-replica", Value::String(text)) => {
            let locations = text.split(',').map(|part| resolve(part.trim(), folder));
            Ok(locations.collect::<Vec<_>>().join(",").into())
        }
        ("replica" | "backups-replica", Value::Array(values)) => {
            let locations = values.into_iter().map(|value| match value {
                Value::String(text) => resolve(&text, folder).into(),
                other => other,
            });
            Ok(Value::Array(locations.collect()))
        }
        (_, Value::String(text)) if PATHS.contains(&key) => Ok(below(folder, &text).into()),
        (_, other) => Ok(other),
    }
}

/// Resolves `path` against `folder`.
pub(super) fn below(folder: &str, path: &str) -> String {
    let path = Path::new(path);
    if path.is_absolute() {
        return path.display().to_string();
    }
    // Strips a leading `./` only: `..` may follow a symbolic link.
    let inside = path.strip_prefix(".").unwrap_or(path);
    Path::new(folder).join(inside).display().to_string()
}

fn resolve(address: &str, folder: &str) -> String {
    let is_path = Location::parse(address, &BTreeMap::new()).is_ok_and(|it| it.directory().is_some());
    if is_path && !address.starts_with("file:") { below(folder, address) } else { address.to_owned() }
}

/// Resolves a source. Refuses a pattern in a folder whose name has wildcards, which would become part of it.
fn source(address: &str, folder: &str) -> Result<String> {
    let is_path = !address.contains("://") && !["demo:", "file:"].iter().any(|scheme| address.starts_with(scheme));
    if !is_path || address.starts_with(MAIN_SEPARATOR) {
        return Ok(address.to_owned());
    }
    if folder.contains(['*', '?', '[']) && address.contains(['*', '?', '[']) {
        return Err(unsupported(
            "the source is a pattern in a folder whose name would be a part of it",
            "name the files by an absolute pattern",
        ));
    }
    Ok(below(folder, address))
}

/// Location of an archive or a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// An absolute path.
    Folder(String),
    /// A bucket, or a folder of it.
    Bucket {
        /// The URL.
        url: String,
        /// The URL in the notation of the configuration file, with `${NAME}` unexpanded.
        spelled: String,
    },
}

impl Default for StoreLocation {
    fn default() -> Self {
        Self::Folder("/srv/keeptrusts-archive".to_owned())
    }
}

impl StoreLocation {
    /// Resolves `address` against `folder`.
    pub(super) fn new(address: &str, spelled: Option<&str>, folder: &str) -> Self {
        let location = Location::parse(address, &BTreeMap::new());
        match location.as_ref().ok().and_then(Location::directory) {
            Some(path) => Self::Folder(below(folder, &path.display().to_string())),
            None => Self::Bucket {
                url: address.to_owned(),
                spelled: spelled.map_or_else(|| config::escape(address), str::to_owned),
            },
        }
    }

    /// The local path, if it is one.
    pub fn folder(&self) -> Option<&str> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Bucket { .. } => None,
        }
    }

    /// The scheme of the URL, if it is one.
    pub(super) fn scheme(&self) -> Option<&str> {
        match self {
            Self::Folder(_) => None,
            Self::Bucket { url, .. } => url.split_once("://").map(|(scheme, _)| scheme),
        }
    }
}

/// The locations of `key`: `addresses`, in the notation of the file where it sets them.
pub(super) fn locations(
    key: &str,
    addresses: &[Location],
    chosen: &[Setting],
    input: &JobInput<'_>,
) -> Vec<StoreLocation> {
    let is_of_file = chosen.iter().any(|setting| setting.key == key && setting.from == Origin::File);
    let unfilled = input.layers.file.unfilled(key).filter(|_| is_of_file).map_or_else(Vec::new, parts);
    // A variable may hold several addresses. Then its parts are unknown, and the addresses are printed.
    let unfilled = if unfilled.len() == addresses.len() { unfilled } else { Vec::new() };
    let place = |(index, address): (usize, &Location)| {
        StoreLocation::new(address.url(), unfilled.get(index).copied(), input.folder)
    };
    addresses.iter().enumerate().map(place).collect()
}

fn parts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(',').map(str::trim).collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(key: &str, value: impl Into<Value>) -> Value {
        absolute(key, value.into(), "/home/ada").unwrap()
    }

    #[test]
    fn relative_paths_are_resolved() {
        assert_eq!(made("archive", "./archive"), "/home/ada/archive".into());
        assert_eq!(made("archive", "s3://bucket/x"), "s3://bucket/x".into());
        assert_eq!(made("archive", "file:///srv/a"), "file:///srv/a".into());
        assert_eq!(made("replica", "a, /b,gs://c"), "/home/ada/a,/b,gs://c".into());
        assert_eq!(made("replica", vec!["../a", "/b,c"]), vec!["/home/ada/../a", "/b,c"].into());
        assert_eq!(made("state-dir", "state"), "/home/ada/state".into());
        assert_eq!(made("grace", "1h"), "1h".into());
        for (address, expected) in [
            ("exports/*.csv", "/home/ada/exports/*.csv"),
            ("/exports/*.csv", "/exports/*.csv"),
            ("demo:?events=5", "demo:?events=5"),
            ("https://api.example", "https://api.example"),
            ("file:///x.csv", "file:///x.csv"),
        ] {
            assert_eq!(made("source", address), expected.into());
        }
    }

    #[test]
    fn patterns_in_folders_with_wildcards_are_refused() {
        assert!(absolute("source", "*.csv".into(), "/home/[ada]").is_err());
        assert!(absolute("source", "a.csv".into(), "/home/[ada]").is_ok());
    }
}

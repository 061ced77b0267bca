//! `~` at the start of a path is the home folder in every layer. A shell expands it in an argument of its own only: not
//! after `--archive=`, in a variable of a service, or in the configuration file.

use super::invalid;
use crate::environment::Environment;
use archive_connectors::Result;
use std::path::{Path, PathBuf};
use toml::Value;

/// Keys whose values are paths or locations.
const PATHS: [&str; 11] = [
    "archive",
    "state-dir",
    "source",
    "replica",
    "pseudonym-key-file",
    "metrics-file",
    "program",
    "output",
    "backups",
    "backups-replica",
    "pg-bin",
];

/// Expands `~` in the value of `key`, which its layer calls `name`.
pub(super) fn expand(name: &str, key: &str, value: Value, environment: &Environment) -> Result<Value> {
    if !PATHS.contains(&key) {
        return Ok(value);
    }
    let expanded = |text: &str| expand_text(name, text, environment);
    match value {
        // The text of a list has commas.
        Value::String(text) if matches!(key, "replica" | "backups-replica") => {
            let parts = text.split(',').map(|part| expanded(part.trim())).collect::<Result<Vec<_>>>()?;
            Ok(parts.join(",").into())
        }
        Value::String(text) => expanded(&text).map(Value::from),
        Value::Array(values) => {
            let values = values.into_iter().map(|value| match value {
                Value::String(text) => expanded(&text).map(Value::from),
                other => Ok(other),
            });
            values.collect::<Result<_>>().map(Value::Array)
        }
        other => Ok(other),
    }
}

/// Expands `~` at the start of `path`, which messages call `name`.
pub fn expand_path(name: &str, path: &Path, environment: &Environment) -> Result<PathBuf> {
    // `~` and `/` are bytes of their own in any encoding of paths.
    match path.to_str() {
        Some(text) => expand_text(name, text, environment).map(PathBuf::from),
        None => Ok(path.to_owned()),
    }
}

fn expand_text(name: &str, text: &str, environment: &Environment) -> Result<String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(invalid(format!("{name} begins with ~, followed by a name"))
            .with_hint("write the path of that user's folder out; for a file of this name, begin with ./~"));
    }
    let home = environment.get("HOME").ok_or_else(|| {
        invalid(format!("{name} begins with ~, and HOME is not set")).with_hint("write the path out, or set HOME")
    })?;
    Ok(format!("{}{rest}", home.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(key: &str, value: impl Into<Value>) -> Result<Value> {
        let environment = Environment::from([("HOME", "/home/ada")]);
        expand(&format!("--{key}"), key, value.into(), &environment)
    }

    #[test]
    fn expands_the_home_folder_in_every_path() {
        for key in PATHS {
            assert_eq!(expanded(key, "~/a/b").unwrap(), "/home/ada/a/b".into(), "{key}");
            assert_eq!(expanded(key, "~").unwrap(), "/home/ada".into(), "{key}");
        }
        assert_eq!(expanded("replica", "s3://b/~, ~/c,/d").unwrap(), "s3://b/~,/home/ada/c,/d".into());
        assert_eq!(expanded("replica", vec!["~/a,b", "/c"]).unwrap(), vec!["/home/ada/a,b", "/c"].into());
    }

    #[test]
    fn other_values_are_unchanged() {
        for text in ["./~/a", "a~", "/~x", "s3://bucket/~/a", "demo:"] {
            assert_eq!(expanded("archive", text).unwrap(), text.into());
        }
        assert_eq!(expanded("where-org", "~x").unwrap(), "~x".into());
    }

    #[test]
    fn refuses_other_users_and_a_missing_home() {
        let error = expanded("archive", "~ada/archive").unwrap_err();
        assert!(error.to_string().starts_with("--archive begins with ~") && error.hint().contains("./~"), "{error}");
        let error = expand("x", "archive", "~/a".into(), &Environment::default()).unwrap_err();
        assert!(error.to_string().contains("HOME is not set"), "{error}");
    }

    #[test]
    fn every_option_that_is_a_path_is_expanded() {
        let paths = super::super::OPTIONS.iter().filter(|option| {
            matches!(option.value_name, Some("FILE" | "DIR"))
                || ["archive", "replica", "source", "backups", "backups-replica"].contains(&option.key)
        });
        assert!(paths.clone().count() > 5 && paths.clone().all(|option| PATHS.contains(&option.key)));
    }
}

//! Values of settings, as variables, the command line and configuration files spell them.

use super::impossible;
use archive::config;
use archive_connectors::Result;
use toml::Value;

/// A value as a variable has it.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(values) => values.into_iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A value as a configuration file spells it: there, `${` begins a variable.
pub(super) fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => config::escape(&text).into(),
        Value::Array(values) => Value::Array(values.into_iter().map(escaped).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        other => other,
    }
}

/// Whether a configuration file with this value needs the variable `name`.
pub(super) fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.replace("$${", "").contains(&format!("${{{name}}}")),
        Value::Array(values) => values.iter().any(|value| names(value, name)),
        Value::Table(table) => table.values().any(|value| names(value, name)),
        _ => false,
    }
}

/// A setting as it is typed.
pub(super) fn flags(key: &str, value: Value) -> Result<Vec<String>> {
    let values = match value {
        Value::Boolean(on) => return Ok(on.then(|| format!("--{key}")).into_iter().collect()),
        Value::Integer(count) if key == "verbose" => return Ok((0..count).map(|_| "--verbose".to_owned()).collect()),
        Value::Array(values) => values.into_iter().map(name).collect::<Result<Vec<_>>>()?,
        other => vec![text(other)],
    };
    // What was typed and is no text any more would lead the job to another place.
    if values.iter().any(|value| value.contains('\u{fffd}')) {
        return Err(impossible(format!("--{key} is not UTF-8"), "use names that are UTF-8"));
    }
    Ok(values.into_iter().map(|value| format!("--{key}={value}")).collect())
}

/// One of several values. Of a dataset the name is typed, and the file describes it.
fn name(value: Value) -> Result<String> {
    let value = match value {
        Value::Table(mut table) => table.remove("name").map(text).unwrap_or_default(),
        other => text(other),
    };
    if value.contains(',') {
        return Err(impossible(
            "a value with a comma cannot be typed",
            "write it into the configuration file, paths absolute, and name that with --config",
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_typed_as_it_was() {
        let typed = |key, value| flags(key, value).unwrap();
        assert_eq!(typed("grace", "2h".into()), ["--grace=2h"]);
        assert_eq!(typed("format", vec!["csv", "parquet"].into()), ["--format=csv", "--format=parquet"]);
        assert_eq!(typed("verbose", 2.into()), ["--verbose", "--verbose"]);
        assert_eq!(typed("allow-http", true.into()), ["--allow-http"]);
        assert_eq!(typed("allow-http", false.into()), [] as [&str; 0]);
        let table = toml::Table::from_iter([("name".to_owned(), "events".into()), ("table".to_owned(), "e".into())]);
        assert_eq!(typed("dataset", Value::Array(vec![Value::Table(table)])), ["--dataset=events"]);
    }

    #[test]
    fn a_variable_that_is_only_spelled_out_is_not_needed() {
        let value = Value::from(vec!["a/${DIR}", "$${NO}/${B"]);
        assert_eq!(["DIR", "NO", "B", "D"].map(|name| names(&value, name)), [true, false, false, false]);
        assert!(!names(&escaped("${DIR}".into()), "DIR"));
    }

    #[test]
    fn what_would_arrive_as_something_else_is_refused() {
        assert!(flags("replica", vec!["/a,b"].into()).is_err());
        assert!(flags("archive", "/a\u{fffd}".into()).is_err());
    }
}

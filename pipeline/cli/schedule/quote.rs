//! Quoting of words for shells and crontabs, of string literals for TOML, YAML and Python, and of values for flags.

use super::unsupported;
use archive::config;
use archive_connectors::Result;
use archive_formats::printable::is_hidden;
use std::fmt::Write as _;
use toml::Value;

/// Quotes a word for POSIX shells.
pub(super) fn shell_quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_@+=:,./-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Quotes a word for a shell that cron starts. cron ends a command at a `%` without a backslash, and some
/// implementations read two backslashes as one, so a backslash is followed by a quote, never by another one or a `%`.
pub(super) fn cron_quoted(word: &str) -> Result<String> {
    if word.contains(['\n', '\r', '\0']) {
        return Err(unsupported(
            "a line of a crontab cannot hold a value with a line end",
            "write the value into a configuration file, and name that with --config",
        ));
    }
    Ok(shell_quoted(&word.replace('\\', BACKSLASH)).replace(BACKSLASH, "\\''").replace('%', "\\%"))
}

/// Placeholder of a backslash during quoting. No argument can contain it.
const BACKSLASH: &str = "\0";

/// Formats a double-quoted literal of TOML, YAML and Python. Uses the escapes that all three have, for every character
/// that one of their parsers reads as a line end or refuses.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for letter in text.chars() {
        match letter {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            _ if is_plain(letter) => literal.push(letter),
            _ if u32::from(letter) <= 0xffff => drop(write!(literal, "\\u{:04x}", u32::from(letter))),
            _ => drop(write!(literal, "\\U{:08x}", u32::from(letter))),
        }
    }
    literal.push('"');
    literal
}

/// Whether every parser accepts the character unescaped.
pub(super) fn is_plain(letter: char) -> bool {
    let is_nonchar = u32::from(letter) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&letter);
    // Bidirectional marks can make one line look like another.
    !is_hidden(letter) && !is_nonchar
}

/// A line of a configuration file. `value` is in the notation of the file.
pub(super) fn toml_line(key: &str, value: &Value) -> String {
    format!("{key} = {}\n", toml_value(value))
}

fn toml_value(value: &Value) -> String {
    let joined = |values: Vec<String>| values.join(", ");
    match value {
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", joined(values.iter().map(toml_value).collect())),
        Value::Table(table) => {
            format!(
                "{{ {} }}",
                joined(table.iter().map(|(key, value)| format!("{key} = {}", toml_value(value))).collect())
            )
        }
        other => other.to_string(),
    }
}

/// A value as the text of a variable.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(values) => values.into_iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A value in the notation of the configuration file, where `${` begins a variable.
pub(super) fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => config::escape(&text).into(),
        Value::Array(values) => Value::Array(values.into_iter().map(escaped).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        other => other,
    }
}

/// Whether `value` of a configuration file refers to the variable `name`.
pub(super) fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.replace("$${", "").contains(&format!("${{{name}}}")),
        Value::Array(values) => values.iter().any(|value| names(value, name)),
        Value::Table(table) => table.values().any(|value| names(value, name)),
        _ => false,
    }
}

/// A setting as flags.
pub(super) fn flags(key: &str, value: Value) -> Result<Vec<String>> {
    let values = match value {
        Value::Boolean(on) => return Ok(on.then(|| format!("--{key}")).into_iter().collect()),
        Value::Integer(count) if key == "verbose" => return Ok((0..count).map(|_| "--verbose".to_owned()).collect()),
        Value::Array(values) => values.into_iter().map(name).collect::<Result<Vec<_>>>()?,
        other => vec![text(other)],
    };
    // A lossy conversion of a path would be another path.
    if values.iter().any(|value| value.contains('\u{fffd}')) {
        return Err(unsupported(format!("--{key} is not UTF-8"), "use names that are UTF-8"));
    }
    Ok(values.into_iter().map(|value| format!("--{key}={value}")).collect())
}

/// An item of a list. A dataset is its name, since only the file can describe its table.
fn name(value: Value) -> Result<String> {
    let value = match value {
        Value::Table(mut table) => table.remove("name").map(text).unwrap_or_default(),
        other => text(other),
    };
    if value.contains(',') {
        return Err(unsupported(
            "a value with a comma cannot be typed",
            "write it into the configuration file, paths absolute, and name that with --config",
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;
    use toml::Table;

    /// Splits `line` with the shell.
    fn words(line: &str) -> Vec<String> {
        let output = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    /// The command that cron passes to the shell. Implementations differ in the meaning of `\\`.
    fn through_cron(line: &str, halves_backslashes: bool) -> String {
        let (mut command, mut letters) = (String::new(), line.chars().peekable());
        while let Some(letter) = letters.next() {
            match (letter, letters.peek()) {
                ('\\', Some('%')) => command.extend(letters.next()),
                ('\\', Some('\\')) if halves_backslashes => command.extend(letters.next()),
                ('\\', Some(_)) if !halves_backslashes => command.push('\\'),
                ('\\', _) => command.extend([Some('\\'), letters.next()].into_iter().flatten()),
                ('%', _) => panic!("the command ends early: {line}"),
                _ => command.push(letter),
            }
        }
        command
    }

    fn nasty() -> impl Strategy<Value = String> {
        prop_oneof![r#"[\\%'"$` !#&;|<>(){}*?~a-]{0,12}"#, r"[^\x00]{0,12}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn shell_words_round_trip(list in prop::collection::vec(nasty(), 1..20)) {
            let line = list.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line), list);
        }

        #[test]
        fn cron_words_round_trip(list in prop::collection::vec(nasty(), 1..20)) {
            let list = list.into_iter().filter(|word| !word.contains(['\n', '\r'])).collect::<Vec<_>>();
            prop_assume!(!list.is_empty());
            let line = list.iter().map(|word| cron_quoted(word).unwrap()).collect::<Vec<_>>().join(" ");
            for halves_backslashes in [false, true] {
                prop_assert_eq!(&words(&through_cron(&line, halves_backslashes)), &list);
            }
        }
    }

    #[test]
    fn plain_words_are_not_quoted_and_line_ends_are_refused() {
        assert_eq!(shell_quoted("--archive=/srv/archive"), "--archive=/srv/archive");
        assert_eq!(shell_quoted(""), "''");
        assert_eq!(cron_quoted("50%").unwrap(), "'50\\%'");
        assert!(cron_quoted("two\nlines").is_err());
    }

    #[test]
    fn ambiguous_characters_are_escaped() {
        assert_eq!(
            quoted("a \"b\" \\ \n\t\u{7f}\u{85}\u{2028}\u{feff}é🦀"),
            "\"a \\\"b\\\" \\\\ \\n\\t\\u007f\\u0085\\u2028\\ufeffé🦀\""
        );
        assert_eq!(quoted("\u{1fffe}"), "\"\\U0001fffe\"");
    }

    proptest! {
        #[test]
        fn toml_literals_round_trip(text in any::<String>()) {
            let read = format!("key = {}", quoted(&text)).parse::<Table>().unwrap();
            prop_assert_eq!(read["key"].as_str(), Some(text.as_str()));
            prop_assert_eq!(quoted(&text).lines().count(), 1);
        }
    }

    #[test]
    fn settings_become_flags() {
        let typed = |key, value| flags(key, value).unwrap();
        assert_eq!(typed("grace", "2h".into()), ["--grace=2h"]);
        assert_eq!(typed("format", vec!["csv", "parquet"].into()), ["--format=csv", "--format=parquet"]);
        assert_eq!(typed("verbose", 2.into()), ["--verbose", "--verbose"]);
        assert_eq!(typed("allow-http", true.into()), ["--allow-http"]);
        assert_eq!(typed("allow-http", false.into()), [] as [&str; 0]);
        let table = Table::from_iter([("name".to_owned(), "events".into()), ("table".to_owned(), "e".into())]);
        assert_eq!(typed("dataset", Value::Array(vec![Value::Table(table)])), ["--dataset=events"]);
    }

    #[test]
    fn escaped_variables_are_not_references() {
        let value = Value::from(vec!["a/${DIR}", "$${NO}/${B"]);
        assert_eq!(["DIR", "NO", "B", "D"].map(|name| names(&value, name)), [true, false, false, false]);
        assert!(!names(&escaped("${DIR}".into()), "DIR"));
    }

    #[test]
    fn values_that_flags_cannot_represent_are_refused() {
        assert!(flags("replica", vec!["/a,b"].into()).is_err());
        assert!(flags("archive", "/a\u{fffd}".into()).is_err());
    }
}

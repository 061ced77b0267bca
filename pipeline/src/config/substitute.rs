//! Substitutes `${NAME}` in values of the configuration file by environment variables.
//!
//! Substitution happens after the file was parsed, so the content of a variable, including quotes and line breaks, is
//! always part of one value.

use crate::environment::Environment;
use toml::Value;

/// Why a value cannot be substituted. Never contains the value of a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The variable is unset or empty.
    Unset(String),
    /// A `${` without a valid name and `}`.
    Malformed,
}

/// Substitutes the variables in every text of `value`.
pub(super) fn fill(value: Value, environment: &Environment) -> Result<Value, Refusal> {
    match value {
        Value::String(text) => fill_text(&text, environment).map(Value::String),
        Value::Array(values) => {
            let filled = values.into_iter().map(|value| fill(value, environment));
            filled.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Table(table) => {
            let filled = table.into_iter().map(|(key, value)| Ok((key, fill(value, environment)?)));
            filled.collect::<Result<_, _>>().map(Value::Table)
        }
        other => Ok(other),
    }
}

/// Escapes `text`, so that substitution returns it unchanged.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// The variables referenced by the texts of `value`.
pub(super) fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            // `$${` is an escape; `fill` checks the names.
            let pieces = text.split("$${").flat_map(|text| text.split("${").skip(1));
            pieces.filter_map(|piece| Some(piece.split_once('}')?.0.to_owned())).collect()
        }
        Value::Array(values) => values.iter().flat_map(names).collect(),
        Value::Table(table) => table.values().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

fn fill_text(text: &str, environment: &Environment) -> Result<String, Refusal> {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.extend([before, "${"]);
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').filter(|(name, _)| is_name(name)).ok_or(Refusal::Malformed)?;
        let value = environment.get(name).ok_or_else(|| Refusal::Unset(name.to_owned()))?;
        filled.extend([before, value]);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Returns whether a shell could set a variable of this name.
fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<String, Refusal> {
        let environment = Environment::from([("NAME", "value"), ("_X1", "\"\nkey = '${NAME}'"), ("EMPTY", "")]);
        fill_text(text, &environment)
    }

    #[test]
    fn substitutes_variables_anywhere_and_once() {
        assert_eq!(filled("${NAME}").as_deref(), Ok("value"));
        assert_eq!(filled("a/${NAME}/${NAME}.x").as_deref(), Ok("a/value/value.x"));
        assert_eq!(filled("${_X1}").as_deref(), Ok("\"\nkey = '${NAME}'"));
    }

    #[test]
    fn doubled_dollar_escapes_the_brace_and_other_dollars_are_literal() {
        assert_eq!(filled("$${NAME}").as_deref(), Ok("${NAME}"));
        assert_eq!(filled("$${NAME}${NAME}").as_deref(), Ok("${NAME}value"));
        for text in ["", "$", "$NAME", "a$$b", "{NAME}", "$ {NAME}", "}"] {
            assert_eq!(filled(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn rejects_unset_empty_and_malformed_variables() {
        assert_eq!(filled("${NO_SUCH}"), Err(Refusal::Unset("NO_SUCH".to_owned())));
        assert_eq!(filled("${NAME} ${EMPTY}"), Err(Refusal::Unset("EMPTY".to_owned())));
        for text in ["${", "${NAME", "x${}", "${1A}", "${A-B}", "${A:-b}", "${${NAME}}", "${ NAME }"] {
            assert_eq!(filled(text), Err(Refusal::Malformed), "{text}");
        }
    }

    #[test]
    fn lists_the_variables_of_a_text() {
        let table = "a = '${A}/${B_1}'\nb = ['$${C}${D}', 'x']".parse::<toml::Table>().unwrap();
        assert_eq!(names(&Value::Table(table)), ["A", "B_1", "D"]);
    }

    proptest! {
        #[test]
        fn escaped_text_is_unchanged(text in r"[${}A-B\PC]{0,12}") {
            prop_assert_eq!(filled(&escape(&text)).ok(), Some(text));
        }
    }
}

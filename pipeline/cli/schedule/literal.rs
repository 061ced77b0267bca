//! Texts in double quotes, as TOML, YAML and Python read them alike.

use std::fmt::Write as _;
use toml::Value;

/// `text` as a literal. The escapes are those that all three languages have, and everything that one of their readers
/// takes for a line end, or cannot have in a text, is escaped.
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

/// Whether every reader takes it as it is.
pub(super) fn is_plain(letter: char) -> bool {
    let is_nonchar = u32::from(letter) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&letter);
    // Marks that turn the direction of a text could make a line look like another.
    let is_hidden =
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !letter.is_control() && !is_nonchar && !is_hidden
}

/// A line of a configuration file with this value, which is spelled as such files spell it.
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

/// `text`, each line moved to the right.
pub(super) fn indented(text: &str, spaces: usize) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{:spaces$}{line}\n", "") };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use toml::Table;

    #[test]
    fn what_could_be_read_otherwise_is_escaped() {
        assert_eq!(
            quoted("a \"b\" \\ \n\t\u{7f}\u{85}\u{2028}\u{feff}é🦀"),
            "\"a \\\"b\\\" \\\\ \\n\\t\\u007f\\u0085\\u2028\\ufeffé🦀\""
        );
        assert_eq!(quoted("\u{1fffe}"), "\"\\U0001fffe\"");
    }

    proptest! {
        #[test]
        fn toml_reads_what_was_written(text in any::<String>()) {
            let read = format!("key = {}", quoted(&text)).parse::<Table>().unwrap();
            prop_assert_eq!(read["key"].as_str(), Some(text.as_str()));
            prop_assert_eq!(quoted(&text).lines().count(), 1);
        }
    }
}

//! Text that others wrote, made safe to print: names, paths, and messages of servers.

use std::{borrow::Cow, fmt::Write as _};

/// `text` with every [hidden](is_hidden) character as an escape of JSON, so that nothing changes how the text around it
/// is read. The same in terminals, logs, pages, labels and documents; the result stays as it is when escaped again.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// `text` with the characters that `is_meant` selects as escapes of JSON.
pub fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 5);
    for letter in text.chars() {
        match letter {
            _ if !is_meant(letter) => safe.push(letter),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(safe, "\\u{unit:04x}").unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
                }
            }
        }
    }
    Cow::Owned(safe)
}

/// Whether a character has no shape of its own: control characters, the separators of lines and paragraphs, and format
/// characters (the categories Cc, Zl, Zp and Cf of Unicode), bidirectional marks among them.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_characters_become_escapes_of_json() {
        let escapes = [
            ("a\u{202e}b", "a\\u202eb"),
            ("\u{2028}\u{2029}\u{85}\u{1b}[1m", "\\u2028\\u2029\\u0085\\u001b[1m"),
            ("a\r\n\tb\0", "a\\r\\n\\tb\\u0000"),
            ("\u{feff}\u{ad}\u{200d}", "\\ufeff\\u00ad\\u200d"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ];
        for (text, safe) in escapes {
            assert_eq!(printable(text), safe);
            assert_eq!(serde_json::from_str::<String>(&format!("\"{safe}\"")).unwrap(), text);
        }
    }

    #[test]
    fn other_characters_stay() {
        for text in ["", "zoë 李雷 नेहा 🤔 <b>", "e\u{301}\u{a0}\\u202e \"a\""] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_second_pass_changes_nothing(text in "\\PC*|.*") {
            let once = printable(&text).into_owned();
            prop_assert_eq!(printable(&once), once.as_str());
            // The standard library knows which characters have a shape.
            let is_shapeless = |letter: char| letter.escape_debug().len() > 2;
            prop_assert!(text.chars().all(|letter| !is_hidden(letter) || letter.is_control() || is_shapeless(letter)));
        }
    }
}

//! Divides a script of `pg_dumpall` into its statements.

/// The statements of `script`, without comments between them, and without the lines that are commands of `psql`
/// (`\connect`, `\restrict`). A statement that has no end is returned as the last one: the server refuses it.
pub(super) fn statements(script: &str) -> impl Iterator<Item = &str> {
    let mut rest = script;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return None;
            }
            if rest.starts_with('\\') || rest.starts_with("--") {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            let (statement, after) = rest.split_at(length(rest));
            rest = after.strip_prefix(';').unwrap_or(after);
            if !statement.is_empty() {
                return Some(statement.trim_end());
            }
        }
    })
}

/// The bytes up to the semicolon that ends the first statement.
fn length(text: &str) -> usize {
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let rest = &text[at..];
        at += match byte {
            b';' => return at,
            b'\'' if is_escape_string(&text[..at]) => quoted(rest, '\'', true),
            b'\'' | b'"' => quoted(rest, char::from(*byte), false),
            b'$' if !text[..at].ends_with(is_word) => dollar_quoted(rest),
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.len()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// Whether a literal after `before` is an `E'…'`, in which a backslash escapes.
fn is_escape_string(before: &str) -> bool {
    let prefix = before.strip_suffix(['E', 'e']);
    prefix.is_some_and(|before| !before.ends_with(is_word))
}

/// The bytes of the literal or name at the start of `text`. A doubled quotation mark reads as two literals side by side.
fn quoted(text: &str, mark: char, escapes: bool) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if letter == '\\' && escapes {
            is_escaped = true;
        } else if letter == mark {
            return at + 1;
        }
    }
    text.len()
}

/// The bytes of the literal `$tag$…$tag$` at the start of `text`, or of a dollar that begins none.
fn dollar_quoted(text: &str) -> usize {
    let tag = text[1..].find('$').map(|end| &text[..end + 2]);
    let tag = tag.filter(|tag| tag[1..tag.len() - 1].chars().all(|letter| letter.is_alphanumeric() || letter == '_'));
    let Some(tag) = tag else { return 1 };
    text[tag.len()..].find(tag).map_or(text.len(), |end| end + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str) -> Vec<&str> {
        statements(script).collect()
    }

    #[test]
    fn comments_and_commands_of_psql_are_left_out() {
        let script = "--\n-- cluster dump; all of it\n--\n\n\\restrict a;b\nSET a = on;\n\\connect template1\n\nCREATE ROLE b;\n\\unrestrict a\n";
        assert_eq!(split(script), ["SET a = on", "CREATE ROLE b"]);
    }

    #[test]
    fn semicolons_within_quotes_end_nothing() {
        for statement in [
            "COMMENT ON ROLE a IS 'b;''c;'",
            "COMMENT ON ROLE a IS E'b\\';c'",
            "CREATE ROLE \"a;\"\"b\"",
            "DO $$ begin; end $$",
            "DO $a_1$ ; $$ ; $a_1$",
            "SET a = 'ä;ö' /* ; */",
            "CREATE ROLE some'x;'",
            "SELECT a$1;".trim_end_matches(';'),
        ] {
            assert_eq!(split(&format!("{statement};\nSET z = 1;")), [statement, "SET z = 1"], "{statement}");
        }
    }

    #[test]
    fn backslash_in_a_plain_literal_escapes_nothing() {
        assert_eq!(split(r"COMMENT ON ROLE a IS 'b\'; SET c = 1;"), [r"COMMENT ON ROLE a IS 'b\'", "SET c = 1"]);
    }

    #[test]
    fn statement_without_its_end_is_kept() {
        assert_eq!(split("SET a = 'b;\nSET c"), ["SET a = 'b;\nSET c"]);
        assert_eq!(split(" ;; \n"), [] as [&str; 0]);
    }
}

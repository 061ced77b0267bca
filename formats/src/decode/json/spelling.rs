//! Names and numbers of members as servers spell them. Used for responses about artifacts too.

use crate::decode::parse::number::parse_decimal;
use serde_json::Value;

/// A name without case and separators: `row_count`, `rowCount` and `Row-Count` are one name.
pub fn folded(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A count, however it is written: `60`, `60.0`, `6e1` or `"60"`.
pub fn whole_number(value: &Value) -> Option<u64> {
    const DIGITS: u8 = 20;
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    parse_decimal(text.as_bytes(), DIGITS, 0).ok()?.try_into().ok()
}

/// Whether a folded name is one by which servers tell that there is more than they sent.
pub fn is_word_of_more(name: &str) -> bool {
    WORDS_OF_MORE.iter().any(|word| name.contains(word))
}

/// Parts of such names.
const WORDS_OF_MORE: [&str; 17] = [
    "next",
    "more",
    "cursor",
    "page",
    "offset",
    "skip",
    "contin",
    "limit",
    "trunc",
    "partial",
    "incomplete",
    "remain",
    "omit",
    "drop",
    "missing",
    "capped",
    "sampl",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_compared_without_case_and_separators() {
        for name in ["row_count", "rowCount", "RowCount", "row-count", "ROW COUNT", "row.count"] {
            assert_eq!(folded(name), "rowcount", "{name}");
        }
    }

    #[test]
    fn counts_may_be_written_in_any_way() {
        for count in [json!(1000), json!(1e3), json!(1000.0), json!("1000"), json!("1e3"), json!(" +1000.00 ")] {
            assert_eq!(whole_number(&count), Some(1000), "{count}");
        }
        assert_eq!(whole_number(&json!(u64::MAX)), Some(u64::MAX));
        for other in [json!(1.5), json!(-1), json!("1,000"), json!("many"), json!(""), json!(null), json!(1e30)] {
            assert_eq!(whole_number(&other), None, "{other}");
        }
    }
}

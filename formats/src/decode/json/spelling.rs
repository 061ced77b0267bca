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

/// Whether a member of a description of an artifact tells that it holds a part of the events: `truncated`, `dropped: 3`,
/// `complete: false`. A yes or no may be a word or a number.
pub fn tells_of_a_part(name: &str, value: &Value) -> bool {
    let name = folded(name);
    let answer = match value {
        Value::Bool(answer) => Some(*answer),
        Value::String(word) => match folded(word).as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    match answer {
        Some(true) => is_word_of_more(&name),
        Some(false) => is_word_of_whole(&name),
        None => match whole_number(value) {
            Some(0) => is_word_of_whole(&name),
            Some(_) => WORDS_OF_LOSS.iter().any(|word| name.contains(word)),
            None => false,
        },
    }
}

/// Whether a folded name is one that is true for a whole export alone.
pub(super) fn is_word_of_whole(name: &str) -> bool {
    ["complete", "iscomplete", "completed", "last", "islast", "lastpage", "islastpage", "final", "success", "ok"]
        .contains(&name)
}

/// Parts of names of counts that are zero for a whole export. A limit or the number of a page is none.
const WORDS_OF_LOSS: [&str; 9] =
    ["more", "skip", "trunc", "partial", "incomplete", "omit", "drop", "missing", "capped"];

/// Parts of names by which servers tell of more.
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
    fn a_part_is_told_of_by_words_and_numbers() {
        for (name, value) in [
            ("truncated", json!(true)),
            ("truncated", json!(1)),
            ("is-partial", json!("true")),
            ("droppedRows", json!(3)),
            ("is_complete", json!(false)),
            ("complete", json!("no")),
            ("success", json!(0)),
        ] {
            assert!(tells_of_a_part(name, &value), "{name}: {value}");
        }
        for (name, value) in [
            ("truncated", json!(false)),
            ("truncated", json!(0)),
            ("limit", json!(1000)),
            ("page", json!(1)),
            ("next", json!("a")),
            ("complete", json!(true)),
            ("dropped", json!(null)),
            ("completed_at", json!("2025-04-01T00:00:00Z")),
        ] {
            assert!(!tells_of_a_part(name, &value), "{name}: {value}");
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

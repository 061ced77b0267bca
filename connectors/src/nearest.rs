//! The known name that a misspelt one probably means. A short file of its own: keys, datasets, columns and schemes share
//! this rule.

use std::cmp::Reverse;

/// The `known` name with the smallest edit distance from `typed`, if at most a third of its letters differ. Of several,
/// that which begins like it: first letters are seldom wrong.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let common = |known: &str| typed.bytes().zip(known.bytes()).take_while(|(one, other)| one == other).count();
    let distances =
        known.into_iter().map(|known| (strsim::damerau_levenshtein(typed, known), Reverse(common(known)), known));
    let near = distances.min().filter(|(distance, _, known)| *distance <= (known.chars().count() / 3).max(1));
    near.map(|(.., known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanged_missing_and_wrong_letters_suggest_the_name() {
        let known = ["events", "traces", "escalations", "audit-log"];
        for (typed, meant) in
            [("evnets", "events"), ("event", "events"), ("tarces", "traces"), ("audit_log", "audit-log")]
        {
            assert_eq!(nearest(typed, known), Some(meant), "{typed}");
        }
    }

    #[test]
    fn unlike_names_suggest_nothing() {
        for typed in ["payments", "x", "", "audits"] {
            assert_eq!(nearest(typed, ["events", "traces", "audit-log"]), None, "{typed}");
        }
        assert_eq!(nearest("events", []), None);
    }

    #[test]
    fn of_equally_near_names_the_one_with_the_same_beginning_is_meant() {
        assert_eq!(nearest("model", ["nodel", "modes"]), Some("modes"));
    }
}

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

/// Whether `typed` is `known` with a typing error: one word of at least five letters has one letter that is missing, wrong,
/// added, or exchanged with the next. Names that differ in a short word or in a number, such as `events-eu` and
/// `events-us`, are meant.
pub fn is_misspelt(typed: &str, known: &str) -> bool {
    const LETTERS: usize = 5;
    let words = |name: &str| name.split(['-', '_']).map(str::to_owned).collect::<Vec<_>>();
    let (typed, known) = (words(typed), words(known));
    let mut others = typed.iter().zip(&known).filter(|(one, other)| one != other);
    let is_long = |word: &str| word.len() >= LETTERS && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_error =
        |one: &str, other: &str| is_long(one) && is_long(other) && strsim::damerau_levenshtein(one, other) == 1;
    match (others.next(), others.next()) {
        (Some((one, other)), None) => typed.len() == known.len() && is_error(one, other),
        _ => false,
    }
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
    fn names_that_are_alike_on_purpose_are_not_misspelt() {
        for (typed, known) in [("evnets", "events"), ("event", "events"), ("audit-evnets", "audit-events")] {
            assert!(is_misspelt(typed, known), "{typed}");
        }
        for (typed, known) in [
            ("events", "events"),
            ("none", "one"),
            ("events2", "events"),
            ("events-eu", "events-us"),
            ("events_b", "events"),
            ("team-a", "team-b"),
            ("evnets-tarces", "events-traces"),
            ("decisions", "events"),
        ] {
            assert!(!is_misspelt(typed, known), "{typed}");
        }
    }

    #[test]
    fn of_equally_near_names_the_one_with_the_same_beginning_is_meant() {
        assert_eq!(nearest("model", ["nodel", "modes"]), Some("modes"));
    }
}

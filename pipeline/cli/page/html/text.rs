//! Texts of the archive, fit for a page. Escaping is maud's; what no escape makes harmless is taken out here.

use archive_formats::Timestamp;

/// `text` without characters that steer whoever shows it: control characters, and those that turn the direction of
/// writing, with which one value can look like another.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|letter| if steers(letter) { '\u{fffd}' } else { letter }).collect()
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The beginning of `text`, fit for a label of `most` characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let text = shown(text);
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `2025-04-10 03:00:00 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_seconds_string();
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) => format!("{date} {time} UTC"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_whoever_shows_it() {
        assert_eq!(shown("a\u{202e}b\u{0}c\u{1b}[1m\n"), "a\u{fffd}b\u{fffd}c\u{fffd}[1m\u{fffd}");
        assert_eq!(shown("zoë 李雷 नेहा 🤔 <b>"), "zoë 李雷 नेहा 🤔 <b>");
    }

    #[test]
    fn labels_are_short_and_times_are_said_with_their_zone() {
        assert_eq!([short("allowed", 7), short("allowed!", 7)], ["allowed", "allowe…"]);
        let at = "2025-04-10T03:00:00.123456Z".parse().unwrap();
        assert_eq!(time(at), "2025-04-10 03:00:00 UTC");
    }
}

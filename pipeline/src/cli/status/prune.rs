//! How long the platform still has what is not archived.

use super::super::style::Tone;
use crate::{numbers::count, report::PruneDeadline};

/// Days that are few: fewer than a month, which is how often a cron job comes by.
const FEW_DAYS: i64 = 30;

/// The deadline in a sentence, and how much it matters.
pub(super) fn sentence(prune: &PruneDeadline) -> (Tone, String) {
    let PruneDeadline { month, at, days } = prune;
    let date = at.to_seconds_string();
    let date = date.get(..10).unwrap_or(&date);
    let distance = count(days.unsigned_abs(), "day");
    match *days {
        ..0 => {
            (Tone::Bad, format!("the platform began to prune {month} on {date}: what of it is gone cannot be archived"))
        }
        0 => (Tone::Warn, format!("the platform begins to prune {month} within a day: archive it now")),
        1..FEW_DAYS => (Tone::Warn, format!("the platform begins to prune {month} in {distance}, on {date}")),
        _ => (Tone::Plain, format!("the platform begins to prune {month} in {distance}, on {date}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_days_are_a_warning_and_none_is_said_in_clear_words() {
        let at = |days| {
            let prune =
                PruneDeadline { month: "2024-04".parse().unwrap(), at: "2025-04-01T00:00:00Z".parse().unwrap(), days };
            sentence(&prune)
        };
        assert_eq!(at(30), (Tone::Plain, "the platform begins to prune 2024-04 in 30 days, on 2025-04-01".to_owned()));
        assert_eq!(at(29).0, Tone::Warn);
        assert!(at(1).1.contains("in 1 day, on 2025-04-01"), "{}", at(1).1);
        assert_eq!(at(0), (Tone::Warn, "the platform begins to prune 2024-04 within a day: archive it now".to_owned()));
        assert_eq!(at(-1).0, Tone::Bad);
        assert!(at(-400).1.contains("began to prune 2024-04 on 2025-04-01"), "{}", at(-400).1);
    }
}

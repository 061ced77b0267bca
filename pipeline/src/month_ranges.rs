//! Months as people read them.

use archive_formats::Month;

/// Months in ascending order, neighbours as a range: `2024-12 to 2025-01, 2025-03`.
pub fn spell(months: impl IntoIterator<Item = Month>) -> String {
    let mut ranges: Vec<(Month, Month)> = Vec::new();
    for month in months {
        match ranges.last_mut() {
            Some((_, last)) if last.next() == month => *last = month,
            _ => ranges.push((month, month)),
        }
    }
    let spell = |(first, last)| if first == last { format!("{first}") } else { format!("{first} to {last}") };
    ranges.into_iter().map(spell).collect::<Vec<_>>().join(", ")
}

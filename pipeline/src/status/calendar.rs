//! The calendar of a dataset: years down, months across, one letter for each. All of it is ASCII.

use super::{MonthStatus, Presence};
use crate::{
    calendar::{self, LEGEND, MONTHS, Year, letter},
    human::{size, thousands},
    style::{Style, Tone},
};

/// Columns of a terminal that nobody made wider.
pub(super) const WIDTH: usize = 80;

/// The calendar, each line with its line feed; nothing without months.
pub(super) fn calendar(months: &[MonthStatus], style: Style) -> String {
    let years = calendar::years(months);
    if years.is_empty() {
        return String::new();
    }
    let sums = years.iter().map(|year| [thousands(year.events()), size(year.bytes())]).collect::<Vec<_>>();
    let titles = ["EVENTS", "SIZE"];
    let widths = [0, 1].map(|at| sums.iter().map(|sum| sum[at].len()).fold(titles[at].len(), usize::max));
    // Two blanks between the numbers, unless one makes them fit.
    let gap = if 4 + 12 * 4 + 2 + widths[0] + 2 + widths[1] > WIDTH { 1 } else { 2 };
    let numbers = |[events, bytes]: [&str; 2]| {
        format!("  {events:>0$}{blank:gap$}{bytes:>1$}\n", widths[0], widths[1], blank = "")
    };
    let heads = MONTHS.map(|month| format!(" {month}")).concat();
    let mut text = style.paint(Tone::Faint, &format!("    {heads}{}", numbers(titles).trim_end()));
    text.push('\n');
    for (year, [events, bytes]) in years.iter().zip(&sums) {
        text.push_str(&row(year, style));
        text.push_str(&numbers([events, bytes]));
    }
    text
}

fn row(year: &Year<'_>, style: Style) -> String {
    let cells = year.months.iter().map(|month| match month {
        Some(month) => format!("  {} ", style.paint(tone(month), &letter(month).to_string())),
        None => "    ".to_owned(),
    });
    format!("{:04}{}", year.year, cells.collect::<String>())
}

const fn tone(month: &MonthStatus) -> Tone {
    match month.state {
        Presence::Archived => Tone::Good,
        Presence::Missing => Tone::Bad,
        Presence::Open => Tone::Faint,
    }
}

/// What the letters of these months mean, in one line.
pub(super) fn legend<'a>(months: impl Iterator<Item = &'a MonthStatus>, style: Style) -> String {
    let letters = months.map(|month| (letter(month), tone(month))).collect::<Vec<_>>();
    let used = LEGEND.iter().filter_map(|(known, meaning)| {
        let (_, tone) = letters.iter().find(|(letter, _)| letter == known)?;
        Some(format!("{} {meaning}", style.paint(*tone, &known.to_string())))
    });
    let used = used.collect::<Vec<_>>().join("   ");
    if used.is_empty() { used } else { format!("{used}\n") }
}

/// `text` in lines of at most [`WIDTH`], the later ones indented. A word that is longer stays whole.
pub(super) fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && !line.trim().is_empty() {
            lines.extend([line.as_str(), "\n"]);
            line = format!("  {word}");
        } else if line.is_empty() {
            word.clone_into(&mut line);
        } else {
            line.extend([" ", word]);
        }
    }
    format!("{lines}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{status::testing::month, style::COLORED};
    use archive_formats::Month;

    fn months(first: &str, last: &str, state: Presence) -> impl Iterator<Item = MonthStatus> {
        Month::range(first.parse().unwrap(), last.parse().unwrap()).map(move |at| month(&at.to_string(), state))
    }

    fn history() -> Vec<MonthStatus> {
        let archived = |first, last| months(first, last, Presence::Archived);
        let missing = |first, last| months(first, last, Presence::Missing);
        let months = archived("2023-11", "2024-04").chain(missing("2024-05", "2024-06"));
        months.chain(archived("2024-07", "2025-02")).chain([month("2025-03", Presence::Open)]).collect()
    }

    #[test]
    fn gaps_jump_out_of_the_calendar() {
        let mut months = history();
        months[1].events = Some(0);
        let expected = "    \x20Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec   EVENTS      SIZE
2023                                          A   0    10,000   2.0 MiB
2024  A   A   A   A   !   !   A   A   A   A   A   A   100,000  10.0 MiB
2025  A   A   .                                        20,000   2.0 MiB
";
        assert_eq!(calendar(&months, Style::plain()), expected);
        let legend = legend(months.iter(), Style::plain());
        assert_eq!(legend, "A archived   0 archived, no events   ! MISSING   . not over\n");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let strip = |text: String| {
            ["\x1b[32m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"].iter().fold(text, |text, code| text.replace(code, ""))
        };
        let months = history();
        assert!(calendar(&months, COLORED).contains("\x1b[1;31m!\x1b[0m"));
        assert_eq!(strip(calendar(&months, COLORED)), calendar(&months, Style::plain()));
        assert_eq!(strip(legend(months.iter(), COLORED)), legend(months.iter(), Style::plain()));
    }

    #[test]
    fn months_of_ten_digits_fit_into_80_columns() {
        let months = months("2024-01", "2024-12", Presence::Archived).map(|month| MonthStatus {
            events: Some(9_999_999_999),
            bytes: Some(1_098_437_885_952 / 12),
            ..month
        });
        let text = calendar(&months.collect::<Vec<_>>(), Style::plain());
        assert!(text.contains("A   119,999,999,988 1023.0 GiB\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH && line.is_ascii()), "{text}");
    }

    #[test]
    fn long_sentences_are_broken_between_words() {
        assert_eq!(wrapped("short enough"), "short enough\n");
        let text = wrapped(&"2024-12 to 2025-01, ".repeat(9));
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.lines().all(|line| line.len() <= WIDTH) && text.lines().skip(1).all(|line| line.starts_with("  "))
        );
        assert_eq!(wrapped(&"x".repeat(200)), format!("{}\n", "x".repeat(200)));
    }
}

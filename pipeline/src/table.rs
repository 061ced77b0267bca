//! Aligned columns. Values are never truncated; usual ones fit into 80 columns. In a terminal that is narrower than the
//! table, the columns that do not fit follow on lines of their own.

use crate::style::{Style, Tone};
use archive_formats::printable;

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A value without hidden characters, with its tone.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: printable(&text.into()).into_owned(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// Rows with column titles.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[Cell; N]>,
}

const GAP: &str = "  ";

impl<const N: usize> Table<N> {
    pub(crate) const fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// Renders the table, every line with its line feed; empty without rows.
    pub(crate) fn render(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let titles = self.columns.map(|(title, _)| Cell::toned(title, Tone::Faint));
        let mut widths = self.columns.map(|(title, _)| title.len());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let breaks = breaks(&widths, style.width());
        let lines = std::iter::once(&titles).chain(&self.rows).map(|row| self.line(row, &widths, breaks, style));
        lines.collect()
    }

    /// A row, as a line unless a column begins another one.
    fn line(&self, row: &[Cell; N], widths: &[usize; N], breaks: [bool; N], style: Style) -> String {
        let mut line = String::new();
        for (index, ((cell, width), (_, align))) in row.iter().zip(widths).zip(self.columns).enumerate() {
            if breaks[index] {
                line.truncate(line.trim_end_matches(' ').len());
                line.extend(["\n", GAP]);
            } else if index > 0 {
                line.push_str(GAP);
            }
            // Padded before it is coloured: escape sequences have no width.
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let text = style.paint(cell.tone, &cell.text);
            match align {
                Align::Left if index + 1 == N => line.push_str(&text),
                Align::Left => line.extend([text, padding]),
                Align::Right => line.extend([padding, text]),
            }
        }
        line.push('\n');
        line
    }
}

/// Whether each column begins another line, so that lines have at most `columns` columns.
fn breaks<const N: usize>(widths: &[usize; N], columns: Option<usize>) -> [bool; N] {
    let (mut breaks, mut used) = ([false; N], 0);
    let Some(columns) = columns else { return breaks };
    for (index, (width, begins)) in widths.iter().zip(&mut breaks).enumerate() {
        *begins = index > 0 && used + GAP.len() + width > columns;
        used = if *begins || index == 0 { width + usize::from(*begins) * GAP.len() } else { used + GAP.len() + width };
    }
    breaks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::COLORED;

    #[test]
    fn columns_that_do_not_fit_follow_on_another_line() {
        let mut table = Table::new([("STATE", Align::Left), ("BEHIND", Align::Right), ("REPLICA", Align::Left)]);
        table.push(["current".into(), "0 commits".into(), "s3://my-bucket/keeptrusts/copy".into()]);
        let expected = "\
STATE       BEHIND
  REPLICA
current  0 commits
  s3://my-bucket/keeptrusts/copy
";
        assert_eq!(table.render(Style::plain().with_width(Some(40))), expected);
        assert_eq!(table.render(Style::plain().with_width(Some(60))), table.render(Style::plain()));
    }

    fn table() -> Table<3> {
        let mut table = Table::new([("NAME", Align::Left), ("EVENTS", Align::Right), ("NOTE", Align::Left)]);
        table.push(["données".into(), "1".into(), "short".into()]);
        table.push([Cell::toned("b", Tone::Bad), "1,234,567".into(), "x".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let expected = "NAME        EVENTS  NOTE\ndonnées          1  short\nb        1,234,567  x\n";
        assert_eq!(table().render(Style::plain()), expected);
    }

    #[test]
    fn colour_does_not_move_columns() {
        let rendered = table().render(COLORED);
        let bare = ["\x1b[1;31m", "\x1b[2m", "\x1b[0m"].iter().fold(rendered, |text, code| text.replace(code, ""));
        assert_eq!(bare, table().render(Style::plain()));
    }

    #[test]
    fn foreign_text_cannot_move_columns() {
        let mut table = table();
        table.push(["a\u{202e}\n\u{1b}[1m".into(), "1".into(), "".into()]);
        assert!(table.render(Style::plain()).contains("\na\\u202e\\n\\u001b[1m  "));
    }

    #[test]
    fn table_without_rows_is_empty() {
        assert_eq!(Table::new([("A", Align::Left)]).render(Style::plain()), "");
    }
}

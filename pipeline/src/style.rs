//! Colours of terminal text. A short file of its own: every report depends on it, and it on no report.

use crate::{environment::Environment, wrap::wrap};
use std::io::IsTerminal;

/// Meaning of a text, which selects its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Uncoloured.
    #[default]
    Plain,
    /// Green.
    Good,
    /// Yellow: needs attention soon.
    Warn,
    /// Red.
    Bad,
    /// Dimmed.
    Faint,
}

/// Whether output is coloured, and how wide its terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    color: bool,
    width: Option<usize>,
}

/// In narrower terminals, lines are as long as in one of this width.
const NARROWEST: usize = 40;

impl Style {
    /// Without colour, for a file or a program.
    pub const fn plain() -> Self {
        Self { color: false, width: None }
    }

    /// The same style for a terminal with this many columns.
    #[must_use]
    pub fn with_width(self, columns: Option<usize>) -> Self {
        Self { width: columns.map(|columns| columns.max(NARROWEST)), ..self }
    }

    /// The columns of the terminal; `None` for files and programs, whose lines are never broken.
    pub const fn width(self) -> Option<usize> {
        self.width
    }

    /// A line for a terminal, broken between words.
    pub fn fit(self, line: &str) -> String {
        self.width.map_or_else(|| line.to_owned(), |width| wrap(line, width, 0, "  "))
    }

    /// Two texts in a line, or in a line each where they do not fit.
    pub(crate) fn beside(self, left: &str, right: &str) -> String {
        let both = left.chars().count() + 2 + right.chars().count();
        let gap = if self.width.is_some_and(|width| both > width) { "\n" } else { "  " };
        format!("{left}{gap}{right}")
    }

    /// Colours a terminal, unless the user set `NO_COLOR` (no-color.org).
    pub fn new(stream: &impl IsTerminal, environment: Option<&Environment>) -> Self {
        let refused = environment.is_none_or(|it| it.get("NO_COLOR").is_some() || it.get("TERM") == Some("dumb"));
        Self { color: stream.is_terminal() && !refused, width: None }
    }

    /// Returns whether output is coloured.
    pub const fn has_color(self) -> bool {
        self.color
    }

    /// `text` in the colour of its tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
            Tone::Plain => return text.to_owned(),
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
pub(crate) const COLORED: Style = Style { color: true, width: None };

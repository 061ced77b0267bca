//! Colours of terminal text. A short file of its own: every report depends on it, and it on no report.

use crate::environment::Environment;
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

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    color: bool,
}

impl Style {
    /// Without colour.
    pub const fn plain() -> Self {
        Self { color: false }
    }

    /// Colours a terminal, unless the user set `NO_COLOR` (no-color.org).
    pub fn new(stream: &impl IsTerminal, environment: Option<&Environment>) -> Self {
        let refused = environment.is_none_or(|it| it.get("NO_COLOR").is_some() || it.get("TERM") == Some("dumb"));
        Self { color: stream.is_terminal() && !refused }
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
pub(crate) const COLORED: Style = Style { color: true };

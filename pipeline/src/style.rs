//! Colour on terminals.

use crate::environment::Environment;
use std::io::IsTerminal;

/// What a text means, and so how it looks on a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Green.
    Good,
    /// Yellow: soon bad.
    Warn,
    /// Red.
    Bad,
    /// Less than the rest.
    Faint,
}

/// Whether a stream takes colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    color: bool,
}

impl Style {
    /// Without colour.
    pub const fn plain() -> Self {
        Self { color: false }
    }

    /// Coloured on a terminal, unless the user set `NO_COLOR` (no-color.org).
    pub fn of(stream: &impl IsTerminal, environment: Option<&Environment>) -> Self {
        let refused = environment.is_none_or(|it| it.get("NO_COLOR").is_some() || it.get("TERM") == Some("dumb"));
        Self { color: stream.is_terminal() && !refused }
    }

    /// Whether there is colour.
    pub const fn has_color(self) -> bool {
        self.color
    }

    /// `text`, in the colour of its meaning.
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

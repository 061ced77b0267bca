//! Colour, where there is someone to see it.

use crate::environment::Environment;
use std::io::IsTerminal;

/// What a text means, and so how it looks on a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    /// Soon bad.
    Warn,
    Bad,
    Faint,
}

/// Whether a stream takes colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    color: bool,
}

impl Style {
    /// Without colour.
    pub(super) const fn plain() -> Self {
        Self { color: false }
    }

    /// Coloured on a terminal, unless the user set `NO_COLOR` (no-color.org).
    pub(super) fn of(stream: &impl IsTerminal, environment: Option<&Environment>) -> Self {
        let refused = environment.is_none_or(|it| it.get("NO_COLOR").is_some() || it.get("TERM") == Some("dumb"));
        Self { color: stream.is_terminal() && !refused }
    }

    pub(super) const fn has_color(self) -> bool {
        self.color
    }

    /// `text`, in the colour of its meaning.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
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
pub(super) const COLORED: Style = Style { color: true };

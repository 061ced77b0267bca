//! Rows that cannot be archived as they are.

use std::{fmt, sync::Arc};

/// A row that the source delivered and that cannot become an event. It is counted and named, never dropped in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The file that the row lies in, where the source has several.
    pub file: Option<Arc<str>>,
    /// Where the row begins: 1-based line of the artifact (the header is line 1), or 1-based ordinal of the row where
    /// the source has no lines.
    pub line: u64,
    /// The offending column, when one is to blame.
    pub column: Option<String>,
    /// Why, in words that hold no value of the event.
    pub reason: String,
    /// The row, byte for byte as it came, without its line end.
    pub row: Vec<u8>,
}

impl fmt::Display for Reject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{file} ")?;
        }
        match &self.column {
            Some(column) => write!(formatter, "line {}, column {column}: {}", self.line, self.reason),
            None => write!(formatter, "line {}: {}", self.line, self.reason),
        }
    }
}

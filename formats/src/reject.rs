//! Rejected rows.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, sync::Arc};

/// A row of the source that cannot become an event. It is counted and reported, never dropped silently. Serialised, it is
/// a line of a `rejects` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The file of the row, if the source has several.
    pub file: Option<Arc<str>>,
    /// The 1-based line where the row begins (a header is line 1), or the 1-based number of the row if the source has no
    /// lines.
    pub line: u64,
    /// The offending column, if it is known.
    pub column: Option<String>,
    /// The reason, without values of the event.
    pub reason: String,
    /// The row, byte for byte, without its line end.
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

/// A line of a `rejects` file. A row that is not UTF-8 is in base64.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    column: Option<Cow<'a, str>>,
    reason: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_base64: Option<String>,
}

impl Serialize for Reject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = std::str::from_utf8(&self.row).ok();
        let record = Record {
            line: self.line,
            file: self.file.as_deref().map(Cow::Borrowed),
            column: self.column.as_deref().map(Cow::Borrowed),
            reason: Cow::Borrowed(&self.reason),
            row: row.map(Cow::Borrowed),
            row_base64: row.is_none().then(|| STANDARD.encode(&self.row)),
        };
        record.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Record { line, file, column, reason, row, row_base64 } = Record::deserialize(deserializer)?;
        let row = match (row, row_base64) {
            (Some(text), None) => text.into_owned().into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(D::Error::custom)?,
            _ => return Err(D::Error::custom("a line has either a row or a row_base64")),
        };
        let file = file.map(|file| file.into_owned().into());
        Ok(Self { file, line, column: column.map(Cow::into_owned), reason: reason.into_owned(), row })
    }
}

//! Decodes CSV as defined by RFC 4180.
//!
//! Fields are separated by commas, records end with LF or CRLF, and a quote opens a quoted field only as the first byte
//! of a field. Rows that break these rules become [`Reject`](crate::Reject)s with unchanged bytes. In artifacts, an
//! empty field is NULL, quoted or not.
//!
//! A [`CsvSplitter`] cuts an artifact into chunks of whole records. [`CsvLayout::from_header`] reads the header of the
//! first chunk; the layout decodes the chunks independently. CSV files of an archive are split alike, and decoded by an
//! [`ArchivedLayout`].

mod archived;
mod archived_values;
mod layout;
mod records;
mod rows;
mod splitter;

#[cfg(test)]
mod tests;

pub use archived::ArchivedLayout;
pub use layout::CsvLayout;
pub use splitter::CsvSplitter;

use crate::{batch::SchemaMismatch, catalogue::HeaderError};
use layout::MAX_COLUMNS;

/// Why a file is not a CSV of events. Errors of single rows are in their rejects.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// A record is longer than this number of bytes, most likely because of an unclosed quote.
    #[error("a record is longer than {} MiB", .0 >> 20)]
    RecordTooLong(usize),
    /// The input ends inside quotes.
    #[error("the CSV ends inside a quoted field")]
    Truncated,
    /// The header does not have the columns of events.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header of an archived file differs from the columns of its manifest.
    #[error("the header has other columns than the schema")]
    OtherColumns,
    /// A column name is not UTF-8.
    #[error("the header is not valid UTF-8")]
    HeaderNotUtf8,
    /// A column name has a control character, most likely because lines end with CR alone: then all rows are in the
    /// header.
    #[error("the header has a control character: do the lines end with CR alone?")]
    HeaderControl,
    /// The header is one column whose name has separators of other dialects.
    #[error("the header is not separated by commas but, it seems, by {0}")]
    HeaderSeparator(&'static str),
    /// The header has malformed quotes.
    #[error("the header has malformed quotes")]
    HeaderQuotes,
    /// The header has more columns than are supported.
    #[error("the header has {0} columns, and at most {MAX_COLUMNS} are supported")]
    TooManyColumns(usize),
    /// The same column is configured as id and as time.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
    /// The columns of a manifest are not those of events.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// A row of an archived file is not as the archive writes it.
    #[error("{0}")]
    NotArchived(String),
    /// The input could not be read.
    #[error("could not read the CSV")]
    Io(#[from] std::io::Error),
}

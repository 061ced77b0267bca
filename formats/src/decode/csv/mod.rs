//! CSV artifacts, as RFC 4180 has them, into events.
//!
//! Fields are separated by commas, records end with a line feed or with carriage return and line feed, and a quote
//! opens a quoted field only as a field's first byte. Rows that break the rules become [`Reject`](crate::Reject)s, with
//! their bytes unchanged. An empty field, quoted or not, is NULL.
//!
//! A [`CsvSplitter`] cuts the artifact into chunks of whole records; the [`CsvLayout`] that the first chunk's header
//! gives decodes them, each on its own. CSV files of an archive are cut the same way, and decoded by an
//! [`ArchivedLayout`].

mod archived;
mod layout;
mod records;
mod rows;
mod splitter;

#[cfg(test)]
mod tests;

pub use archived::ArchivedLayout;
pub use layout::CsvLayout;
pub use splitter::{CsvSplitter, MAX_RECORD_BYTES};

use crate::{batch::SchemaMismatch, catalogue::HeaderError};

/// Why an artifact as a whole is no CSV of events. What is wrong with single rows is in their rejects.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// A record longer than [`MAX_RECORD_BYTES`]: as good as always a quote that is never closed.
    #[error("a record is longer than {} MiB", MAX_RECORD_BYTES >> 20)]
    RecordTooLong,
    /// The input ends inside quotes.
    #[error("the CSV ends inside a quoted field")]
    Truncated,
    /// The header's columns are not those of events.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header of an archived file is not that of the columns of its manifest.
    #[error("the header has other columns than the schema")]
    OtherColumns,
    /// A name that is not text.
    #[error("the header is not valid UTF-8")]
    HeaderNotUtf8,
    /// The header breaks the rules of quoting.
    #[error("the header has malformed quotes")]
    HeaderQuotes,
    /// More columns than any event has.
    #[error("the header has {0} columns")]
    TooManyColumns(usize),
    /// One column cannot say both what an event is called and when it happened.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
    /// The columns that a manifest names are not those of events.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// A row of an archived file is not what any archive writes.
    #[error("{0}")]
    NotArchived(String),
    /// The input could not be read.
    #[error("could not read the CSV")]
    Io(#[from] std::io::Error),
}

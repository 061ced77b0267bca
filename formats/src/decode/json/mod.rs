//! Decodes JSON artifacts: an array of objects, an envelope with such an array, or JSON Lines.
//!
//! An envelope is an object with an array named `events`, `data`, `items`, `results` or `records`. Each of its other
//! members has to be empty, a known one, or equal to the number of records: any other may tell of further records, and is
//! an error unless the user names it as [`Harmless`]. Several of these arrays with records are ambiguous, and an error.
//! JSON is parsed as defined by RFC 8259. Malformed records become [`Reject`](crate::Reject)s with unchanged bytes, as
//! do records with duplicate names.
//!
//! A [`JsonSplitter`] cuts an artifact into chunks of whole records. A first pass over all chunks collects
//! [`JsonNames`]; a [`JsonLayout`] made from them decodes the chunks independently. Each name of the catalogue is a
//! column, in order of first appearance. All other members, and objects or arrays in text columns, are kept as printed
//! in one object for each record, in the column [`EXTRA`](crate::catalogue::EXTRA).

mod cursor;
mod envelope;
mod index;
mod layout;
mod members;
mod records;
mod rows;
mod shape;
pub mod spelling;
mod splitter;
mod structure;

#[cfg(test)]
mod tests;

pub use envelope::Harmless;
pub use layout::{JsonLayout, JsonNames};
pub use splitter::JsonSplitter;

use super::MAX_ROW_BYTES;
use crate::{ArtifactKind, catalogue::HeaderError};

/// Where an artifact has its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonShape {
    /// The document is an array of records.
    Array,
    /// The array is a member of an object.
    Envelope,
    /// Each line is a record.
    Lines,
}

impl JsonShape {
    /// The kind of artifacts of this shape.
    pub const fn kind(self) -> ArtifactKind {
        match self {
            Self::Array | Self::Envelope => ArtifactKind::Json,
            Self::Lines => ArtifactKind::JsonLines,
        }
    }
}

/// Why an artifact is not JSON of events. Errors of single records are in their rejects.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The input is not JSON, but for example HTML.
    #[error("it begins with neither an object nor a list")]
    NotJson,
    /// A record is longer than [`MAX_ROW_BYTES`], most likely because of an unclosed quote or bracket.
    #[error("a record is longer than {} MiB", MAX_ROW_BYTES >> 20)]
    RecordTooLong,
    /// The input ends inside the document, or of a line.
    #[error("the JSON ends too early")]
    Truncated,
    /// The bytes before and after the array of records are not valid JSON.
    #[error("the JSON around the records is not valid")]
    Malformed,
    /// The bytes before and after the array of records exceed the limit.
    #[error("the JSON around the records is longer than {} MiB", envelope::MAX_ENVELOPE_BYTES >> 20)]
    EnvelopeTooLong,
    /// A single object that does not look like an event, most likely the description of an error.
    #[error("it is an object without a list of records (events, data, items, results or records)")]
    NoRecords,
    /// Two arrays that could be the records.
    #[error("records may be in {0:?} and in {1:?}")]
    SeveralLists(String, String),
    /// Further pages have the rest of the records.
    #[error("it may be one page of several, according to its member {0:?}")]
    OnePage(String),
    /// The envelope reports an error.
    #[error("its member {0:?} reports a failure")]
    Failure(String),
    /// The envelope has another number than that of its records.
    #[error("its member {name:?} is {claimed}, but it has {found} records")]
    OtherCount {
        /// Name of the member with the count.
        name: String,
        /// Value of that member.
        claimed: u64,
        /// Number of records.
        found: u64,
    },
    /// The envelope has members of unknown meaning; with commas.
    #[error("its members {0} may tell of further records")]
    UnknownMembers(String),
    /// The envelope has two members of one name.
    #[error("the JSON around the records has a name twice")]
    RepeatedMember,
    /// Consecutive objects that span lines.
    #[error("an object outside of a list takes more than a line")]
    SeveralLines,
    /// The records do not have the members of events.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The same column is configured as id and as time.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
}

//! JSON artifacts into events: a list of objects, an object with such a list in it, or an object in each line.
//!
//! The list is the whole document, or stands under one of the names `events`, `data`, `items`, `results`, `records`
//! of an object, whose other members are looked at only to see whether they speak of further pages. Several such lists
//! with records in them are an error, since nobody could tell which holds the events. One object alone in a line is one
//! line. Everything is read as RFC 8259 has it; records that are not so become [`Reject`](crate::Reject)s, with their
//! bytes unchanged, as do those in which a name appears twice.
//!
//! A [`JsonSplitter`] cuts the artifact into chunks of whole records. Which names occur is known only at the end, so a
//! first pass over all chunks collects [`JsonNames`]; the [`JsonLayout`] that they give decodes the chunks, each on its
//! own. Each name that the catalogue knows is a column, in the order in which the names first appear. The members of
//! other names, and texts that turn out to be objects or lists, make up the column
//! [`EXTRA`](crate::catalogue::EXTRA): one object for each record, its members as the source printed them.

mod cursor;
mod layout;
mod members;
mod records;
mod rows;
mod shape;
mod splitter;
mod structure;

#[cfg(test)]
mod tests;

pub use layout::{JsonLayout, JsonNames};
pub use splitter::JsonSplitter;

use crate::{ArtifactKind, catalogue::HeaderError};

/// The longest record. Without a limit a bracket that is never closed would pull the rest of an artifact into memory.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// Where the records of an artifact are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonShape {
    /// The document is a list of them.
    Array,
    /// The list is a member of an object.
    Envelope,
    /// Each is a line.
    Lines,
}

impl JsonShape {
    /// The kind of an artifact of this shape.
    pub const fn kind(self) -> ArtifactKind {
        match self {
            Self::Array | Self::Envelope => ArtifactKind::Json,
            Self::Lines => ArtifactKind::JsonLines,
        }
    }
}

/// Why an artifact as a whole is no JSON of events. What is wrong with single records is in their rejects.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Something else, such as a page of HTML.
    #[error("it begins with neither an object nor a list")]
    NotJson,
    /// A record longer than [`MAX_RECORD_BYTES`]: as good as always a quote or a bracket that is never closed.
    #[error("a record is longer than {} MiB", MAX_RECORD_BYTES >> 20)]
    RecordTooLong,
    /// The input ends inside the document, or inside a line.
    #[error("the JSON ends too early")]
    Truncated,
    /// What comes before or after the list of records makes no document with it.
    #[error("what stands around the records is not valid JSON")]
    Malformed,
    /// What comes before or after the list of records is too much to be held in memory.
    #[error("what stands around the records is longer than {} MiB", shape::MAX_ENVELOPE_BYTES >> 20)]
    EnvelopeTooLong,
    /// One object, which is no event by its looks: as good as always the description of an error.
    #[error("it is an object without a list of records (events, data, items, results or records)")]
    NoRecords,
    /// Two lists that could be the records.
    #[error("records may be in {0:?} and in {1:?}")]
    SeveralLists(String, String),
    /// The rest of the records would have to be asked for.
    #[error("it is one page of several: {0:?} says that there is more")]
    OnePage(String),
    /// The export went wrong, whatever records came of it.
    #[error("its member {0:?} speaks of a failure")]
    Failure(String),
    /// Some of the records must be somewhere else.
    #[error("{name:?} says that there are {claimed} records, but it has {found}")]
    TooFew {
        /// The member that counts them.
        name: String,
        /// What it says.
        claimed: u64,
        /// How many there are.
        found: u64,
    },
    /// Objects one after the other, not each in a line of its own.
    #[error("an object outside of a list takes more than a line")]
    SeveralLines,
    /// The names are not those of events.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// One column cannot say both what an event is called and when it happened.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
}

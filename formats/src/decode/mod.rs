//! Decodes artifacts and archived files into events.
//!
//! | module | input | output |
//! |---|---|---|
//! | [`csv`], [`json`] | artifacts, cut into chunks of whole records | a [`Decoded`] or a [`TimeIndex`] for each chunk |
//! | [`copy`] | rows of a binary COPY | a [`Decoded`] for each group of rows |
//! | [`csv::ArchivedLayout`], [`parquet`] | data files of an archive | batches |
//! | [`rejects`] | `rejects` files of an archive | rejected rows |

mod artifact;
mod builder;
mod columns;
pub mod copy;
pub mod csv;
pub mod json;
pub mod parquet;
mod parse;
pub mod rejects;
mod row_error;
mod simd;
mod time_index;
mod typed;

pub use parse::calendar::FinerTimes;
pub use time_index::{MonthTimes, TimeIndex};

use crate::{EventBatch, Reject};

/// Maximum length of a row of a source in bytes, as the source delivers it. Every stage of a run holds such rows, most of
/// them several times: two months of rows of this size, archived at a time, take 240 MiB. It also bounds the memory that
/// an unclosed quote can take.
pub const MAX_ROW_BYTES: usize = 4 << 20;

/// Byte-order mark of UTF-8. Spreadsheets write it at the start of a file.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The events and rejects of one chunk.
#[derive(Debug)]
pub struct Decoded {
    /// The events, in input order; `None` when there are none.
    pub batch: Option<EventBatch>,
    /// The other rows, in input order. Their line numbers are relative to the chunk and start at 0. Where records are
    /// not lines, they are record numbers.
    pub rejects: Vec<Reject>,
    /// Number of records, rejects included.
    pub rows: u64,
    /// Distance from this chunk's first line to that of the next: line feeds, quoted ones included, or records where
    /// records are not lines.
    pub lines: u64,
}

//! Artifacts and files into events.

mod builder;
mod columns;
mod columns_by_type;
pub mod copy;
pub mod csv;
mod fault;
pub mod json;
pub mod parquet;
mod parse;
pub mod rejects;
mod simd;
pub mod survey;

pub use survey::Survey;

use crate::{EventBatch, Reject};

/// UTF-8's byte-order mark, which spreadsheets put before their first byte.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What a chunk holds.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows, in order; `None` when there are none.
    pub batch: Option<EventBatch>,
    /// The other rows, in order. Their lines count from 0, the chunk's first line, or its first record where the
    /// artifact has no lines of records.
    pub rejects: Vec<Reject>,
    /// Records, rejected ones included.
    pub rows: u64,
    /// How far the next chunk's first line is from this one's: line feeds, also those inside quotes, or else records.
    pub lines: u64,
}

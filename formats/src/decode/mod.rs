//! Artifacts and files into events.

pub mod csv;
pub mod parquet;
pub mod rejects;

use crate::{EventBatch, Reject};

/// What a chunk holds.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows, in order; `None` when there are none.
    pub batch: Option<EventBatch>,
    /// The other rows, in order. Their lines count from 0, the chunk's first line.
    pub rejects: Vec<Reject>,
    /// Records, rejected ones included.
    pub rows: u64,
    /// Line feeds, also those inside quotes: how far the next chunk's first line is from this one's.
    pub lines: u64,
}

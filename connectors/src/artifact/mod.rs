//! Artifacts on the local disk, decoded on all cores: downloads of the exports API, and files of the user.
//!
//! `content` reads and unpacks, `chunks` cuts into chunks of whole rows, `schema` knows the columns and decodes chunks,
//! and `window_filter` selects the events of a window. The header of CSV names all columns; records of JSON can bring
//! new ones anywhere, so their schema takes a pass of its own.

mod chunks;
mod content;
mod schema;
mod window_filter;

pub(crate) use chunks::{Chunk, Chunks, Summary};
pub(crate) use content::{Content, Measured, sniff};
pub(crate) use schema::{ArtifactSchema, DecodedChunk};
pub(crate) use window_filter::WindowFilter;

use std::{fmt, num::NonZero, thread::available_parallelism};

/// The syntax of an artifact. The shape of a JSON artifact shows while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Csv,
    Json,
}

impl fmt::Display for Syntax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
        })
    }
}

/// How many chunks are decoded at the same time.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

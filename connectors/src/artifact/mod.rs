//! Artifacts on the local disk, read on all cores: what the exports API delivered, and files of the user.
//!
//! `content` unpacks, `chunks` cuts into whole rows, `schema` says what the columns are and turns rows into events, and
//! `window_filter` leaves those of a window. CSV tells its columns in its first line. JSON tells them all along, so that its
//! layout takes a pass of its own.

mod chunks;
mod content;
mod schema;
mod window_filter;

pub(crate) use chunks::{Chunk, Ending, Part, on_all_cores};
pub(crate) use content::{Content, Measured, check as sniff};
pub(crate) use schema::Opening;
pub(crate) use window_filter::{Keep, Kept};

use std::{fmt, num::NonZero, thread::available_parallelism};

/// How an artifact is written. Which of its shapes a JSON artifact has shows while it is read.
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

/// How many pieces of an artifact are worked on at the same time.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

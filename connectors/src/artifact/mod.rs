//! Artifacts on the local disk, decoded on all cores: downloads of the exports API, and files of the user.
//!
//! `content` reads and unpacks, `read_ahead` does so on a thread of its own, `chunks` cuts into chunks of whole rows,
//! `schema` knows the columns and decodes chunks, and `window_filter` selects the events of a window. The header of CSV
//! names all columns; records of JSON can bring new ones anywhere, so their schema takes a pass of its own.

mod chunks;
mod content;
mod read_ahead;
mod rules;
mod schema;
mod window_filter;

pub(crate) use chunks::{Chunk, Chunks, Summary, cores};
#[cfg(test)]
pub(crate) use content::Measured;
pub(crate) use content::{Content, Syntax, sniff};
pub use rules::ArtifactRules;
pub(crate) use schema::{ArtifactSchema, DecodedChunk};
pub(crate) use window_filter::WindowFilter;

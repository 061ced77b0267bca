//! Whole rows out of blocks of any size, whatever the syntax.

use super::Syntax;
use crate::{Error, ErrorKind, Result};
use archive_formats::{ArtifactKind, decode::csv::CsvSplitter};

/// Large enough that a thread is busy for some milliseconds, small enough that all cores together hold little.
const CHUNK: usize = 2 * 1024 * 1024;

/// Cuts content into chunks of whole rows.
#[derive(Debug)]
pub(super) enum Splitter {
    Csv(CsvSplitter),
}

impl Splitter {
    pub(super) fn new(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Csv => Self::Csv(CsvSplitter::new(CHUNK)),
            Syntax::Json => todo!(),
        }
    }

    pub(super) fn push(&mut self, block: &[u8]) -> Result<()> {
        match self {
            Self::Csv(splitter) => splitter.push(block).map_err(|error| unreadable(Syntax::Csv).with_source(error)),
        }
    }

    pub(super) fn next_chunk(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Csv(splitter) => splitter.next_chunk(),
        }
    }

    /// What is left, and what the whole turned out to be.
    pub(super) fn finish(self) -> Result<(Option<Vec<u8>>, ArtifactKind)> {
        match self {
            Self::Csv(splitter) => {
                let rest = splitter.finish().map_err(|error| cut_short().with_source(error))?;
                Ok((rest, ArtifactKind::Csv))
            }
        }
    }
}

fn unreadable(syntax: Syntax) -> Error {
    Error::new(ErrorKind::Source, format!("the artifact cannot be read as {syntax}"))
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Truncated, "the artifact ends in the middle of a record")
}

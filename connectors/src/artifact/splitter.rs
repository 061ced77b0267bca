//! Whole rows out of blocks of any size, whatever the syntax.

use super::Syntax;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    ArtifactKind,
    decode::{
        csv::{CsvError, CsvSplitter},
        json::{JsonError, JsonShape, JsonSplitter},
    },
};

/// Large enough that a thread is busy for some milliseconds, small enough that all cores together hold little.
const CHUNK: usize = 2 * 1024 * 1024;

/// Cuts content into chunks of whole rows.
#[derive(Debug)]
pub(super) struct Splitter {
    cutter: Cutter,
    /// Where in the content the next chunk begins, once there was one.
    next: Option<u64>,
}

#[derive(Debug)]
enum Cutter {
    Csv(CsvSplitter),
    Json(JsonSplitter),
}

/// Whole rows, and where in the content they are.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) bytes: Vec<u8>,
    pub(super) mark: Option<u8>,
    pub(super) offset: u64,
}

impl Splitter {
    pub(super) fn new(syntax: Syntax) -> Self {
        let cutter = match syntax {
            Syntax::Csv => Cutter::Csv(CsvSplitter::new(CHUNK)),
            Syntax::Json => Cutter::Json(JsonSplitter::new(CHUNK)),
        };
        Self { cutter, next: None }
    }

    pub(super) fn push(&mut self, block: &[u8]) -> Result<()> {
        match &mut self.cutter {
            Cutter::Csv(splitter) => splitter.push(block).map_err(csv_error),
            Cutter::Json(splitter) => splitter.push(block).map_err(json_error),
        }
    }

    pub(super) fn next_chunk(&mut self) -> Option<Cut> {
        let (cut, between) = match &mut self.cutter {
            Cutter::Csv(splitter) => {
                (Cut { bytes: splitter.next_chunk()?, mark: None, offset: self.next.unwrap_or(0) }, 0)
            }
            Cutter::Json(splitter) => {
                let cut = json_cut(splitter.next_chunk()?, splitter, self.next);
                (cut, u64::from(splitter.shape() != Some(JsonShape::Lines)))
            }
        };
        self.next = Some(cut.offset + cut.length() as u64 + between);
        Some(cut)
    }

    /// What is left, and what the whole turned out to be.
    pub(super) fn finish(self) -> Result<(Option<Cut>, ArtifactKind)> {
        match self.cutter {
            Cutter::Csv(splitter) => {
                let rest = splitter.finish().map_err(csv_error)?;
                let cut = rest.map(|bytes| Cut { bytes, mark: None, offset: self.next.unwrap_or(0) });
                Ok((cut, ArtifactKind::Csv))
            }
            Cutter::Json(mut splitter) => {
                let rest = splitter.finish().map_err(json_error)?;
                let kind = splitter.shape().map_or(ArtifactKind::Json, JsonShape::kind);
                Ok((rest.map(|bytes| json_cut(bytes, &splitter, self.next)), kind))
            }
        }
    }
}

impl Cut {
    /// Bytes of the content.
    pub(super) fn length(&self) -> usize {
        self.bytes.len() - usize::from(self.mark.is_some())
    }
}

fn json_cut(bytes: Vec<u8>, splitter: &JsonSplitter, next: Option<u64>) -> Cut {
    Cut { mark: splitter.mark(&bytes), offset: next.unwrap_or_else(|| splitter.start()), bytes }
}

fn csv_error(error: CsvError) -> Error {
    let failed = match error {
        CsvError::Truncated => cut_short(),
        _ => Error::new(ErrorKind::Source, "the artifact cannot be read as CSV"),
    };
    failed.with_source(error)
}

fn json_error(error: JsonError) -> Error {
    let failed = match error {
        JsonError::Truncated => cut_short(),
        JsonError::OnePage(_) | JsonError::TooFew { .. } => {
            Error::new(ErrorKind::Incomplete, "the artifact is one page of several")
                .with_hint("nothing was committed; export all pages, since one alone is no month")
        }
        _ => Error::new(ErrorKind::Source, "the artifact cannot be read as JSON of events"),
    };
    failed.with_source(error)
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Truncated, "the artifact ends in the middle of a record")
}

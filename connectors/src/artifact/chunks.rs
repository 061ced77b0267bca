//! An artifact in chunks of whole rows, from its beginning to its end.

use super::{
    Syntax,
    content::{Content, Measured},
    cores,
};
use crate::{Error, ErrorKind, Result, spool::on_blocking_thread};
use archive_formats::{
    ArtifactKind,
    decode::{
        csv::{CsvError, CsvSplitter},
        json::{JsonError, JsonShape, JsonSplitter},
    },
};
use futures::{Stream, StreamExt as _, stream};
use std::{path::PathBuf, sync::Arc};

/// Whole rows.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// Their first byte, where it is none of the content's, but says what the chunk is.
    pub(crate) mark: Option<u8>,
    /// Where the others begin in the unpacked content.
    pub(crate) offset: u64,
    /// Delivered bytes that were read for them.
    pub(crate) delivered: u64,
}

impl Chunk {
    fn new(Cut { bytes, mark, offset }: Cut, delivered: u64) -> Self {
        Self { bytes, mark, offset, delivered }
    }
}

/// What comes out of an artifact: pieces in their order, then its end.
#[derive(Debug)]
pub(crate) enum Part<T, E = Ending> {
    Piece(T),
    End(E),
}

/// What an artifact turned out to be.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) kind: ArtifactKind,
    pub(crate) gzip: bool,
    pub(crate) measured: Measured,
}

/// The first chunk of the artifact at `path`, if there is any content.
pub(super) fn first_chunk(path: PathBuf, syntax: Syntax) -> Result<Option<Chunk>> {
    match Reader::Closed(path, syntax).next()? {
        Some((Part::Piece(chunk), _)) => Ok(Some(chunk)),
        _ => Ok(None),
    }
}

/// Does `work` with every chunk of the artifact at `path`, on all cores.
pub(crate) fn on_all_cores<T: Send + 'static>(
    path: PathBuf,
    syntax: Syntax,
    work: impl Fn(Chunk) -> Result<T> + Send + Sync + 'static,
) -> impl Stream<Item = Result<Part<T>>> + Send + 'static {
    let work = Arc::new(work);
    let chunks = stream::try_unfold(Reader::Closed(path, syntax), |reader| on_blocking_thread(move || reader.next()));
    chunks.map(move |part| do_with(part, Arc::clone(&work))).buffered(cores())
}

async fn do_with<T: Send + 'static>(
    part: Result<Part<Chunk>>,
    work: Arc<impl Fn(Chunk) -> Result<T> + Send + Sync + 'static>,
) -> Result<Part<T>> {
    match part? {
        Part::Piece(chunk) => on_blocking_thread(move || work(chunk)).await.map(Part::Piece),
        Part::End(ending) => Ok(Part::End(ending)),
    }
}

/// Reads and cuts. What was delivered is counted and hashed on the way.
enum Reader {
    Closed(PathBuf, Syntax),
    Open(Box<Open>),
    Ending(Box<Ending>),
    Done,
}

struct Open {
    content: Content,
    splitter: Splitter,
    block: Vec<u8>,
    /// Delivered bytes that belong to chunks which were given out.
    accounted: u64,
}

impl Reader {
    fn next(self) -> Result<Option<(Part<Chunk>, Self)>> {
        const BLOCK: usize = 256 * 1024;
        match self {
            Self::Closed(path, syntax) => {
                let (content, splitter) = (Content::open(&path)?, Splitter::new(syntax));
                Box::new(Open { content, splitter, block: vec![0; BLOCK], accounted: 0 }).next().map(Some)
            }
            Self::Open(open) => open.next().map(Some),
            Self::Ending(ending) => Ok(Some((Part::End(*ending), Self::Done))),
            Self::Done => Ok(None),
        }
    }
}

impl Open {
    fn next(mut self: Box<Self>) -> Result<(Part<Chunk>, Reader)> {
        loop {
            if let Some(cut) = self.splitter.next_chunk() {
                let delivered = self.content.delivered() - self.accounted;
                self.accounted += delivered;
                let chunk = Chunk::new(cut, delivered);
                return Ok((Part::Piece(chunk), Reader::Open(self)));
            }
            match self.content.read(&mut self.block)? {
                0 => return self.last(),
                count => self.splitter.push(&self.block[..count])?,
            }
        }
    }

    fn last(self: Box<Self>) -> Result<(Part<Chunk>, Reader)> {
        let Self { content, splitter, accounted, .. } = *self;
        let (rest, kind) = splitter.finish()?;
        let (gzip, delivered) = (content.is_gzip(), content.delivered() - accounted);
        let ending = Ending { kind, gzip, measured: content.finish() };
        Ok(match rest {
            Some(cut) => (Part::Piece(Chunk::new(cut, delivered)), Reader::Ending(Box::new(ending))),
            None => (Part::End(ending), Reader::Done),
        })
    }
}

/// Large enough that a thread is busy for some milliseconds, small enough that all cores together hold little.
const CHUNK: usize = 2 * 1024 * 1024;

/// Cuts content into chunks of whole rows.
#[derive(Debug)]
struct Splitter {
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
struct Cut {
    bytes: Vec<u8>,
    mark: Option<u8>,
    offset: u64,
}

impl Splitter {
    fn new(syntax: Syntax) -> Self {
        let cutter = match syntax {
            Syntax::Csv => Cutter::Csv(CsvSplitter::new(CHUNK)),
            Syntax::Json => Cutter::Json(JsonSplitter::new(CHUNK)),
        };
        Self { cutter, next: None }
    }

    fn push(&mut self, block: &[u8]) -> Result<()> {
        match &mut self.cutter {
            Cutter::Csv(splitter) => splitter.push(block).map_err(csv_error),
            Cutter::Json(splitter) => splitter.push(block).map_err(json_error),
        }
    }

    fn next_chunk(&mut self) -> Option<Cut> {
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
    fn finish(self) -> Result<(Option<Cut>, ArtifactKind)> {
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
    fn length(&self) -> usize {
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

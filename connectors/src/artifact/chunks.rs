//! An artifact in chunks of whole rows, from its beginning to its end.

use super::{
    Syntax,
    content::{Content, Measured},
    cores,
    splitter::{Cut, Splitter},
};
use crate::{Result, spool::on_blocking_thread};
use archive_formats::ArtifactKind;
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

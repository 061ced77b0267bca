//! An artifact in chunks of whole rows, in order.

use super::{
    content::{Content, Measured, Syntax},
    read_ahead::{Item, ReadAhead},
};
use crate::{Error, ErrorKind, Result, spool::on_blocking_thread};
use archive_formats::{
    ArtifactKind,
    decode::{
        csv::{CsvError, CsvSplitter},
        json::{Harmless, JsonError, JsonShape, JsonSplitter},
    },
};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use std::{
    num::NonZero,
    path::PathBuf,
    sync::{Arc, OnceLock},
    thread::available_parallelism,
};

/// Large enough to keep a thread busy for some milliseconds, small enough that all cores together hold little.
const CHUNK: usize = 2 * 1024 * 1024;

/// Whole rows.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// A first byte that the splitter added to mark the shape of the chunk.
    pub(crate) mark: Option<u8>,
    /// Where the other bytes begin in the unpacked content.
    pub(crate) offset: u64,
    /// How many bytes of progress the chunk is: delivered bytes read for it, packed where the artifact is.
    pub(crate) progress: u64,
}

impl Chunk {
    /// How many bytes of the content it has.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len() - usize::from(self.mark.is_some())
    }
}

/// Kind, packing and digests of an artifact, known once all of it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) kind: ArtifactKind,
    pub(crate) gzip: bool,
    pub(crate) measured: Measured,
}

/// The results of a function on all chunks of an artifact, in the order of the chunks.
pub(crate) struct Chunks<T> {
    results: BoxStream<'static, Result<T>>,
    summary: Arc<OnceLock<Summary>>,
}

impl<T: Send + 'static> Chunks<T> {
    /// Calls `work` with every chunk of the artifact at `path`, on all cores.
    pub(crate) fn map(
        path: PathBuf,
        syntax: Syntax,
        harmless: &Harmless,
        work: impl Fn(Chunk) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let (work, summary) = (Arc::new(work), Arc::default());
        let reader =
            Reader::Closed { path, splitter: Box::new(Splitter::new(syntax, harmless)), summary: Arc::clone(&summary) };
        let chunks = stream::try_unfold(reader, |reader| on_blocking_thread(move || reader.next()));
        // `try_buffered` would yield an error of the reader before the results of earlier chunks.
        let call = move |chunk: Result<Chunk>| {
            let work = Arc::clone(&work);
            async move {
                let chunk = chunk?;
                on_blocking_thread(move || work(chunk)).await
            }
        };
        Self { results: chunks.map(call).buffered(cores() + 2).boxed(), summary }
    }

    /// The result for the next chunk; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        self.results.try_next().await
    }

    /// The summary of the artifact, once `next` has returned `None`.
    pub(crate) fn summary(&self) -> Result<Summary> {
        let summary = self.summary.get().copied();
        summary.ok_or_else(|| Error::new(ErrorKind::Internal, "the artifact was not read to its end"))
    }
}

/// How many chunks are decoded at the same time.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The first chunk of the artifact at `path`; `None` if it is JSON without records.
pub(super) fn first_chunk(path: PathBuf, syntax: Syntax, harmless: &Harmless) -> Result<Option<Chunk>> {
    let reader = Reader::Closed { path, splitter: Box::new(Splitter::new(syntax, harmless)), summary: Arc::default() };
    Ok(reader.next()?.map(|(chunk, _)| chunk))
}

/// Reads and cuts an artifact, and leaves its summary for [`Chunks`].
enum Reader {
    Closed { path: PathBuf, splitter: Box<Splitter>, summary: Arc<OnceLock<Summary>> },
    Open(OpenReader),
    Ended,
}

struct OpenReader {
    blocks: ReadAhead,
    splitter: Box<Splitter>,
    /// Delivered bytes of the blocks so far.
    delivered: u64,
    /// Delivered bytes that earlier chunks have counted.
    counted: u64,
    summary: Arc<OnceLock<Summary>>,
}

impl Reader {
    fn next(self) -> Result<Option<(Chunk, Self)>> {
        match self {
            Self::Closed { path, splitter, summary } => {
                let blocks = ReadAhead::open(&path)?;
                OpenReader { blocks, splitter, delivered: 0, counted: 0, summary }.next()
            }
            Self::Open(open) => open.next(),
            Self::Ended => Ok(None),
        }
    }
}

impl OpenReader {
    fn next(mut self) -> Result<Option<(Chunk, Reader)>> {
        loop {
            if let Some(mut chunk) = self.splitter.next_chunk() {
                chunk.progress = self.delivered - self.counted;
                self.counted += chunk.progress;
                return Ok(Some((chunk, Reader::Open(self))));
            }
            match self.blocks.next()? {
                Item::End(content) => return self.last(*content),
                Item::Block(block) => {
                    self.delivered = block.delivered;
                    // Where to look: an error of a chunk has the number of its row instead.
                    let near = |error: Error| error.with_context("near_byte", block.unpacked);
                    self.splitter.push(&block.bytes).map_err(near)?;
                    self.blocks.recycle(block);
                }
            }
        }
    }

    fn last(self, content: Content) -> Result<Option<(Chunk, Reader)>> {
        let Self { splitter, counted, summary, .. } = self;
        let (rest, kind) = splitter.finish()?;
        let (gzip, progress) = (content.is_gzip(), content.delivered() - counted);
        summary.get_or_init(|| Summary { kind, gzip, measured: content.finish() });
        Ok(rest.map(|chunk| (Chunk { progress, ..chunk }, Reader::Ended)))
    }
}

/// Cuts content of either syntax into chunks of whole rows.
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

impl Splitter {
    fn new(syntax: Syntax, harmless: &Harmless) -> Self {
        let cutter = match syntax {
            Syntax::Csv => Cutter::Csv(CsvSplitter::new(CHUNK)),
            Syntax::Json => Cutter::Json(JsonSplitter::new(CHUNK).with_harmless(harmless.clone())),
        };
        Self { cutter, next: None }
    }

    fn push(&mut self, block: &[u8]) -> Result<()> {
        match &mut self.cutter {
            Cutter::Csv(splitter) => splitter.push(block).map_err(csv_error),
            Cutter::Json(splitter) => splitter.push(block).map_err(json_error),
        }
    }

    fn next_chunk(&mut self) -> Option<Chunk> {
        let (chunk, between) = match &mut self.cutter {
            Cutter::Csv(splitter) => (csv_chunk(splitter.next_chunk()?, self.next), 0),
            Cutter::Json(splitter) => {
                let chunk = json_chunk(splitter.next_chunk()?, splitter, self.next);
                (chunk, u64::from(splitter.shape() != Some(JsonShape::Lines)))
            }
        };
        self.next = Some(chunk.offset + chunk.length() as u64 + between);
        Some(chunk)
    }

    /// The last chunk, and the kind of the artifact.
    fn finish(self) -> Result<(Option<Chunk>, ArtifactKind)> {
        match self.cutter {
            Cutter::Csv(splitter) => {
                let rest = splitter.finish().map_err(csv_error)?;
                if self.next.is_none() && rest.is_none() {
                    return Err(no_content("not even a header"));
                }
                Ok((rest.map(|bytes| csv_chunk(bytes, self.next)), ArtifactKind::Csv))
            }
            Cutter::Json(mut splitter) => {
                let rest = splitter.finish().map_err(json_error)?;
                let shape = splitter.shape().ok_or_else(|| no_content("not even brackets"))?;
                Ok((rest.map(|bytes| json_chunk(bytes, &splitter, self.next)), shape.kind()))
            }
        }
    }
}

fn csv_chunk(bytes: Vec<u8>, next: Option<u64>) -> Chunk {
    Chunk { bytes, mark: None, offset: next.unwrap_or(0), progress: 0 }
}

fn json_chunk(bytes: Vec<u8>, splitter: &JsonSplitter, next: Option<u64>) -> Chunk {
    let offset = next.unwrap_or_else(|| splitter.start());
    Chunk { mark: splitter.mark(&bytes), offset, bytes, progress: 0 }
}

fn csv_error(error: CsvError) -> Error {
    let failed = match error {
        CsvError::Truncated => truncated(),
        CsvError::RecordTooLong(_) => unreadable("CSV").with_hint(TOO_LONG),
        _ => unreadable("CSV"),
    };
    failed.with_source(error)
}

fn json_error(error: JsonError) -> Error {
    let failed = match error {
        JsonError::Truncated => truncated(),
        JsonError::OnePage(_)
        | JsonError::OtherCount { .. }
        | JsonError::UnknownMembers(_)
        | JsonError::RepeatedMember => {
            Error::new(ErrorKind::Incomplete, "the artifact may be a part of what was to be exported").with_hint(
                "nothing was committed; export all pages. If a member does not tell of events left out, name it \
                     with --harmless-members",
            )
        }
        JsonError::RecordTooLong => unreadable("JSON of events").with_hint(TOO_LONG),
        _ => unreadable("JSON of events"),
    };
    failed.with_source(error)
}

const TOO_LONG: &str = "look for a quote or a bracket that is not closed; longer rows cannot be archived";

fn unreadable(format: &str) -> Error {
    Error::new(ErrorKind::Source, format!("the artifact cannot be read as {format}"))
}

/// An outage looks the same as an export without events, which has at least a header or brackets.
fn no_content(lacks: &str) -> Error {
    Error::new(ErrorKind::Incomplete, format!("the artifact is empty: it has {lacks}"))
        .with_hint("nothing was committed; export it again, or take the file out of the source")
}

fn truncated() -> Error {
    Error::new(ErrorKind::Truncated, "the artifact ends in the middle of a record")
}

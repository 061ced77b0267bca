//! A spooled artifact, and the events in it.

use super::{
    claims::{Packing, disagree},
    config::Endpoints,
    content::Content,
    job::Ready,
    keep::{Keep, Kept},
    wire::{Claims, JobId},
};
use crate::{
    Error, ErrorKind, Result,
    spool::{ClosedSpool, Spooled, on_blocking_thread},
};
use archive_formats::{
    Reject, Sha256, Timestamp,
    catalogue::{HeaderError, KeyColumns},
    decode::csv::{CsvError, CsvLayout, CsvSplitter},
};
use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::ready,
    stream::{self, BoxStream},
};
use serde::{Deserialize, Serialize};
use std::{num::NonZero, sync::Arc, thread::available_parallelism};

/// A whole artifact on disk, with what is known of its job.
#[derive(Debug)]
pub(super) struct Artifact {
    pub(super) spooled: Spooled,
    pub(super) note: Note,
}

/// What lies beside an artifact, so that another run can go on with it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) job: JobId,
    pub(super) endpoints: Endpoints,
    pub(super) asked_at: Timestamp,
    pub(super) status_words: Vec<String>,
    pub(super) server_clock: Option<Timestamp>,
    pub(super) gzip: bool,
    /// How many rows the job says there are.
    pub(super) rows: Option<u64>,
    /// What the job says of the unpacked content.
    inside: Claims,
}

/// A piece of an artifact, decoded.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) kept: Kept,
    /// With absolute lines.
    pub(super) rejects: Vec<Reject>,
    /// Rows of the piece, rejects included.
    pub(super) rows: u64,
    /// Delivered bytes that it took.
    pub(super) bytes: u64,
}

/// Whole records of an artifact.
struct Chunk {
    bytes: Vec<u8>,
    /// Delivered bytes that were read for it.
    delivered: u64,
}

/// Large enough that a thread is busy for some milliseconds, small enough that all cores together hold little.
const CHUNK: usize = 2 * 1024 * 1024;

impl Artifact {
    /// Makes the artifact of a `ready` job one that another run can find.
    pub(super) async fn keep(closed: ClosedSpool, packing: Packing, ready: &Ready) -> Result<Self> {
        let note = Note {
            job: ready.id.clone(),
            endpoints: ready.endpoints,
            asked_at: ready.asked_at,
            status_words: ready.words.clone(),
            server_clock: ready.server_clock,
            gzip: packing.gzip,
            rows: ready.claims.rows,
            inside: packing.inside,
        };
        let json = serde_json::to_value(&note)
            .map_err(|error| Error::new(ErrorKind::Internal, "could not encode a note").with_source(error))?;
        Ok(Self { spooled: closed.finish(json).await?, note })
    }

    /// The artifact of an earlier run. A note that cannot be read makes it none.
    pub(super) fn found(spooled: Spooled) -> Option<Self> {
        let note = serde_json::from_value(spooled.note.clone()).ok()?;
        Some(Self { spooled, note })
    }

    /// The pieces of the artifact in their order. They are decoded on all cores; the last one comes only after the
    /// bytes turned out to be those that were downloaded.
    pub(super) fn pieces(self: Arc<Self>, keys: KeyColumns, keep: Keep) -> BoxStream<'static, Result<Piece>> {
        let pieces = async move {
            let reader = on_blocking_thread(move || Reader::open(self)).await?;
            let Some((first, reader)) = next_chunk(reader).await? else { return Ok(stream::empty().boxed()) };
            let (layout, taken) = CsvLayout::from_header(&first.bytes, &keys).map_err(no_header)?;
            let layout = Arc::new(layout);
            let mut line = 1 + line_feeds(&first.bytes[..taken]);
            let first = Chunk { bytes: first.bytes[taken..].to_vec(), delivered: first.delivered };
            let rest = stream::try_unfold(reader, next_chunk);
            let chunks = stream::once(ready(Ok(first))).chain(rest);
            let decoded = chunks.map(move |chunk| decode(Arc::clone(&layout), chunk, keep)).buffered(cores());
            let numbered = decoded.map_ok(move |(mut piece, lines)| {
                piece.rejects.iter_mut().for_each(|reject| reject.line += line);
                line += lines;
                piece
            });
            Ok(numbered.boxed())
        };
        pieces.into_stream().try_flatten().boxed()
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

async fn decode(layout: Arc<CsvLayout>, chunk: Result<Chunk>, keep: Keep) -> Result<(Piece, u64)> {
    let Chunk { bytes, delivered } = chunk?;
    on_blocking_thread(move || {
        let decoded = layout.decode(&bytes);
        let kept = keep.of(decoded.batch)?;
        Ok((Piece { kept, rejects: decoded.rejects, rows: decoded.rows, bytes: delivered }, decoded.lines))
    })
    .await
}

async fn next_chunk(mut reader: Reader) -> Result<Option<(Chunk, Reader)>> {
    on_blocking_thread(move || Ok(reader.next()?.map(|chunk| (chunk, reader)))).await
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn no_header(error: CsvError) -> Error {
    let hint = match &error {
        CsvError::Header(HeaderError::NoKey { .. }) | CsvError::OneKey(_) => {
            "name the columns with --id-column and --time-column"
        }
        _ => "have the header mended at the source",
    };
    Error::new(ErrorKind::Source, "the artifact's header is not one of events").with_source(error).with_hint(hint)
}

/// Cuts an artifact into chunks, and compares it at its end with what was downloaded.
struct Reader {
    open: Option<(Content, CsvSplitter)>,
    artifact: Arc<Artifact>,
    block: Vec<u8>,
    /// Delivered bytes that belong to chunks which were given out.
    accounted: u64,
}

impl Reader {
    fn open(artifact: Arc<Artifact>) -> Result<Self> {
        const BLOCK: usize = 256 * 1024;
        let content = Content::open(&artifact.spooled.path)?;
        Ok(Self { open: Some((content, CsvSplitter::new(CHUNK))), artifact, block: vec![0; BLOCK], accounted: 0 })
    }

    fn next(&mut self) -> Result<Option<Chunk>> {
        while let Some((content, splitter)) = &mut self.open {
            if let Some(bytes) = splitter.next_chunk() {
                let delivered = content.delivered() - self.accounted;
                self.accounted += delivered;
                return Ok(Some(Chunk { bytes, delivered }));
            }
            match content.read(&mut self.block)? {
                0 => return self.last(),
                count => splitter.push(&self.block[..count]).map_err(|error| {
                    Error::new(ErrorKind::Source, "the artifact cannot be read as CSV").with_source(error)
                })?,
            }
        }
        Ok(None)
    }

    fn last(&mut self) -> Result<Option<Chunk>> {
        let Some((content, splitter)) = self.open.take() else { return Ok(None) };
        let bytes = splitter.finish().map_err(|error| {
            Error::new(ErrorKind::Truncated, "the artifact ends in the middle of a record").with_source(error)
        })?;
        let delivered = content.delivered() - self.accounted;
        let measured = content.finish();
        if measured.delivered_sha256 != self.artifact.spooled.sha256 {
            return Err(Error::new(ErrorKind::Local, "the spooled artifact is not what was downloaded")
                .with_context("path", self.artifact.spooled.path.display())
                .with_hint("run the same command again: the artifact is downloaded anew; check the disk"));
        }
        let inside = &self.artifact.note.inside;
        let same_size = inside.bytes.is_none_or(|bytes| bytes == measured.plain_bytes);
        let same_digest = inside.sha256.is_none_or(|sha256: Sha256| sha256 == measured.plain_sha256);
        if !(same_size && same_digest) {
            return Err(disagree(ErrorKind::Incomplete, measured.plain_bytes, measured.plain_sha256, inside));
        }
        Ok(bytes.map(|bytes| Chunk { bytes, delivered }))
    }
}

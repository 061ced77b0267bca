//! A spooled artifact, and the events in it.

use super::{
    config::{ArtifactFormat, Endpoints},
    job::Ready,
    wire::{Claims, JobId},
};
use crate::{
    Error, ErrorKind, Result,
    artifact::{Chunk, Content, Keep, Kept, Measured, Opening, Part, Syntax, on_all_cores, sniff},
    spool::{ClosedSpool, Spooled, on_blocking_thread},
};
use archive_formats::{ArtifactKind, Reject, Sha256, Timestamp, catalogue::KeyColumns, decode::Decoded};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

    /// The pieces of the artifact in their order, and then its kind, which comes only after the bytes turned out to be
    /// those that were downloaded.
    pub(super) fn pieces(
        self: Arc<Self>,
        syntax: Syntax,
        keys: KeyColumns,
        keep: Keep,
    ) -> BoxStream<'static, Result<Part<Piece, ArtifactKind>>> {
        let pieces = async move {
            let path = self.spooled.path.clone();
            let opening = Opening::of(path.clone(), syntax, keys).await?;
            let (artifact, mut line) = (Arc::clone(&self), 1);
            let decode = move |chunk: Chunk| match &opening {
                Some(opening) => decode(opening, &chunk, keep),
                None => Err(artifact.altered()),
            };
            let parts = on_all_cores(path, syntax, decode).map(move |part| match part? {
                Part::Piece((mut piece, lines)) => {
                    piece.rejects.iter_mut().for_each(|reject| reject.line += line);
                    line += lines;
                    Ok(Part::Piece(piece))
                }
                Part::End(ending) => self.check(&ending.measured).map(|()| Part::End(ending.kind)),
            });
            Ok(parts)
        };
        pieces.into_stream().try_flatten().boxed()
    }

    /// Compares what was read with what was downloaded, and with what the job says of the content.
    fn check(&self, measured: &Measured) -> Result<()> {
        if measured.delivered_sha256 != self.spooled.sha256 {
            return Err(self.altered());
        }
        let inside = &self.note.inside;
        let same_size = inside.bytes.is_none_or(|bytes| bytes == measured.plain_bytes);
        let same_digest = inside.sha256.is_none_or(|sha256: Sha256| sha256 == measured.plain_sha256);
        if same_size && same_digest {
            return Ok(());
        }
        Err(disagree(ErrorKind::Incomplete, measured.plain_bytes, measured.plain_sha256, inside))
    }

    fn altered(&self) -> Error {
        Error::new(ErrorKind::Local, "the spooled artifact is not what was downloaded")
            .with_context("path", self.spooled.path.display())
            .with_hint("run the same command again: the artifact is downloaded anew; check the disk")
    }
}

/// A chunk as events, and the lines that it takes. Lines of its rejects count from its first one.
fn decode(opening: &Opening, chunk: &Chunk, keep: Keep) -> Result<(Piece, u64)> {
    let Decoded { batch, rejects, rows, lines } = opening.decode(chunk);
    Ok((Piece { kept: keep.of(batch)?, rejects, rows, bytes: chunk.delivered }, lines))
}

/// How an artifact is packed, and which claims can be compared only with what is inside.
#[derive(Debug)]
pub(super) struct Packing {
    gzip: bool,
    inside: Claims,
}

/// Compares the artifact with what the job claims, and refuses what cannot be of the `format` that was asked for; a
/// contradiction is of `kind`. A size or digest of something that is gzip may be meant before or after packing.
pub(super) async fn check(
    closed: ClosedSpool,
    claims: &Claims,
    format: ArtifactFormat,
    kind: ErrorKind,
) -> Result<(ClosedSpool, Packing)> {
    let path = closed.path().to_owned();
    let gzip = on_blocking_thread(move || {
        const START: usize = 512;
        let mut content = Content::open(&path)?;
        let mut start = vec![0; START];
        let count = content.read(&mut start)?;
        sniff(&start[..count], format.syntax()).map_err(|found| refused(found, format))?;
        Ok(content.is_gzip())
    })
    .await?;
    let bytes = claims.bytes.filter(|bytes| *bytes != closed.bytes);
    let sha256 = claims.sha256.filter(|sha256| *sha256 != closed.sha256);
    let inside = Claims { rows: None, bytes, sha256 };
    if gzip || inside == Claims::default() {
        return Ok((closed, Packing { gzip, inside }));
    }
    Err(disagree(kind, closed.bytes, closed.sha256, claims))
}

fn refused(found: &str, format: ArtifactFormat) -> Error {
    let wanted = format.syntax();
    Error::new(ErrorKind::Source, format!("the artifact is {found} where {wanted} was asked for"))
        .with_hint("check the source's address, and whether the token may export this dataset")
}

/// The error for an artifact that is not what its job says it is.
fn disagree(kind: ErrorKind, bytes: u64, sha256: Sha256, claims: &Claims) -> Error {
    let error = Error::new(kind, "the artifact is not the one that the export job describes");
    let error = match claims.bytes {
        Some(claimed) if claimed != bytes => error.with_context("bytes", bytes).with_context("expected bytes", claimed),
        _ => error,
    };
    match claims.sha256 {
        Some(claimed) if claimed != sha256 => {
            error.with_context("sha256", sha256).with_context("expected sha256", claimed)
        }
        _ => error,
    }
}

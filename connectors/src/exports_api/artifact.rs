//! A spooled artifact: compared with what its job claims, and decoded.

use super::{
    config::{ArtifactFormat, Endpoints},
    job::FinishedJob,
    representation::End,
    wire::{Claims, JobId},
};
use crate::{
    Error, ErrorKind, Result,
    artifact::{ArtifactRules, ArtifactSchema, Chunks, Content, DecodedChunk, Summary, Syntax, WindowFilter, sniff},
    spool::{ClosedSpool, Spooled, on_blocking_thread},
};
use archive_formats::{ArtifactKind, Sha256, Timestamp};
use serde::{Deserialize, Serialize};
use std::{path::Path, sync::Arc};

/// An artifact on disk, with its job.
#[derive(Debug)]
pub(super) struct Artifact {
    pub(super) spooled: Spooled,
    pub(super) metadata: SpoolMetadata,
}

/// An artifact that was read to its end, which agrees with its job, and for whose end something vouches. A read cannot
/// end without one.
#[derive(Debug)]
pub(super) struct WholeArtifact<'a> {
    pub(super) artifact: &'a Artifact,
    pub(super) summary: Summary,
    /// All rows, rejects included.
    pub(super) rows: u64,
}

/// What another run needs to go on with a spooled artifact.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SpoolMetadata {
    pub(super) job: JobId,
    pub(super) endpoints: Endpoints,
    pub(super) asked_at: Timestamp,
    pub(super) status_words: Vec<String>,
    pub(super) server_clock: Option<Timestamp>,
    pub(super) gzip: bool,
    end: End,
    /// How many rows the job claims.
    pub(super) rows: Option<u64>,
    /// Whether the job claims a size or a digest.
    measured: bool,
    /// Claims that can be compared only with the unpacked content.
    inside: Claims,
}

impl Artifact {
    /// Compares the bytes with the claims of their `job`, refuses content of another `format`, and records the artifact
    /// so that another run finds it. The error of a contradiction is of `kind`.
    pub(super) async fn new(
        closed: ClosedSpool,
        end: End,
        job: &FinishedJob,
        format: ArtifactFormat,
        kind: ErrorKind,
    ) -> Result<Self> {
        let claims = &job.claims;
        let path = closed.path().to_owned();
        let gzip = on_blocking_thread(move || inspect(&path, format.syntax())).await?;
        // The size or digest of gzip may be meant before or after packing.
        let bytes = claims.bytes.filter(|bytes| *bytes != closed.bytes);
        let sha256 = claims.sha256.filter(|sha256| *sha256 != closed.sha256);
        let inside = Claims { rows: None, bytes, sha256 };
        if !gzip && inside != Claims::default() {
            return Err(mismatch(kind, closed.bytes, closed.sha256, claims));
        }
        let metadata = SpoolMetadata {
            job: job.id.clone(),
            endpoints: job.endpoints,
            asked_at: job.asked_at,
            status_words: job.status_words.clone(),
            server_clock: job.server_clock,
            gzip,
            end,
            rows: claims.rows,
            measured: claims.bytes.is_some() || claims.sha256.is_some(),
            inside,
        };
        let json = serde_json::to_value(&metadata).map_err(|error| {
            Error::new(ErrorKind::Internal, "could not encode a spool's metadata").with_source(error)
        })?;
        Ok(Self { spooled: closed.finish(json).await?, metadata })
    }

    /// The artifact of an earlier run; `None` if its metadata cannot be read.
    pub(super) fn from_spool(spooled: Spooled) -> Option<Self> {
        let metadata = serde_json::from_value(spooled.metadata.clone()).ok()?;
        Some(Self { spooled, metadata })
    }

    /// Decodes the artifact, and selects the events of a window. Rejects have lines of their chunks.
    pub(super) async fn decode(
        self: &Arc<Self>,
        syntax: Syntax,
        rules: &ArtifactRules,
        filter: WindowFilter,
    ) -> Result<Chunks<DecodedChunk>> {
        let path = self.spooled.path.clone();
        let schema = ArtifactSchema::read(path.clone(), syntax, rules.clone()).await?;
        let artifact = Arc::clone(self);
        Ok(Chunks::map(path, syntax, &rules.harmless, move |chunk| match &schema {
            Some(schema) => schema.decode_window(&chunk, filter),
            None => Err(artifact.altered()),
        }))
    }

    /// Compares the bytes read with those downloaded, and the content with the claims of the job. Fails if it may be only
    /// the beginning of the artifact.
    pub(super) fn verify(&self, summary: Summary, rows: u64) -> Result<WholeArtifact<'_>> {
        let measured = &summary.measured;
        if measured.delivered_sha256 != self.spooled.sha256 {
            return Err(self.altered());
        }
        let inside = &self.metadata.inside;
        let same_size = inside.bytes.is_none_or(|bytes| bytes == measured.plain_bytes);
        let same_digest = inside.sha256.is_none_or(|sha256: Sha256| sha256 == measured.plain_sha256);
        if !same_size || !same_digest {
            return Err(mismatch(ErrorKind::Incomplete, measured.plain_bytes, measured.plain_sha256, inside));
        }
        if let Some(claimed) = self.metadata.rows.filter(|claimed| *claimed != rows) {
            let message = format!("the export job counts {claimed} rows, but its artifact has {rows}");
            let hint = "nothing was committed; run again for a new job";
            return Err(Error::new(ErrorKind::Incomplete, message).with_hint(hint));
        }
        if self.is_vouched_for(&summary) {
            Ok(WholeArtifact { artifact: self, summary, rows })
        } else {
            Err(open_end())
        }
    }

    /// Whether the protocol, the job or the content tells that the last byte received is the last one.
    fn is_vouched_for(&self, summary: &Summary) -> bool {
        let SpoolMetadata { end, rows, measured, .. } = &self.metadata;
        // A number of rows does not tell whether the last one is cut.
        let by_job = *measured || rows.is_some() && summary.measured.ends_a_line;
        // Lines can be cut between two of them, and so can members of gzip.
        let by_content = summary.kind == ArtifactKind::Json || summary.measured.is_one_gzip_member;
        *end == End::Framed || by_job || by_content
    }

    fn altered(&self) -> Error {
        Error::new(ErrorKind::Local, "the spooled artifact is not the downloaded one")
            .with_context("path", self.spooled.path.display())
            .with_hint("check the disk, then run the same command again: it downloads the artifact anew")
    }
}

/// Whether the artifact is gzip. Refuses content of another syntax.
fn inspect(path: &Path, wanted: Syntax) -> Result<bool> {
    const START: usize = 512;
    let mut content = Content::open(path)?;
    let mut start = vec![0; START];
    let count = content.read(&mut start)?;
    sniff(&start[..count], wanted).map_err(|found| {
        Error::new(ErrorKind::Source, format!("the artifact is {found} where {wanted} was requested"))
            .with_hint("check the source's address, and whether the token may export this dataset")
    })?;
    Ok(content.is_gzip())
}

fn open_end() -> Error {
    let message = "the connection was closed, and nothing tells whether the artifact was at its end";
    Error::new(ErrorKind::Truncated, message).with_hint(
        "have the server, or the proxy before it, send Content-Length or chunks; gzip, or JSON with --api-format json, \
         show their end too",
    )
}

fn mismatch(kind: ErrorKind, bytes: u64, sha256: Sha256, claims: &Claims) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Measured;
    use serde_json::Value;

    /// An artifact of a job that claims nothing, over a connection that was closed.
    fn artifact(change: impl FnOnce(&mut SpoolMetadata)) -> Artifact {
        let mut metadata = SpoolMetadata {
            job: "exp_1".to_owned().try_into().unwrap(),
            endpoints: Endpoints::Exports,
            asked_at: Timestamp::from_micros(0),
            status_words: Vec::new(),
            server_clock: None,
            gzip: false,
            end: End::Closed,
            rows: None,
            measured: false,
            inside: Claims::default(),
        };
        change(&mut metadata);
        let sha256 = Sha256::digest(b"delivered");
        Artifact { spooled: Spooled { path: "spool".into(), bytes: 9, sha256, metadata: Value::Null }, metadata }
    }

    /// Two lines of CSV without packing.
    fn summary() -> Summary {
        let measured = Measured {
            delivered_sha256: Sha256::digest(b"delivered"),
            plain_bytes: 5,
            plain_sha256: Sha256::digest(b"plain"),
            is_one_gzip_member: false,
            ends_a_line: true,
        };
        Summary { kind: ArtifactKind::Csv, gzip: false, measured }
    }

    fn verified(change: impl FnOnce(&mut SpoolMetadata), summary: Summary) -> std::result::Result<u64, ErrorKind> {
        artifact(change).verify(summary, 2).map(|whole| whole.rows).map_err(|error| error.kind())
    }

    mod the_end_of_an_artifact {
        use super::*;

        #[test]
        fn a_closed_connection_vouches_for_no_end() {
            assert_eq!(verified(|_| (), summary()), Err(ErrorKind::Truncated));
            // Lines can be cut between two of them.
            let lines = Summary { kind: ArtifactKind::JsonLines, ..summary() };
            assert_eq!(verified(|_| (), lines), Err(ErrorKind::Truncated));
        }

        #[test]
        fn the_protocol_vouches_for_the_end() {
            assert_eq!(verified(|metadata| metadata.end = End::Framed, summary()), Ok(2));
        }

        #[test]
        fn the_job_vouches_for_the_end() {
            assert_eq!(verified(|metadata| metadata.measured = true, summary()), Ok(2));
            assert_eq!(verified(|metadata| metadata.rows = Some(2), summary()), Ok(2));
            // The last row may be cut.
            let mut cut = summary();
            cut.measured.ends_a_line = false;
            assert_eq!(verified(|metadata| metadata.rows = Some(2), cut), Err(ErrorKind::Truncated));
        }

        #[test]
        fn the_content_vouches_for_the_end() {
            assert_eq!(verified(|_| (), Summary { kind: ArtifactKind::Json, ..summary() }), Ok(2));
            let mut packed = summary();
            packed.measured.is_one_gzip_member = true;
            assert_eq!(verified(|_| (), packed), Ok(2));
        }
    }

    mod what_the_job_claims {
        use super::*;

        fn claimed(inside: Claims) -> std::result::Result<u64, ErrorKind> {
            let change = |metadata: &mut SpoolMetadata| (metadata.end, metadata.inside) = (End::Framed, inside);
            verified(change, summary())
        }

        #[test]
        fn the_bytes_read_are_those_downloaded() {
            let mut altered = summary();
            altered.measured.delivered_sha256 = Sha256::digest(b"altered");
            assert_eq!(verified(|metadata| metadata.end = End::Framed, altered), Err(ErrorKind::Local));
        }

        #[test]
        fn a_size_or_a_digest_may_be_of_the_unpacked_content() {
            let (sha256, other) = (Some(Sha256::digest(b"plain")), Some(Sha256::digest(b"other")));
            assert_eq!(claimed(Claims { rows: None, bytes: Some(5), sha256 }), Ok(2));
            for (bytes, sha256) in [(Some(6), None), (Some(6), sha256), (None, other), (Some(5), other)] {
                let wrong = Claims { rows: None, bytes, sha256 };
                assert_eq!(claimed(wrong), Err(ErrorKind::Incomplete), "{bytes:?}, {sha256:?}");
            }
        }

        #[test]
        fn a_job_counts_each_row() {
            for (rows, expected) in [(2, Ok(2)), (1, Err(ErrorKind::Incomplete)), (3, Err(ErrorKind::Incomplete))] {
                let change = |metadata: &mut SpoolMetadata| (metadata.end, metadata.rows) = (End::Framed, Some(rows));
                assert_eq!(verified(change, summary()), expected, "{rows}");
            }
        }
    }
}

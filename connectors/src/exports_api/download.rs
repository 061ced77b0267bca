//! Downloads the artifact of a finished job into the spool.

use super::{
    artifact::Artifact,
    client::{Client, Resume, Target, unreachable_host},
    config::ArtifactFormat,
    job::{FinishedJob, late},
    representation::{End, Representation},
};
use crate::{
    Error, ErrorKind, Result,
    progress::{Meter, Step},
    retry::{Attempts, Policy},
    spool::{Spool, SpoolWriter},
};
use archive_formats::Sha256;
use bytes::Bytes;
use reqwest::{Response, StatusCode};
use std::ops::ControlFlow;
use tokio::time::Instant;

/// A download that survives broken connections.
#[derive(Debug)]
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) job: &'a FinishedJob,
    pub(super) format: ArtifactFormat,
    pub(super) spool: &'a Spool,
    pub(super) key: &'a str,
    pub(super) meter: &'a Meter,
    pub(super) deadline: Instant,
}

/// The received bytes of an artifact.
struct PartialDownload {
    writer: SpoolWriter,
    target: Target,
    /// What they are a part of, if the download can be resumed.
    representation: Option<Representation>,
}

impl Download<'_> {
    /// Downloads until the artifact is whole and agrees with the claims of its job.
    pub(super) async fn run(&self) -> Result<Artifact> {
        let named = self.job.target.clone().map_or(Target::Endpoint, Target::Named);
        let mut part = self.begin(named).await?;
        let policy = Policy::per_call().until(self.deadline);
        let mut attempts = Attempts::new(policy);
        let mut furthest = 0;
        let mut disputed = None;
        loop {
            let received = policy.bounded(self.receive(&mut part)).await;
            // A long download may break often: only tries without progress count.
            if part.writer.bytes() > furthest {
                furthest = part.writer.bytes();
                attempts = Attempts::new(policy);
            }
            let error = match received {
                Err(error) => error,
                Ok(end) => match self.finish(part, end, &mut disputed).await? {
                    ControlFlow::Break(artifact) => return Ok(artifact),
                    ControlFlow::Continue((empty, error)) => {
                        part = empty;
                        error
                    }
                },
            };
            if part.target == Target::Endpoint || error.kind() == ErrorKind::Local {
                attempts.pause(error).await.map_err(|error| self.late(error))?;
            } else {
                tracing::debug!(%error, "the address that the job names does not work, using the download endpoint");
                (part.target, part.representation) = (Target::Endpoint, None);
            }
        }
    }

    /// If the server asks to wait beyond the deadline, another run may get the artifact from the same job.
    fn late(&self, error: Error) -> Error {
        let put_off = error.retry_after().is_some() && Instant::now() >= self.deadline;
        if put_off || error.kind() == ErrorKind::TryLater {
            late(error, "the artifact was not downloaded in time").with_context("job", &self.job.id)
        } else {
            error
        }
    }

    async fn begin(&self, target: Target) -> Result<PartialDownload> {
        Ok(PartialDownload { writer: self.spool.begin(self.key).await?, target, representation: None })
    }

    /// The artifact, or an empty download if it contradicts the claims of its job for the first time.
    async fn finish(
        &self,
        part: PartialDownload,
        end: End,
        disputed: &mut Option<Sha256>,
    ) -> Result<ControlFlow<Artifact, (PartialDownload, Error)>> {
        let PartialDownload { writer, target, .. } = part;
        let closed = writer.close().await?;
        // The same bytes twice: the network did not change them.
        let again = disputed.replace(closed.sha256) == Some(closed.sha256);
        let kind = if again { ErrorKind::Incomplete } else { ErrorKind::Truncated };
        match Artifact::new(closed, end, self.job, self.format, kind).await {
            Ok(artifact) => Ok(ControlFlow::Break(artifact)),
            Err(error) if again => Err(error),
            Err(error) => Ok(ControlFlow::Continue((self.begin(target).await?, error))),
        }
    }

    /// Receives the rest of `part`, or all of it again if there is no strong entity tag. After an error that casts doubt
    /// on the received bytes, the next call begins again.
    async fn receive(&self, part: &mut PartialDownload) -> Result<End> {
        let received = self.receive_rest(part).await;
        if received.as_ref().is_err_and(|error| error.kind() == ErrorKind::Truncated) {
            part.representation = None;
        }
        received
    }

    async fn receive_rest(&self, part: &mut PartialDownload) -> Result<End> {
        let offset = part.writer.bytes();
        let etag = part.representation.as_ref().and_then(Representation::etag).filter(|_| offset > 0);
        let resume = etag.map(|etag| Resume { offset, etag });
        let FinishedJob { endpoints, id, .. } = self.job;
        let opened = self.client.download(*endpoints, id, &part.target, resume).await;
        let response = opened.map_err(|error| error.with_context("job", id))?;
        let representation = if response.status() == StatusCode::PARTIAL_CONTENT {
            let begun = part.representation.take();
            begun.and_then(|begun| begun.with_part(&response, offset)).ok_or_else(other_part)?
        } else {
            part.restart().await?;
            self.meter.step(Step::Download, response.content_length());
            Representation::whole(&response)
        };
        part.representation = Some(representation.clone());
        self.store(part, response).await?;
        representation.end(part.writer.bytes())
    }

    async fn store(&self, part: &mut PartialDownload, mut response: Response) -> Result<()> {
        /// Large enough that a switch of threads costs little beside the write.
        const APPEND: usize = 1024 * 1024;
        let mut blocks: Vec<Bytes> = Vec::new();
        let mut size = 0;
        loop {
            let block = response.chunk().await.map_err(unreachable_host);
            let more = matches!(block, Ok(Some(_)));
            if let Ok(Some(block)) = &block {
                size += block.len();
                self.meter.advance(block.len() as u64);
                blocks.push(block.clone());
            }
            if size >= APPEND || !more {
                // Bytes received before a break are kept: the download may be resumed after them.
                part.writer.append(std::mem::take(&mut blocks)).await?;
                size = 0;
            }
            if block?.is_none() {
                return Ok(());
            }
        }
    }
}

impl PartialDownload {
    async fn restart(&mut self) -> Result<()> {
        if self.writer.bytes() > 0 { self.writer.restart().await } else { Ok(()) }
    }
}

fn other_part() -> Error {
    Error::new(ErrorKind::Truncated, "the server sent a part of another artifact than the one begun")
}

//! The artifact of a finished job, onto the local disk.

use super::{
    artifact::{self, Artifact},
    client::{Client, Rest, Target, unreachable_host},
    config::ArtifactFormat,
    job::{Ready, late},
    response,
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
    pub(super) ready: &'a Ready,
    pub(super) format: ArtifactFormat,
    pub(super) spool: &'a Spool,
    pub(super) key: &'a str,
    pub(super) meter: &'a Meter,
    pub(super) deadline: Instant,
}

/// What of an artifact is here.
struct Part {
    writer: SpoolWriter,
    target: Target,
    /// Strong tag of the artifact that the bytes are of.
    etag: Option<String>,
    /// How many bytes it has.
    total: Option<u64>,
}

impl Download<'_> {
    /// Downloads until the artifact is whole and is what the job says it is.
    pub(super) async fn run(&self) -> Result<Artifact> {
        let named = self.ready.target.clone().map_or(Target::Endpoint, Target::Named);
        let mut part = self.begin(named).await?;
        let policy = Policy::per_call().until(self.deadline);
        let mut attempts = Attempts::new(policy);
        let mut furthest = 0;
        let mut disputed = None;
        loop {
            let received = policy.bounded(self.receive(&mut part)).await;
            // A long download may break often; only one that gets no further is given up.
            if part.writer.bytes() > furthest {
                furthest = part.writer.bytes();
                attempts = Attempts::new(policy);
            }
            let error = match received {
                Err(error) => error,
                Ok(()) => match self.finish(part, &mut disputed).await? {
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
                part.target = Target::Endpoint;
            }
        }
    }

    /// A server that asks for more patience than there is may have the artifact for another run, with the same job.
    fn late(&self, error: Error) -> Error {
        let put_off = error.retry_after().is_some() && Instant::now() >= self.deadline;
        if put_off || error.kind() == ErrorKind::TryLater {
            late(error, "the artifact was not downloaded in time").with_context("job", &self.ready.id)
        } else {
            error
        }
    }

    async fn begin(&self, target: Target) -> Result<Part> {
        Ok(Part { writer: self.spool.begin(self.key).await?, target, etag: None, total: None })
    }

    /// Makes the artifact whole, or begins it again when it is not what the job says.
    async fn finish(&self, part: Part, disputed: &mut Option<Sha256>) -> Result<ControlFlow<Artifact, (Part, Error)>> {
        let Part { writer, target, .. } = part;
        let closed = writer.close().await?;
        // The same bytes twice: it is not the network that changes them.
        let again = disputed.replace(closed.sha256) == Some(closed.sha256);
        let kind = if again { ErrorKind::Incomplete } else { ErrorKind::Truncated };
        match artifact::check(closed, &self.ready.claims, self.format, kind).await {
            Ok((closed, packing)) => Ok(ControlFlow::Break(Artifact::keep(closed, packing, self.ready).await?)),
            Err(error) if again => Err(error),
            Err(error) => Ok(ControlFlow::Continue((self.begin(target).await?, error))),
        }
    }

    /// Receives what is missing of `part`; all of it, where the server cannot be held to the same artifact.
    async fn receive(&self, part: &mut Part) -> Result<()> {
        let offset = part.writer.bytes();
        let rest = part.etag.as_deref().filter(|_| offset > 0).map(|etag| Rest { offset, etag });
        let Ready { endpoints, id, .. } = self.ready;
        let asked_for_rest = rest.is_some();
        let opened = self.client.download(*endpoints, id, &part.target, rest).await;
        let response = match opened {
            Ok(response) => response,
            Err(error) => {
                if error.kind() == ErrorKind::Truncated {
                    part.etag = None;
                }
                return Err(error.with_context("job", id));
            }
        };
        if response.status() == StatusCode::PARTIAL_CONTENT {
            part.resume(&response, asked_for_rest)?;
        } else {
            part.restart(&response).await?;
            self.meter.step(Step::Download, part.total);
        }
        self.store(part, response).await
    }

    async fn store(&self, part: &mut Part, mut response: Response) -> Result<()> {
        /// Large enough that handing a piece to another thread costs nothing beside writing it.
        const PIECE: usize = 1024 * 1024;
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
            if size >= PIECE || !more {
                // What came before a break is kept: the rest may be all that is asked for.
                part.writer.append(std::mem::take(&mut blocks)).await?;
                size = 0;
            }
            if block?.is_none() {
                return part.complete();
            }
        }
    }
}

impl Part {
    /// Accepts a partial answer only if it begins where the bytes end.
    fn resume(&mut self, response: &Response, asked: bool) -> Result<()> {
        match response::content_range(response.headers()) {
            Some((first, total)) if asked && first == self.writer.bytes() => {
                self.total = total.or(self.total);
                Ok(())
            }
            _ => {
                self.etag = None;
                Err(Error::new(ErrorKind::Truncated, "the server sent another part of the artifact than was asked for"))
            }
        }
    }

    async fn restart(&mut self, response: &Response) -> Result<()> {
        if self.writer.bytes() > 0 {
            self.writer.restart().await?;
        }
        self.etag = response::strong_etag(response.headers()).map(str::to_owned);
        self.total = response::content_length(response.headers());
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let bytes = self.writer.bytes();
        match self.total {
            Some(total) if total != bytes => {
                if bytes > total {
                    self.etag = None;
                }
                Err(Error::new(ErrorKind::Truncated, "the artifact is not as long as the server says")
                    .with_context("bytes", bytes)
                    .with_context("expected", total))
            }
            _ => Ok(()),
        }
    }
}

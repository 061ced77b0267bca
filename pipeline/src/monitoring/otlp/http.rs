//! The HTTP client of the exporters: the one that everything else here uses.

use archive_connectors::{Error, ErrorKind, Result, http};
use futures::future::BoxFuture;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};
use url::Url;

/// How long one request may take. The exporters repeat what is worth it.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any answer of a collector has.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Sends what exporters give it to one endpoint. They do so from threads of their own, which have no runtime: the work
/// is done in that of the program.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    client: reqwest::Client,
    endpoint: Url,
    allow_http: bool,
    runtime: Handle,
    /// One warning is enough.
    warned: Arc<AtomicBool>,
}

impl Sender {
    pub(super) fn new(endpoint: Url, allow_http: bool, runtime: Handle) -> Result<Self> {
        Ok(Self { client: http::client(&endpoint)?, endpoint, allow_http, runtime, warned: Arc::default() })
    }

    /// Where it sends to.
    pub(super) fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        http::require_tls(&self.endpoint, self.allow_http, ErrorKind::Configuration).await?;
        let request = reqwest::Request::try_from(request).map_err(broken)?;
        let mut answer = self.client.execute(request).await.map_err(broken)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = Vec::new();
        while let Some(block) = answer.chunk().await.map_err(broken)? {
            body.extend_from_slice(&block);
            if body.len() > LONGEST_ANSWER {
                return Err(unavailable("the collector's answer has no end"));
            }
        }
        if !answer.status().is_success() {
            self.warn(&unavailable("the collector refused").with_context("status", answer.status().as_u16()));
        }
        Ok(response.map(|_| body.into()))
    }

    /// Says that nobody waits any longer.
    pub(super) fn give_up(&self) {
        self.warn(&unavailable("the collector did not take everything in time"));
    }

    fn warn(&self, error: &Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let reason = crate::report::Failure::from(error).message;
            tracing::warn!(%reason, to = http::origin(&self.endpoint), "could not send traces or metrics");
        }
    }
}

impl HttpClient for Sender {
    fn send_bytes<'life, 'future>(
        &'life self,
        request: Request<Bytes>,
    ) -> BoxFuture<'future, std::result::Result<Response<Bytes>, HttpError>>
    where
        'life: 'future,
        Self: 'future,
    {
        let work = timeout_in(self.clone().exchange(request));
        Box::pin(async move {
            let outcome = match self.runtime.spawn(work).await {
                Ok(outcome) => outcome,
                // The program ends.
                Err(error) => return Err(error.into()),
            };
            outcome.map_err(|error| {
                self.warn(&error);
                error.into()
            })
        })
    }
}

async fn timeout_in<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(unavailable("the collector did not answer in time")))
}

/// The HTTP library's own text would hold the whole address.
fn broken(error: reqwest::Error) -> Error {
    unavailable("could not reach the collector").with_source(error.without_url())
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::SourceUnavailable, message)
}

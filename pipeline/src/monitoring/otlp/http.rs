//! The HTTP client of the exporters, over the reqwest of the rest of the program.
//!
//! Not the exporter's own: that would add a second version of reqwest with its own TLS, follow redirects, and ignore the rule
//! for plain HTTP.

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

/// Limit for one request. The exporters retry.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the body of a response.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Sends the requests of an exporter to one endpoint. Exporters call it from threads without a runtime, so it spawns on
/// the program's.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    client: reqwest::Client,
    endpoint: Url,
    allow_http: bool,
    runtime: Handle,
    /// Only the first failure is logged.
    warned: Arc<AtomicBool>,
}

impl Sender {
    pub(super) fn new(endpoint: Url, allow_http: bool, runtime: Handle) -> Result<Self> {
        Ok(Self { client: http::client(&endpoint)?, endpoint, allow_http, runtime, warned: Arc::default() })
    }

    pub(super) fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        http::require_tls(&self.endpoint, self.allow_http, ErrorKind::Configuration).await?;
        let request = reqwest::Request::try_from(request).map_err(without_url)?;
        let mut received = self.client.execute(request).await.map_err(without_url)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = received.status();
        *response.headers_mut() = std::mem::take(received.headers_mut());
        let mut body = Vec::new();
        while let Some(block) = received.chunk().await.map_err(without_url)? {
            body.extend_from_slice(&block);
            if body.len() > MAX_BODY_BYTES {
                return Err(unavailable("the collector's response is too long"));
            }
        }
        if !received.status().is_success() {
            self.warn(
                &unavailable("the collector refused the request").with_context("status", received.status().as_u16()),
            );
        }
        Ok(response.map(|_| body.into()))
    }

    /// Warns that the time limit passed before everything was sent.
    pub(super) fn warn_timeout(&self) {
        self.warn(&unavailable("the collector did not accept everything in time"));
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
        let work = within_timeout(self.clone().exchange(request));
        Box::pin(async move {
            let outcome = match self.runtime.spawn(work).await {
                Ok(outcome) => outcome,
                // The runtime shuts down.
                Err(error) => return Err(error.into()),
            };
            outcome.map_err(|error| {
                self.warn(&error);
                error.into()
            })
        })
    }
}

async fn within_timeout<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(unavailable("the collector did not answer in time")))
}

/// Removes the URL, which reqwest's own text contains.
fn without_url(error: reqwest::Error) -> Error {
    unavailable("could not reach the collector").with_source(error.without_url())
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::SourceUnavailable, message)
}

//! The HTTP calls of the exports API, one method each. Callers decide when and how often to call.

use super::{
    config::{BearerToken, Config, Endpoints, bearer, printable},
    response::{self, Endpoint, one_line, refused},
    wire::{CreateRequest, JobId},
};
use crate::{Clock, Error, ErrorKind, Result, Secret, http};
use archive_formats::Timestamp;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use url::Url;

/// A client of one server, with one token.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: BearerToken,
    allow_http: bool,
    clock: Arc<dyn Clock>,
}

/// A response about a job.
#[derive(Debug)]
pub(super) struct JobResponse {
    pub(super) json: Value,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
    /// How long the server asks to wait before the next call.
    pub(super) wait: Option<Duration>,
}

/// The outcome of a create call.
#[derive(Debug)]
pub(super) enum Created {
    Job(JobResponse),
    /// The server does not have this endpoint.
    NoEndpoint(Error),
}

/// The response to a request for the list of jobs.
#[derive(Debug)]
pub(super) struct ListResponse {
    pub(super) status: StatusCode,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
    /// A refusal that creating a job would meet too.
    pub(super) refusal: Option<Error>,
}

/// Where to download an artifact from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The download endpoint.
    Endpoint,
    /// The address that the job named.
    Named(String),
}

/// Where to resume a download.
#[derive(Debug)]
pub(super) struct Resume<'a> {
    pub(super) offset: u64,
    /// Strong entity tag of the artifact.
    pub(super) etag: &'a str,
}

/// A request that may be sent to several addresses.
struct Call {
    method: Method,
    endpoint: Endpoint,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// A response, with the token that was sent and the endpoint that responded.
struct Exchange {
    response: Response,
    token: Secret,
    endpoint: Endpoint,
}

impl Client {
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let Config { base, credentials, allow_http, .. } = config;
        let (http, token) = (http::client(base)?, BearerToken::new(credentials.clone())?);
        Ok(Self { http, base: base.clone(), token, allow_http: *allow_http, clock })
    }

    /// Requests the list of jobs, which changes nothing. The platform does not document it: a status such as 405 shows
    /// that the endpoint exists as well as a list would.
    pub(super) async fn list(&self, endpoints: Endpoints) -> Result<ListResponse> {
        let exchange = self.send(&Call::get(Endpoint::List, self.jobs_url(endpoints)?)).await?;
        let (status, date) = (exchange.response.status(), response::date(exchange.response.headers()));
        let is_refusal = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 408 | 429);
        let refusal = if is_refusal { Some(self.refusal(exchange).await) } else { None };
        Ok(ListResponse { status, date, refusal })
    }

    /// Creates a job.
    pub(super) async fn create(
        &self,
        endpoints: Endpoints,
        request: &CreateRequest<'_>,
        idempotency_key: &str,
    ) -> Result<Created> {
        let body = serde_json::to_vec(request)
            .map_err(|error| Error::new(ErrorKind::Internal, "could not encode a request").with_source(error))?;
        let key = HeaderValue::try_from(idempotency_key)
            .map_err(|error| Error::new(ErrorKind::Internal, "not a header value").with_source(error))?;
        let mut call = Call::get(Endpoint::Create, self.jobs_url(endpoints)?);
        call.method = Method::POST;
        call.body = Some(body);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        call.headers.insert(HeaderName::from_static("idempotency-key"), key);
        let exchange = self.send(&call).await?;
        match exchange.response.status() {
            status if status.is_success() => Ok(Created::Job(exchange.job_response(self.clock.now()).await?)),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Ok(Created::NoEndpoint(self.refusal(exchange).await))
            }
            _ => Err(self.refusal(exchange).await),
        }
    }

    /// Requests the status of a job.
    pub(super) async fn status(&self, endpoints: Endpoints, id: &JobId) -> Result<JobResponse> {
        let exchange = self.send(&Call::get(Endpoint::Status, self.job_url(endpoints, id, None)?)).await?;
        if exchange.response.status().is_success() {
            exchange.job_response(self.clock.now()).await
        } else {
            Err(self.refusal(exchange).await)
        }
    }

    /// Requests the artifact, or the rest of it. The response has status 200, or 206 with a part of the artifact.
    pub(super) async fn download(
        &self,
        endpoints: Endpoints,
        id: &JobId,
        target: &Target,
        resume: Option<Resume<'_>>,
    ) -> Result<Response> {
        let url = match target {
            Target::Endpoint => self.job_url(endpoints, id, Some(endpoints.download()))?,
            Target::Named(location) => response::redirect(&self.base, location, self.allow_http).await?,
        };
        let mut call = Call::get(Endpoint::Download, url);
        call.headers.insert(header::ACCEPT, HeaderValue::from_static("text/csv, */*;q=0.5"));
        if let Some(Resume { offset, etag }) = resume {
            let values = [(header::RANGE, format!("bytes={offset}-")), (header::IF_RANGE, etag.to_owned())];
            for (name, value) in values {
                let value = HeaderValue::try_from(value);
                call.headers.insert(name, value.map_err(|_| Error::new(ErrorKind::Source, "not an entity tag"))?);
            }
        }
        let exchange = self.send(&call).await?;
        match exchange.response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT if response::has_next_page(exchange.response.headers()) => {
                Err(Error::new(
                    ErrorKind::Incomplete,
                    "the artifact is one page of several, according to its header Link",
                )
                .with_hint("nothing was committed; ask the platform's operator for an export of all pages"))
            }
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(exchange.response),
            _ => Err(self.refusal(exchange).await),
        }
    }

    /// An excerpt of `text` without the token, which a server may repeat.
    pub(super) async fn excerpt(&self, text: &str) -> Result<String> {
        Ok(one_line(&self.token.current().await?.redact(text)))
    }

    /// Sends `call`, and again with a newer token if the first one is refused and there is one.
    async fn send(&self, call: &Call) -> Result<Exchange> {
        let exchange = self.follow(call, self.token.current().await?).await?;
        if exchange.endpoint == Endpoint::Storage || exchange.response.status() != StatusCode::UNAUTHORIZED {
            return Ok(exchange);
        }
        match self.token.newer_than(&exchange.token).await? {
            Some(token) => self.follow(call, token).await,
            None => Ok(exchange),
        }
    }

    /// Sends `call` and follows redirects. The token is sent to the API's own origin alone, and not any more after a
    /// redirect by way of another origin.
    async fn follow(&self, call: &Call, token: Secret) -> Result<Exchange> {
        let mut url = call.url.clone();
        let mut trusted = response::same_origin(&self.base, &url);
        for _ in 0..=response::MAX_HOPS {
            let response = self.exchange(call, &url, trusted.then_some(&token)).await?;
            let location = if response.status().is_redirection() { location(&response) } else { None };
            let Some(location) = location else {
                let endpoint = if trusted { call.endpoint } else { Endpoint::Storage };
                return Ok(Exchange { response, token, endpoint });
            };
            let next = response::redirect(&url, &location, self.allow_http).await?;
            if call.method != Method::GET {
                return Err(Error::new(ErrorKind::Source, "the server redirects the create call")
                    .with_context("to", printable(&next))
                    .with_hint("use the address that it redirects to as the source"));
            }
            trusted &= response::same_origin(&url, &next);
            url = next;
        }
        Err(Error::new(ErrorKind::Source, "the server redirects too often").with_context("url", printable(&call.url)))
    }

    async fn exchange(&self, call: &Call, url: &Url, token: Option<&Secret>) -> Result<Response> {
        let request = self.http.request(call.method.clone(), url.clone()).headers(call.headers.clone());
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, bearer(token)?),
            None => request,
        };
        let request = call.body.iter().fold(request, |request: RequestBuilder, body| request.body(body.clone()));
        request.send().await.map_err(|error| unreachable_host(error).with_context("url", printable(url)))
    }

    async fn refusal(&self, exchange: Exchange) -> Error {
        refused(exchange.endpoint, exchange.response, &exchange.token, self.clock.now()).await
    }

    fn jobs_url(&self, endpoints: Endpoints) -> Result<Url> {
        let mut url = self.base.clone();
        let mut path = url.path_segments_mut().map_err(|()| not_a_base(&self.base))?;
        path.pop_if_empty().extend(endpoints.create());
        drop(path);
        Ok(url)
    }

    /// The address of a job, or of `part` of it. The id is percent-encoded.
    fn job_url(&self, endpoints: Endpoints, id: &JobId, part: Option<&str>) -> Result<Url> {
        let mut url = self.jobs_url(endpoints)?;
        let mut path = url.path_segments_mut().map_err(|()| not_a_base(&self.base))?;
        path.push(id.as_str()).extend(part);
        drop(path);
        Ok(url)
    }
}

impl Endpoints {
    pub(super) const fn create(self) -> &'static [&'static str] {
        match self {
            Self::Exports => &["v1", "exports"],
            Self::ExportsJobs => &["v1", "exports", "jobs"],
        }
    }

    const fn download(self) -> &'static str {
        match self {
            Self::Exports => "artifact",
            Self::ExportsJobs => "download",
        }
    }
}

impl Call {
    fn get(endpoint: Endpoint, url: Url) -> Self {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        Self { method: Method::GET, endpoint, url, headers, body: None }
    }
}

impl Exchange {
    /// The JSON of a response about a job.
    async fn job_response(mut self, now: Timestamp) -> Result<JobResponse> {
        const LARGEST: usize = 1024 * 1024;
        let unusable = |why: &str| Error::new(ErrorKind::Source, format!("the response about the export job {why}"));
        let date = response::date(self.response.headers());
        let wait = response::retry_after(self.response.headers(), date.unwrap_or(now));
        let mut body = Vec::new();
        while let Some(block) = self.response.chunk().await.map_err(unreachable_host)? {
            body.extend_from_slice(&block);
            if body.len() > LARGEST {
                return Err(unusable("is too long"));
            }
        }
        // The cause may repeat parts of the response.
        let json = serde_json::from_slice(&body).map_err(|_| {
            unusable("is not JSON").with_hint("check that the source's address is that of the API, not of its console")
        })?;
        Ok(JobResponse { json, date, wait })
    }
}

/// The error of a failed exchange. The text of the HTTP library would hold the whole URL.
pub(super) fn unreachable_host(error: reqwest::Error) -> Error {
    let message = if error.is_timeout() {
        "the server did not answer in time"
    } else if error.is_connect() {
        "could not connect to the server"
    } else {
        "the connection to the server broke"
    };
    let error = error.without_url();
    // Neither passes by itself, so that a retry would only take time.
    if let Some(hint) = tls_hint(&error) {
        return Error::new(ErrorKind::Source, message).with_source(error).with_hint(hint);
    }
    let hint = "check the source's address and the network, then run the same command again";
    Error::new(ErrorKind::SourceUnavailable, message).with_source(error).with_hint(hint)
}

/// What to do if the server's certificate is refused, or if the server does not speak TLS.
fn tls_hint(error: &dyn std::error::Error) -> Option<&'static str> {
    let texts = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    texts.into_iter().find_map(|text| {
        if text.contains("invalid peer certificate") {
            Some(
                "install the authority of the server's certificate, or name its file in SSL_CERT_FILE; use the name \
                 that the certificate is for",
            )
        } else if text.contains("InvalidContentType") {
            Some("the server does not speak TLS at this port: check it, or use http:// on a private network")
        } else {
            None
        }
    })
}

fn location(response: &Response) -> Option<String> {
    response::text(response.headers(), &header::LOCATION).map(str::to_owned)
}

fn not_a_base(url: &Url) -> Error {
    Error::new(ErrorKind::Configuration, "the source's address cannot have paths").with_context("url", printable(url))
}

//! Requests to S3 that `object_store` has no method for: the configuration of a bucket, versions, wrong checksums.

use super::{Location, Sink, cloud::Bucket, location::LocationKind};
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    aws::{AmazonS3, AwsAuthorizer},
    client::{HttpClient, HttpConnector, HttpRequest, ReqwestConnector},
    path::Path,
    signer::Signer,
};
use reqwest::{
    Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use std::time::Duration;

/// The header with the SHA-256 of the body in Base64.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// The longest response in bytes, more than any expected one.
const LONGEST_RESPONSE: usize = 256 * 1024;

/// How a bucket keeps objects from being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// It does not.
    Off,
    /// It can, but new objects have no retention unless their writer asks for one.
    WithoutRetention,
    /// New objects are locked: mode and duration, such as `COMPLIANCE, days: 365`.
    Default(String),
}

/// The Object Lock of the bucket at `location`; `None` for a directory, and for clouds without S3's interface.
pub async fn object_lock(location: &Location) -> Result<Option<ObjectLock>> {
    let LocationKind::Bucket { bucket, .. } = location.kind() else { return Ok(None) };
    if !bucket.is_s3() {
        return Ok(None);
    }
    let (bucket, sink) = (bucket.checked()?, Sink::open(location)?);
    let lock = SignedClient::new(&bucket)?.configuration(&sink, "object-lock").await?;
    Ok(Some(match lock {
        None => ObjectLock::Off,
        Some(lock) if lock.element("DefaultRetention").is_none() => ObjectLock::WithoutRetention,
        Some(lock) => ObjectLock::Default(retention(&lock)),
    }))
}

/// Sends requests that `object_store` has no method for, signed like its own.
#[derive(Debug)]
pub(super) struct SignedClient<'a> {
    store: AmazonS3,
    http: HttpClient,
    region: &'a str,
}

/// A request, whose digest may be wrong on purpose.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) key: &'a Path,
    pub(super) query: &'a str,
    pub(super) body: Bytes,
    /// The SHA-256 to send for the body, raw and in Base64.
    pub(super) digest: Option<([u8; 32], HeaderValue)>,
}

/// The response of the store.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    /// An XML document, or empty.
    text: String,
}

impl<'a> SignedClient<'a> {
    pub(super) fn new(bucket: &'a Bucket) -> Result<Self> {
        let http = ReqwestConnector::default().connect(&bucket.client_options());
        // The cause may hold a URL from the environment.
        let http = http.map_err(|_| Error::new(ErrorKind::Internal, "could not set up the HTTP client"))?;
        Ok(Self { store: bucket.s3()?, http, region: bucket.region() })
    }

    /// Reads a configuration of the bucket: `None` if it is not set, or not known to the store.
    pub(super) async fn configuration(&self, sink: &Sink, query: &str) -> Result<Option<Response>> {
        let doing = format!("read the bucket's {query}");
        let sent = self.send(Request::new(Method::GET, &Path::default(), query)).await;
        let response = sent.map_err(|error| sink.failed(&doing, "", &error))?;
        let is_unknown = matches!(response.status.as_u16(), 400 | 405 | 501);
        let is_absent = response.status == StatusCode::NOT_FOUND && response.element("Code") != Some("NoSuchBucket");
        match response.status {
            status if status.is_success() => Ok(Some(response)),
            _ if is_unknown || is_absent => Ok(None),
            _ => Err(response.into_error(sink, &doing, sink.url())),
        }
    }

    pub(super) async fn send(&self, request: Request<'_>) -> object_store::Result<Response> {
        // The signature of this URL is not used: it is for another query.
        let mut url = self.store.signed_url(Method::GET, request.key, Duration::from_secs(60)).await?;
        url.set_query(Some(request.query).filter(|query| !query.is_empty()));
        let credential = self.store.credentials().get_credential().await?;
        let mut signed = HttpRequest::new(request.body.into());
        *signed.method_mut() = request.method;
        *signed.uri_mut() = url.as_str().parse().map_err(generic)?;
        let digest = request.digest.map(|(digest, checksum)| {
            signed.headers_mut().insert(CHECKSUM, checksum);
            digest
        });
        let authorizer = AwsAuthorizer::new(&credential, "s3", self.region);
        authorizer.authorize(&mut signed, digest.as_ref().map(<[u8; 32]>::as_slice));
        let response = self.http.execute(signed).await.map_err(generic)?;
        let status = response.status();
        let mut body = response.into_body().bytes_stream();
        let mut bytes = Vec::new();
        while let Some(block) = body.try_next().await.map_err(generic)? {
            bytes.extend_from_slice(&block);
            if bytes.len() > LONGEST_RESPONSE {
                return Err(generic("the response is too long"));
            }
        }
        Ok(Response { status, text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

impl Response {
    /// The text of the first element `name`.
    pub(super) fn element(&self, name: &str) -> Option<&str> {
        self.elements(name).next()
    }

    /// The texts of all elements `name`. Supports neither nested elements nor attributes.
    pub(super) fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        let end = format!("</{name}>");
        let begun = self.text.split(&*format!("<{name}>")).skip(1).collect::<Vec<_>>();
        begun.into_iter().filter_map(move |rest| Some(rest.split_once(&end)?.0))
    }

    /// The response as an error, with the text that `object_store` would give it.
    pub(super) fn into_error(self, sink: &Sink, doing: &str, path: &str) -> Error {
        let text = format!("Server returned non-2xx status code: {}: {}", self.status, self.text);
        sink.failed(doing, path, &generic(text))
    }
}

fn generic(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: error.into() }
}

impl<'a> Request<'a> {
    pub(super) const fn new(method: Method, key: &'a Path, query: &'a str) -> Self {
        Self { method, key, query, body: Bytes::new(), digest: None }
    }
}

/// Mode and duration of the default retention, such as `COMPLIANCE, days: 1`.
pub(super) fn retention(lock: &Response) -> String {
    let part = |name| lock.element(name).filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let time = part("Days").map(|days| format!("days: {days}"));
    let time = time.or_else(|| part("Years").map(|years| format!("years: {years}")));
    [part("Mode").map(str::to_owned), time].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

//! Requests that `object_store` has no method for, signed as it signs its own.

use super::super::{Sink, s3::Bucket};
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

/// The header with the SHA-256 of a body, in Base64.
pub(super) const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// More than any answer here has.
const LONGEST_ANSWER: usize = 256 * 1024;

/// A client of one bucket.
#[derive(Debug)]
pub(super) struct Client<'a> {
    store: AmazonS3,
    http: HttpClient,
    region: &'a str,
}

/// A request. Its bytes may be other than its digests, as if they had been damaged on their way.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) key: &'a Path,
    pub(super) query: &'a str,
    pub(super) body: Bytes,
    /// The SHA-256 that the body is said to have, raw and in Base64.
    pub(super) digest: Option<([u8; 32], HeaderValue)>,
}

/// What the store answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// An XML document, or nothing.
    pub(super) text: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(bucket: &'a Bucket) -> Result<Self> {
        let http = ReqwestConnector::default().connect(&bucket.client_options());
        // The cause may hold an address of the environment.
        let http = http.map_err(|_| Error::new(ErrorKind::Internal, "could not set up the HTTP client"))?;
        Ok(Self { store: bucket.store()?, http, region: bucket.region() })
    }

    pub(super) async fn send(&self, request: Request<'_>) -> object_store::Result<Answer> {
        // The signature in this address is not used: it is for another query.
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
            if bytes.len() > LONGEST_ANSWER {
                return Err(generic("the answer is too long"));
            }
        }
        Ok(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

impl Answer {
    /// The text of the first element with this name.
    pub(super) fn element(&self, name: &str) -> Option<&str> {
        self.elements(name).next()
    }

    /// The texts of all elements with this name. Enough for documents whose elements neither nest nor have attributes.
    pub(super) fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        let end = format!("</{name}>");
        let begun = self.text.split(&*format!("<{name}>")).skip(1).collect::<Vec<_>>();
        begun.into_iter().filter_map(move |rest| Some(rest.split_once(&end)?.0))
    }

    /// The answer as an error, in the words that `object_store` has for it.
    pub(super) fn into_error(self, sink: &Sink, doing: &str, path: &str) -> Error {
        let text = format!("Server returned non-2xx status code: {}: {}", self.status, self.text);
        sink.failed(doing, path, &generic(text))
    }
}

fn generic(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: error.into() }
}

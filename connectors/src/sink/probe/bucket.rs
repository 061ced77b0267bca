//! Buckets: what they keep for good is found out before anything is written.

use super::{
    objects,
    signed::{Answer, Client, Request},
};
use crate::{
    Error, ErrorKind, Probe, Result,
    sink::{Sink, s3::Bucket},
};
use bytes::Bytes;
use object_store::{ObjectStoreExt, path::Path};
use reqwest::{Method, StatusCode, header::HeaderValue};

/// A bucket, and whether it keeps old versions of its objects.
#[derive(Debug)]
pub(super) struct Versions<'a> {
    client: Client<'a>,
    /// Where the archive lies in the bucket.
    prefix: &'a Path,
    are_kept: bool,
}

/// Why a probe must not write.
enum Caution {
    /// The bucket locks what is written.
    Locked(String),
    /// It is not known whether what is written could be removed.
    Unknown(Error),
}

pub(super) async fn probe(sink: &Sink, bucket: &Bucket, prefix: &Path) -> Vec<Probe> {
    let client = match Client::new(bucket) {
        Ok(client) => client,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    let mut versions = Versions { client, prefix, are_kept: true };
    let path = objects::name();
    match versions.look(sink, &path).await {
        Ok(lock) => {
            let mut probes = vec![Probe::passed("object lock", lock)];
            probes.extend(objects::probe(sink, &path, Some(&versions)).await);
            probes
        }
        Err(Caution::Locked(retention)) => {
            cautious(sink, &path, format!("what is written is locked ({retention})")).await.into()
        }
        Err(Caution::Unknown(error)) => {
            let [lock, write] = cautious(sink, &path, format!("not known ({error})")).await;
            let hint = "for a full trial let the key ask for the Object Lock and the versioning of the bucket, and \
                        delete objects";
            vec![lock.with_hint(hint), write]
        }
    }
}

/// What can be tried without writing an object, and why no more is: what is known of the `lock`.
pub(super) async fn cautious(sink: &Sink, path: &str, lock: String) -> [Probe; 2] {
    let lock = Probe::passed("object lock", format!("{lock}, so that no object was written to try the store"));
    [lock, Probe::new("write", begin(sink, path).await)]
}

/// Begins an upload and gives it up: the store asks for the same permission as for an object, and keeps nothing.
async fn begin(sink: &Sink, path: &str) -> Result<String> {
    let failed = |error| sink.failed("begin an upload", path, &error);
    let mut upload = sink.store.put_multipart(&sink.location(path)?).await.map_err(failed)?;
    upload.abort().await.map_err(|error| {
        sink.failed("give up an upload", path, &error).with_hint("let the key abort multipart uploads")
    })?;
    Ok("began an upload and gave it up; put-if-absent, checksum and delete were not tried".to_owned())
}

impl Versions<'_> {
    /// What is known about the lock, if what is written can be removed.
    async fn look(&mut self, sink: &Sink, path: &str) -> std::result::Result<String, Caution> {
        let root = Path::default();
        let lock = self.ask(sink, "object-lock", &root).await.map_err(Caution::Unknown)?;
        if let Some(lock) = &lock
            && lock.element("DefaultRetention").is_some()
        {
            return Err(Caution::Locked(retention(lock)));
        }
        let versioning = self.ask(sink, "versioning", &root).await.map_err(Caution::Unknown)?;
        self.are_kept = versioning.is_some_and(|answer| answer.element("Status").is_some());
        self.remove_version(sink, path, "null").await.map_err(Caution::Unknown)?;
        let lock = if lock.is_some() { "on, without default retention" } else { "off" };
        let versions = if self.are_kept { "; versions are kept" } else { "" };
        Ok(format!("{lock}{versions}: what is written here can be removed"))
    }

    /// Asks for a configuration of the bucket. A store may have none, or may never have heard of such a thing.
    async fn ask(&self, sink: &Sink, query: &str, root: &Path) -> Result<Option<Answer>> {
        let doing = format!("ask for the bucket's {query}");
        let answer = self.send(sink, &doing, Request::new(Method::GET, root, query)).await?;
        let is_unheard = matches!(answer.status.as_u16(), 400 | 405 | 501);
        let is_absent = answer.status == StatusCode::NOT_FOUND && answer.element("Code") != Some("NoSuchBucket");
        match answer.status {
            status if status.is_success() => Ok(Some(answer)),
            _ if is_unheard || is_absent => Ok(None),
            _ => Err(answer.into_error(sink, &doing, sink.url())),
        }
    }

    /// Puts bytes that are not those that their digest promises: they must be refused.
    pub(super) async fn put_damaged(&self, sink: &Sink, path: &str) -> Result<String> {
        let key = self.key(path);
        // The digest of other bytes, by the header and by the signature: what a store sees when bytes are damaged on
        // their way to it.
        let digest = ([0; 32], HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        let body = Bytes::from_static(b"damaged");
        let request = Request { body, digest: Some(digest), ..Request::new(Method::PUT, &key, "") };
        let answer = self.send(sink, "put an object with a wrong checksum", request).await?;
        match answer.status {
            status if status.is_client_error() => {
                let code = answer.element("Code").unwrap_or_else(|| status.as_str());
                Ok(format!("bytes other than their SHA-256 were refused ({code}), as they must be"))
            }
            status if status.is_success() => {
                let error = Error::new(ErrorKind::Store, "the store takes bytes other than their SHA-256");
                let error = error.with_context("archive", sink.url());
                Err(error.with_hint("damage on the way would go unseen: use a store that checks x-amz-checksum-sha256"))
            }
            _ => Err(answer.into_error(sink, "put an object with a wrong checksum", path)),
        }
    }

    /// Removes an object with all that the bucket keeps of it.
    pub(super) async fn remove(&self, sink: &Sink, path: &str) -> Result<()> {
        if !self.are_kept {
            return self.remove_version(sink, path, "null").await;
        }
        let key = self.key(path);
        let doing = "list the versions of an object";
        let root = Path::default();
        let query = format!("prefix={key}&versions=");
        let answer = self.send(sink, doing, Request::new(Method::GET, &root, &query)).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error(sink, doing, path));
        }
        for version in answer.elements("VersionId") {
            self.remove_version(sink, path, version).await?;
        }
        Ok(())
    }

    /// Removes a version of an object, or the object where the bucket keeps none. What is not there is removed, too.
    async fn remove_version(&self, sink: &Sink, path: &str, version: &str) -> Result<()> {
        let key = self.key(path);
        let query = if self.are_kept { format!("versionId={version}") } else { String::new() };
        let answer = self.send(sink, "remove an object", Request::new(Method::DELETE, &key, &query)).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(answer.into_error(sink, "remove an object", path))
        }
    }

    async fn send(&self, sink: &Sink, doing: &str, request: Request<'_>) -> Result<Answer> {
        let path = request.key.to_string();
        self.client.send(request).await.map_err(|error| sink.failed(doing, &path, &error))
    }

    /// The whole key of an object of the archive.
    fn key(&self, path: &str) -> Path {
        self.prefix.parts().chain(Path::from(path).parts()).collect()
    }
}

impl<'a> Request<'a> {
    const fn new(method: Method, key: &'a Path, query: &'a str) -> Self {
        Self { method, key, query, body: Bytes::new(), digest: None }
    }
}

/// `COMPLIANCE, 1 day`
fn retention(lock: &Answer) -> String {
    let part = |name| lock.element(name).filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let time = part("Days").map(|days| format!("days: {days}"));
    let time = time.or_else(|| part("Years").map(|years| format!("years: {years}")));
    [part("Mode").map(str::to_owned), time].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

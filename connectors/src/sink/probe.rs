//! Whether a store does what an archive rests on. Nothing is left behind, and where that cannot be had, nothing is
//! written.

use super::{Location, Sink, cloud::Bucket, directory::Directory, location::Place};
use crate::{Error, ErrorKind, Probe, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ObjectStoreExt,
    aws::{AmazonS3, AwsAuthorizer},
    client::{HttpClient, HttpConnector, HttpRequest, ReqwestConnector},
    path::Path,
    signer::Signer,
};
use reqwest::{
    Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use std::{sync::Arc, time::Duration};

const FOLDER: &str = "doctor";
const CONTENT: &[u8] = b"written by kt-archive doctor, which removes it again\n";
const OTHER: &[u8] = b"written by kt-archive doctor, where it should have been refused\n";

/// The header with the SHA-256 of a body, in Base64.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// More than any answer here has.
const LONGEST_ANSWER: usize = 256 * 1024;

/// Tries the place that `location` names with an object that has a name of its own, and removes it again.
pub async fn probe(location: &Location) -> Vec<Probe> {
    let sink = match Sink::open(location) {
        Ok(sink) => sink,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    match location.place() {
        Place::Directory(path) => directory(&sink, path).await,
        Place::Bucket { bucket, prefix } if bucket.is_s3() => s3(&sink, bucket, prefix).await,
        Place::Bucket { .. } => cautious(&sink, &object_name(), "not asked for in this cloud".to_owned()).await.into(),
    }
}

/// Tries a folder of its own in the archive's, or in the deepest folder above it that is there: a folder that a probe made
/// and removed again might be missed by a run that begins just then.
async fn directory(sink: &Sink, path: &std::path::Path) -> Vec<Probe> {
    let (folder, trial) = match trial(sink, path) {
        Ok(trial) => trial,
        Err(error) => return vec![Probe::failed("write", error)],
    };
    let mut probes = object_lifecycle(&trial, &object_name(), None).await;
    if let Err(error) = folder.close() {
        let error = Error::new(ErrorKind::Store, "could not remove the folder of the probe").with_source(error);
        probes.push(Probe::failed("delete", error.with_context("archive", sink.url())));
    }
    probes
}

fn trial(sink: &Sink, path: &std::path::Path) -> Result<(tempfile::TempDir, Sink)> {
    let anchor = Directory::open(path)?.anchor().to_owned();
    let folder = tempfile::Builder::new().prefix(".kt-archive-doctor-").tempdir_in(&anchor).map_err(|error| {
        let error = Error::new(ErrorKind::Store, "could not write where the archive is to be").with_source(error);
        error
            .with_context("path", anchor.display())
            .with_hint("check the owner and the mode of the folder, or choose another")
    })?;
    let directory = Directory::open(folder.path())?;
    let store = Arc::new(directory.clone());
    Ok((folder, Sink { store, directory: Some(directory), ..sink.clone() }))
}

/// A name that nobody else uses, in a folder that is none of an archive's.
fn object_name() -> String {
    format!("{FOLDER}/{}", uuid::Uuid::new_v4())
}

/// Lets an object live and die. What a bucket keeps under `versions`, and what it does with damaged bytes, is tried where
/// there is a bucket.
async fn object_lifecycle(sink: &Sink, path: &str, versions: Option<&Versions<'_>>) -> Vec<Probe> {
    let written = write(sink, path).await;
    let is_written = written.is_ok();
    let mut probes = vec![Probe::new("write", written)];
    if is_written {
        probes.push(Probe::new("put-if-absent", write_again(sink, path).await));
        probes.push(match versions {
            Some(versions) => Probe::new("checksum", versions.put_damaged(sink, path).await),
            None => Probe::passed("checksum", "this store checks none: a run reads every file back instead"),
        });
        probes.push(Probe::new("list", list(sink, path).await));
        probes.push(Probe::new("read back", read(sink, path).await));
    }
    // Also where the write failed: it may have had its effect.
    let deleted = delete(sink, path, versions).await;
    if is_written || deleted.is_err() {
        probes.push(Probe::new("delete", deleted));
    }
    probes
}

async fn write(sink: &Sink, path: &str) -> Result<String> {
    sink.create_document(path, Bytes::from_static(CONTENT)).await?;
    Ok("created an object".to_owned())
}

async fn write_again(sink: &Sink, path: &str) -> Result<String> {
    match sink.put_if_absent(&sink.location(path)?, Bytes::from_static(OTHER)).await {
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            Ok("creating it a second time was refused, as it must be".to_owned())
        }
        Err(error) => Err(sink.failed("find out whether objects are created only once", path, &error)),
        Ok(()) => Err(broken(sink, "the store overwrites what it was asked to create only where nothing is")
            .with_hint("two runs could both commit: use a store with conditional writes (If-None-Match: *)")),
    }
}

async fn list(sink: &Sink, path: &str) -> Result<String> {
    let found = sink.list(Some(FOLDER)).try_any(|object| std::future::ready(object.path == path)).await?;
    if found {
        Ok("the new object is listed".to_owned())
    } else {
        Err(broken(sink, "the store does not list an object that was just written")
            .with_hint("use a store whose listings show every object that is there"))
    }
}

async fn read(sink: &Sink, path: &str) -> Result<String> {
    if sink.document(path).await?.as_deref() == Some(CONTENT) {
        Ok("the object holds what was written".to_owned())
    } else {
        Err(broken(sink, "an object does not hold what was written").with_hint("do not trust this store"))
    }
}

async fn delete(sink: &Sink, path: &str, versions: Option<&Versions<'_>>) -> Result<String> {
    let left = |error: Error| error.with_context("left behind", path);
    match versions {
        Some(versions) => versions.remove(sink, path).await.map_err(left)?,
        None => match sink.store.delete(&sink.location(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(left(sink.failed("remove an object", path, &error))),
        },
    }
    match sink.head(path).await? {
        None => Ok("the object was removed, and is gone".to_owned()),
        Some(_) => Err(left(broken(sink, "an object that was removed is still there"))),
    }
}

fn broken(sink: &Sink, message: &str) -> Error {
    Error::new(ErrorKind::Store, message).with_context("archive", sink.url())
}

/// A bucket, and whether it keeps old versions of its objects.
#[derive(Debug)]
struct Versions<'a> {
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

async fn s3(sink: &Sink, bucket: &Bucket, prefix: &Path) -> Vec<Probe> {
    let client = match Client::new(bucket) {
        Ok(client) => client,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    let mut versions = Versions { client, prefix, are_kept: true };
    let path = object_name();
    match versions.look(sink, &path).await {
        Ok(lock) => {
            let mut probes = vec![Probe::passed("object lock", lock)];
            probes.extend(object_lifecycle(sink, &path, Some(&versions)).await);
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
async fn cautious(sink: &Sink, path: &str, lock: String) -> [Probe; 2] {
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
    async fn put_damaged(&self, sink: &Sink, path: &str) -> Result<String> {
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
    async fn remove(&self, sink: &Sink, path: &str) -> Result<()> {
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

/// A client of one bucket.
#[derive(Debug)]
struct Client<'a> {
    store: AmazonS3,
    http: HttpClient,
    region: &'a str,
}

/// A request. Its bytes may be other than its digests, as if they had been damaged on their way.
#[derive(Clone, Debug)]
struct Request<'a> {
    method: Method,
    key: &'a Path,
    query: &'a str,
    body: Bytes,
    /// The SHA-256 that the body is said to have, raw and in Base64.
    digest: Option<([u8; 32], HeaderValue)>,
}

/// What the store answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    /// An XML document, or nothing.
    text: String,
}

impl<'a> Client<'a> {
    fn new(bucket: &'a Bucket) -> Result<Self> {
        let http = ReqwestConnector::default().connect(&bucket.client_options());
        // The cause may hold an address of the environment.
        let http = http.map_err(|_| Error::new(ErrorKind::Internal, "could not set up the HTTP client"))?;
        Ok(Self { store: bucket.s3()?, http, region: bucket.region() })
    }

    async fn send(&self, request: Request<'_>) -> object_store::Result<Answer> {
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
    fn element(&self, name: &str) -> Option<&str> {
        self.elements(name).next()
    }

    /// The texts of all elements with this name. Enough for documents whose elements neither nest nor have attributes.
    fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        let end = format!("</{name}>");
        let begun = self.text.split(&*format!("<{name}>")).skip(1).collect::<Vec<_>>();
        begun.into_iter().filter_map(move |rest| Some(rest.split_once(&end)?.0))
    }

    /// The answer as an error, in the words that `object_store` has for it.
    fn into_error(self, sink: &Sink, doing: &str, path: &str) -> Error {
        let text = format!("Server returned non-2xx status code: {}: {}", self.status, self.text);
        sink.failed(doing, path, &generic(text))
    }
}

fn generic(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sink::Confirm,
        testing::{Answer, Fault, FaultyStore, Operation},
    };
    use object_store::{ObjectStore, memory::InMemory};
    use std::collections::BTreeMap;

    fn faulty() -> (Arc<InMemory>, FaultyStore, Sink) {
        let inner = Arc::new(InMemory::new());
        let store = FaultyStore::new(Arc::clone(&inner) as Arc<dyn ObjectStore>);
        let sink = Sink::from_store(Arc::new(store.clone()), Confirm::ReadBack, "memory");
        (inner, store, sink)
    }

    fn failed(probes: &[Probe]) -> Vec<(&'static str, ErrorKind)> {
        let failed = probes.iter().filter_map(|probe| Some((probe.name, probe.found.as_ref().err()?.kind())));
        failed.collect()
    }

    async fn left(store: &InMemory) -> usize {
        store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
    }

    #[tokio::test]
    async fn a_good_store_passes_and_keeps_nothing() {
        let (inner, _, sink) = faulty();
        let probes = object_lifecycle(&sink, &object_name(), None).await;
        let names = probes.iter().map(|probe| probe.name).collect::<Vec<_>>();
        assert_eq!(names, ["write", "put-if-absent", "checksum", "list", "read back", "delete"]);
        assert_eq!((failed(&probes), left(&inner).await), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn a_store_that_overwrites_is_no_place_for_an_archive() {
        let (inner, store, sink) = faulty();
        let path = object_name();
        let (emptied, object) = (Arc::clone(&inner), Path::from(path.as_str()));
        // A store that ignores the condition behaves as if nothing had been there.
        store.plan(Operation::Put, "doctor", Fault::Pass);
        store.plan(Operation::Put, "doctor", Fault::race_with(async move { emptied.delete(&object).await.unwrap() }));
        let probes = object_lifecycle(&sink, &path, None).await;
        assert_eq!(failed(&probes), [("put-if-absent", ErrorKind::Store), ("read back", ErrorKind::Store)]);
        assert_eq!(left(&inner).await, 0);
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told_once_and_cleaned_up() {
        let (inner, store, sink) = faulty();
        store.reject(Operation::Put, "doctor", Answer::Forbidden, 1);
        let probes = object_lifecycle(&sink, &object_name(), None).await;
        assert_eq!(failed(&probes), [("write", ErrorKind::Unauthorized)]);
        assert_eq!((probes.len(), left(&inner).await), (1, 0));
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_removed_is_named() {
        let (_, store, sink) = faulty();
        store.reject(Operation::Delete, "doctor", Answer::Forbidden, 1);
        let path = object_name();
        let probes = object_lifecycle(&sink, &path, None).await;
        let error = probes.last().unwrap().found.as_ref().unwrap_err();
        assert!(error.to_string().contains(&format!("left behind: {path}")), "{error}");
    }

    #[tokio::test]
    async fn a_folder_is_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        for archive in ["", "not/yet/there"] {
            let location = Location::parse(home.path().join(archive).to_str().unwrap(), &BTreeMap::new()).unwrap();
            let probes = probe(&location).await;
            assert_eq!(failed(&probes), [], "{probes:?}");
            assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_the_stores_fault() {
        // Not even root writes there.
        let location = Location::parse("/proc/kt-archive", &BTreeMap::new()).unwrap();
        assert_eq!(failed(&probe(&location).await), [("write", ErrorKind::Store)]);
    }
}

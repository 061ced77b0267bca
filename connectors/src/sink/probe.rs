//! Checks that a store has the guarantees that an archive requires. Leaves no object behind: where a bucket would keep
//! it, writes none.

use super::{
    Location, Sink,
    cloud::Bucket,
    directory::Directory,
    location::LocationKind,
    signed::{Request, Response, SignedClient, retention},
};
use crate::{Error, ErrorKind, Probe, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use reqwest::{Method, StatusCode, header::HeaderValue};
use std::sync::Arc;

const FOLDER: &str = "doctor";
const CONTENT: &[u8] = b"written by kt-archive doctor, which removes it again\n";
const OTHER: &[u8] = b"written by kt-archive doctor, where it should have been refused\n";

/// Checks the store at `location` with an object of a unique name, and removes it.
pub async fn probe(location: &Location) -> Vec<Probe> {
    let sink = match Sink::open(location) {
        Ok(sink) => sink,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    match location.kind() {
        LocationKind::Directory(path) => directory(&sink, path).await,
        LocationKind::Bucket { bucket, prefix } if bucket.is_s3() => match bucket.checked() {
            Ok(bucket) => s3(&sink, &bucket, prefix).await,
            Err(error) => vec![Probe::failed("open", error)],
        },
        LocationKind::Bucket { .. } => {
            without_writing(&sink, &object_name(), "not checked in this cloud".to_owned()).await.into()
        }
    }
}

/// Checks a temporary folder in the archive's folder, or in the deepest existing one above it. Creating and removing
/// the archive's folder itself could break a run that starts at the same time.
async fn directory(sink: &Sink, path: &std::path::Path) -> Vec<Probe> {
    let (folder, trial) = match trial(sink, path) {
        Ok(trial) => trial,
        Err(error) => return vec![Probe::failed("write", error)],
    };
    let mut probes = object_lifecycle(&trial, &object_name(), None).await;
    probes.push(lock(folder.path()));
    probes.push(Probe::new("list all", list_all(sink).await));
    if let Err(error) = folder.close() {
        let error = Error::new(ErrorKind::Store, "could not remove the folder of the probe").with_source(error);
        probes.push(Probe::failed("delete", error.with_context("archive", sink.url())));
    }
    probes
}

/// Tries to lock a folder, as runs do.
fn lock(folder: &std::path::Path) -> Probe {
    let locked = std::fs::File::open(folder).and_then(|folder| folder.try_lock().map_err(std::io::Error::from));
    match locked {
        Ok(()) => Probe::passed("lock", "a folder can be locked"),
        Err(error) => Probe::passed("lock", format!("no locks on this file system ({error})"))
            .with_hint("let only one host and one --state-dir write to the archive"),
    }
}

/// Lists what is in the archive's folder: a folder of it that cannot be read would make commands fail.
async fn list_all(sink: &Sink) -> Result<String> {
    let count = sink.list(None).try_fold(0_u64, |count, _| std::future::ready(Ok(count + 1))).await?;
    Ok(format!("{count} objects"))
}

fn trial(sink: &Sink, path: &std::path::Path) -> Result<(tempfile::TempDir, Sink)> {
    let anchor = Directory::open(path, Location::FILE_MODE)?.anchor().to_owned();
    let folder = tempfile::Builder::new().prefix(".kt-archive-doctor-").tempdir_in(&anchor).map_err(|error| {
        let error = Error::new(ErrorKind::Store, "could not write at the location of the archive").with_source(error);
        error
            .with_context("path", anchor.display())
            .with_hint("check the owner and the mode of the folder, or choose another")
    })?;
    let directory = Directory::open(folder.path(), Location::FILE_MODE)?;
    let directory = Arc::new(directory);
    let store = Arc::clone(&directory) as Arc<dyn ObjectStore>;
    Ok((folder, Sink { store, directory: Some(directory), ..sink.clone() }))
}

/// A unique name in a folder that archives do not use.
fn object_name() -> String {
    format!("{FOLDER}/{}", uuid::Uuid::new_v4())
}

/// Creates, lists, reads and removes an object. With `versions` also checks that damaged bytes are refused, and removes
/// all versions.
async fn object_lifecycle(sink: &Sink, path: &str, versions: Option<&Versions<'_>>) -> Vec<Probe> {
    let written = write(sink, path).await;
    let is_written = written.is_ok();
    let mut probes = vec![Probe::new("write", written)];
    if is_written {
        probes.push(Probe::new("put-if-absent", write_again(sink, path).await));
        probes.push(match versions {
            Some(versions) => Probe::new("checksum", versions.put_damaged(sink, path).await),
            None => Probe::passed("checksum", "this store checks none; runs read every file back instead"),
        });
        probes.push(Probe::new("list", list(sink, path).await));
        probes.push(Probe::new("read back", read(sink, path).await));
    }
    // A failed write may have had its effect.
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
            Ok("a second creation was refused, as required".to_owned())
        }
        Err(error) => Err(sink.failed("check conditional creation", path, &error)),
        Ok(()) => Err(broken(sink, "the store overwrites an object that should be created only if absent")
            .with_hint("two runs could both commit: use a store with conditional writes (If-None-Match: *)")),
    }
}

async fn list(sink: &Sink, path: &str) -> Result<String> {
    let found = sink.list(Some(FOLDER)).try_any(|object| std::future::ready(object.path == path)).await?;
    if found {
        Ok("the new object is listed".to_owned())
    } else {
        Err(broken(sink, "the store does not list an object that was just written")
            .with_hint("use a store with consistent listings"))
    }
}

async fn read(sink: &Sink, path: &str) -> Result<String> {
    if sink.document(path).await?.as_deref() == Some(CONTENT) {
        Ok("the object holds the bytes written".to_owned())
    } else {
        Err(broken(sink, "an object does not hold the bytes written").with_hint("do not trust this store"))
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
        None => Ok("the object was removed".to_owned()),
        Some(_) => Err(left(broken(sink, "a removed object still exists"))),
    }
}

fn broken(sink: &Sink, message: &str) -> Error {
    Error::new(ErrorKind::Store, message).with_context("archive", sink.url())
}

/// A bucket, and whether it keeps old versions of objects.
#[derive(Debug)]
struct Versions<'a> {
    client: SignedClient<'a>,
    /// The prefix of the archive in the bucket.
    prefix: &'a Path,
    are_kept: bool,
}

/// Why the probe must not write an object.
enum NoWrite {
    /// The bucket locks objects by default.
    Locked(String),
    /// It is unknown whether an object could be removed.
    Unknown(Error),
}

async fn s3(sink: &Sink, bucket: &Bucket, prefix: &Path) -> Vec<Probe> {
    let client = match SignedClient::new(bucket) {
        Ok(client) => client,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    let mut versions = Versions { client, prefix, are_kept: true };
    let path = object_name();
    match versions.check_lock(sink, &path).await {
        Ok(lock) => {
            let mut probes = vec![Probe::passed("object lock", lock)];
            probes.extend(object_lifecycle(sink, &path, Some(&versions)).await);
            probes
        }
        Err(NoWrite::Locked(retention)) => {
            without_writing(sink, &path, format!("objects are locked ({retention})")).await.into()
        }
        Err(NoWrite::Unknown(error)) => {
            let [lock, write] = without_writing(sink, &path, format!("unknown ({error})")).await;
            let hint = "for a full check allow the key to read the Object Lock and versioning of the bucket, and to \
                        delete objects";
            vec![lock.with_hint(hint), write]
        }
    }
}

/// The checks that write no object. `lock` is the reason.
async fn without_writing(sink: &Sink, path: &str, lock: String) -> [Probe; 2] {
    let lock = Probe::passed("object lock", format!("{lock}, so no object was written"));
    [lock, Probe::new("write", begin(sink, path).await)]
}

/// Begins and aborts an upload, which needs the permission to write an object but keeps none.
async fn begin(sink: &Sink, path: &str) -> Result<String> {
    let failed = |error| sink.failed("begin an upload", path, &error);
    let mut upload = sink.store.put_multipart(&sink.location(path)?).await.map_err(failed)?;
    upload.abort().await.map_err(|error| {
        sink.failed("abort an upload", path, &error).with_hint("allow the key to abort multipart uploads")
    })?;
    Ok("began and aborted an upload; put-if-absent, checksum and delete were not checked".to_owned())
}

impl Versions<'_> {
    /// Describes the lock, if objects can be removed.
    async fn check_lock(&mut self, sink: &Sink, path: &str) -> std::result::Result<String, NoWrite> {
        let lock = self.client.configuration(sink, "object-lock").await.map_err(NoWrite::Unknown)?;
        if let Some(lock) = &lock
            && lock.element("DefaultRetention").is_some()
        {
            return Err(NoWrite::Locked(retention(lock)));
        }
        let versioning = self.client.configuration(sink, "versioning").await.map_err(NoWrite::Unknown)?;
        self.are_kept = versioning.is_some_and(|response| response.element("Status").is_some());
        self.remove_version(sink, path, "null").await.map_err(NoWrite::Unknown)?;
        let lock = if lock.is_some() { "on, without default retention" } else { "off" };
        let versions = if self.are_kept { "; versions are kept" } else { "" };
        Ok(format!("{lock}{versions}: objects can be removed"))
    }

    /// Puts bytes with a wrong digest, which the store must refuse.
    async fn put_damaged(&self, sink: &Sink, path: &str) -> Result<String> {
        let key = self.key(path);
        // A wrong digest in the header and in the signature, as if the bytes had been damaged on their way.
        let digest = ([0; 32], HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        let body = Bytes::from_static(b"damaged");
        let request = Request { body, digest: Some(digest), ..Request::new(Method::PUT, &key, "") };
        let response = self.send(sink, "put an object with a wrong checksum", request).await?;
        match response.status {
            status if status.is_client_error() => {
                let code = response.element("Code").unwrap_or_else(|| status.as_str());
                Ok(format!("bytes with a wrong SHA-256 were refused ({code}), as required"))
            }
            status if status.is_success() => {
                let error = Error::new(ErrorKind::Store, "the store accepts bytes with a wrong SHA-256");
                let error = error.with_context("archive", sink.url());
                Err(error
                    .with_hint("transfer errors would go unnoticed: use a store that checks x-amz-checksum-sha256"))
            }
            _ => Err(response.into_error(sink, "put an object with a wrong checksum", path)),
        }
    }

    /// Removes all versions of an object.
    async fn remove(&self, sink: &Sink, path: &str) -> Result<()> {
        if !self.are_kept {
            return self.remove_version(sink, path, "null").await;
        }
        let key = self.key(path);
        let doing = "list the versions of an object";
        let root = Path::default();
        let query = format!("prefix={key}&versions=");
        let response = self.send(sink, doing, Request::new(Method::GET, &root, &query)).await?;
        if !response.status.is_success() {
            return Err(response.into_error(sink, doing, path));
        }
        for version in response.elements("VersionId") {
            self.remove_version(sink, path, version).await?;
        }
        Ok(())
    }

    /// Removes a version of an object, or the object if the bucket keeps no versions. Succeeds if it does not exist.
    async fn remove_version(&self, sink: &Sink, path: &str, version: &str) -> Result<()> {
        let key = self.key(path);
        let query = if self.are_kept { format!("versionId={version}") } else { String::new() };
        let response = self.send(sink, "remove an object", Request::new(Method::DELETE, &key, &query)).await?;
        if response.status.is_success() || response.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(response.into_error(sink, "remove an object", path))
        }
    }

    async fn send(&self, sink: &Sink, doing: &str, request: Request<'_>) -> Result<Response> {
        let path = request.key.to_string();
        self.client.send(request).await.map_err(|error| sink.failed(doing, &path, &error))
    }

    /// The key of an object of the archive in the bucket.
    fn key(&self, path: &str) -> Path {
        self.prefix.parts().chain(Path::from(path).parts()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sink::Confirm,
        testing::{Answer, Fault, FaultyStore, Operation},
    };
    use object_store::memory::InMemory;
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
    async fn a_conforming_store_passes_and_keeps_no_object() {
        let (inner, _, sink) = faulty();
        let probes = object_lifecycle(&sink, &object_name(), None).await;
        let names = probes.iter().map(|probe| probe.name).collect::<Vec<_>>();
        assert_eq!(names, ["write", "put-if-absent", "checksum", "list", "read back", "delete"]);
        assert_eq!((failed(&probes), left(&inner).await), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn a_store_that_overwrites_fails() {
        let (inner, store, sink) = faulty();
        let path = object_name();
        let (emptied, object) = (Arc::clone(&inner), Path::from(path.as_str()));
        // A store that ignores the condition behaves as if the object were absent.
        store.plan(Operation::Put, "doctor", Fault::Pass);
        store.plan(Operation::Put, "doctor", Fault::race_with(async move { emptied.delete(&object).await.unwrap() }));
        let probes = object_lifecycle(&sink, &path, None).await;
        assert_eq!(failed(&probes), [("put-if-absent", ErrorKind::Store), ("read back", ErrorKind::Store)]);
        assert_eq!(left(&inner).await, 0);
    }

    #[tokio::test]
    async fn a_failed_write_is_reported_once_and_cleaned_up() {
        let (inner, store, sink) = faulty();
        store.reject(Operation::Put, "doctor", Answer::Forbidden, 1);
        let probes = object_lifecycle(&sink, &object_name(), None).await;
        assert_eq!(failed(&probes), [("write", ErrorKind::Unauthorized)]);
        assert_eq!((probes.len(), left(&inner).await), (1, 0));
    }

    #[tokio::test]
    async fn names_an_object_that_cannot_be_removed() {
        let (_, store, sink) = faulty();
        store.reject(Operation::Delete, "doctor", Answer::Forbidden, 1);
        let path = object_name();
        let probes = object_lifecycle(&sink, &path, None).await;
        let error = probes.last().unwrap().found.as_ref().unwrap_err();
        assert!(error.to_string().contains(&format!("left behind: {path}")), "{error}");
    }

    #[tokio::test]
    async fn a_folder_is_left_unchanged() {
        let home = tempfile::tempdir().unwrap();
        for archive in ["", "not/yet/there"] {
            let location = Location::parse(home.path().join(archive).to_str().unwrap(), &BTreeMap::new()).unwrap();
            let probes = probe(&location).await;
            assert_eq!(failed(&probes), [], "{probes:?}");
            assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn an_unwritable_folder_is_an_error_of_the_store() {
        // Even root cannot write there.
        let location = Location::parse("/proc/kt-archive", &BTreeMap::new()).unwrap();
        assert_eq!(failed(&probe(&location).await), [("write", ErrorKind::Store)]);
    }
}

//! The life of an object: created once, listed, read back, removed.

use super::{super::Sink, bucket::Versions};
use crate::{Error, ErrorKind, Probe, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

const FOLDER: &str = "doctor";
const CONTENT: &[u8] = b"written by kt-archive doctor, which removes it again\n";
const OTHER: &[u8] = b"written by kt-archive doctor, where it should have been refused\n";

/// A name that nobody else uses, in a folder that is none of an archive's.
pub(super) fn name() -> String {
    format!("{FOLDER}/{}", uuid::Uuid::new_v4())
}

/// Lets an object live and die. What a bucket keeps under `versions`, and what it does with damaged bytes, is tried where
/// there is a bucket.
pub(super) async fn probe(sink: &Sink, path: &str, versions: Option<&Versions<'_>>) -> Vec<Probe> {
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

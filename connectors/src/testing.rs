//! Test doubles: a store that fails on a script.

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};
use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An object in one request, created or overwritten.
    Put,
    /// The start of a multipart upload.
    Start,
    /// One part of it.
    Part,
    /// Its end.
    Complete,
    /// Giving it up.
    Abort,
    /// Reading an object, or a range of it.
    Get,
    /// Asking for an object's size.
    Head,
    /// Listing a folder.
    List,
    /// Removing an object.
    Delete,
}

/// The error that the store returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 403.
    Forbidden,
    /// 409 and 412, which `object_store` maps to one error.
    AlreadyExists,
    /// 503, or no response.
    Unavailable,
    /// 404.
    NotFound,
}

/// The fate of one request.
pub enum Fault {
    /// The request succeeds.
    Pass,
    /// The request has no effect and fails.
    Reject(Answer),
    /// The request has its effect but fails.
    FailAfterEffect(Answer),
    /// The request is delayed.
    Delay(Duration),
    /// Another effect happens right before the request.
    RaceWith(BoxFuture<'static, ()>),
}

impl Fault {
    /// Runs `effect` right before the request.
    pub fn race_with(effect: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::RaceWith(effect.boxed())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => formatter.write_str("Pass"),
            Self::Reject(answer) => write!(formatter, "Reject({answer:?})"),
            Self::FailAfterEffect(answer) => write!(formatter, "FailAfterEffect({answer:?})"),
            Self::Delay(time) => write!(formatter, "Delay({time:?})"),
            Self::RaceWith(_) => formatter.write_str("RaceWith"),
        }
    }
}

/// Wraps a store and plays a script: each request takes the first fault planned for its operation and a part of its
/// path, or passes. Counts every request.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    script: Arc<Mutex<Script>>,
}

impl Operation {
    const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Start | Self::Part | Self::Complete | Self::Delete)
    }
}

#[derive(Debug, Default)]
struct Script {
    /// The number of writes until every request fails.
    writes_left: Option<usize>,
    faults: Vec<(Operation, String, Fault)>,
    calls: Vec<(Operation, String)>,
}

impl FaultyStore {
    /// Wraps `inner` without any faults.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, script: Arc::default() }
    }

    /// Plans `fault` for the next request of this kind whose path contains `part`, after faults planned earlier.
    pub fn plan(&self, operation: Operation, part: &str, fault: Fault) {
        self.script().faults.push((operation, part.to_owned(), fault));
    }

    /// Rejects the next `times` requests of this kind.
    pub fn reject(&self, operation: Operation, part: &str, answer: Answer, times: usize) {
        for _ in 0..times {
            self.plan(operation, part, Fault::Reject(answer));
        }
    }

    /// Rejects every request after `writes` more writes, as if the host had crashed right after the last of them.
    pub fn crash_after(&self, writes: usize) {
        self.script().writes_left = Some(writes);
    }

    /// Ends the crash. Returns whether it had happened.
    pub fn recover(&self) -> bool {
        self.script().writes_left.take() == Some(0)
    }

    /// The number of requests of this kind so far whose path contains `part`.
    pub fn calls(&self, operation: Operation, part: &str) -> usize {
        self.script().calls.iter().filter(|(kind, path)| *kind == operation && path.contains(part)).count()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, operation: Operation, path: &Path) -> Fault {
        let mut script = self.script();
        script.calls.push((operation, path.to_string()));
        match &mut script.writes_left {
            Some(0) => return Fault::Reject(Answer::Forbidden),
            Some(left) if operation.writes() => *left -= 1,
            _ => {}
        }
        let planned =
            script.faults.iter().position(|(kind, part, _)| *kind == operation && path.as_ref().contains(part));
        planned.map_or(Fault::Pass, |index| script.faults.remove(index).2)
    }

    async fn play<T>(&self, operation: Operation, path: &Path, request: impl Future<Output = Result<T>>) -> Result<T> {
        match self.next(operation, path) {
            Fault::Pass => {}
            Fault::Reject(answer) => return Err(answer.error(path)),
            Fault::FailAfterEffect(answer) => {
                request.await?;
                return Err(answer.error(path));
            }
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::RaceWith(effect) => effect.await,
        }
        request.await
    }
}

impl Answer {
    fn error(self, path: &Path) -> Error {
        let (path, source) = (path.to_string(), format!("{self:?}, as planned").into());
        match self {
            Self::Forbidden => Error::PermissionDenied { path, source },
            Self::AlreadyExists => Error::AlreadyExists { path, source },
            Self::NotFound => Error::NotFound { path, source },
            Self::Unavailable => Error::Generic { store: "faulty", source },
        }
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FaultyStore({})", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.play(Operation::Put, location, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let started = self.inner.put_multipart_opts(location, options);
        let inner = self.play(Operation::Start, location, started).await?;
        Ok(Box::new(FaultyUpload { inner, store: self.clone(), path: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        self.play(operation, location, self.inner.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.play(Operation::Get, location, self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = locations.then(move |location| {
            let store = store.clone();
            async move {
                let location = location?;
                let single = stream::once(std::future::ready(Ok(location.clone()))).boxed();
                let mut inner = store.inner.delete_stream(single);
                let deleted = async { inner.next().await.unwrap_or_else(|| Ok(location.clone())) };
                store.play(Operation::Delete, &location, deleted).await
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let path = prefix.clone().unwrap_or_default();
            let list = async { Ok(store.inner.list(prefix.as_ref())) };
            match store.play(Operation::List, &path, list).await {
                Ok(objects) => objects,
                Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        self.play(Operation::List, &path, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
    path: Path,
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (sent, store, path) = (self.inner.put_part(data), self.store.clone(), self.path.clone());
        async move { store.play(Operation::Part, &path, sent).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.play(Operation::Complete, &self.path, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.play(Operation::Abort, &self.path, self.inner.abort()).await
    }
}

//! The error of every connector: what failed, on what, why, and what to do.

use std::{error::Error as StdError, fmt};

/// The result of a connector.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it is. The kind alone decides whether a call is repeated ([`crate::retry`]) and which code the
/// program exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A setting cannot be used.
    Configuration,
    /// Missing, wrong or insufficient credentials.
    Unauthorized,
    /// The source cannot deliver: it refused, failed, or its answer is unusable.
    Source,
    /// The source did not answer, or answered that it cannot right now. Worth another try.
    SourceUnavailable,
    /// What came from the source is shorter or other than it should be. Worth another try of the same download.
    Truncated,
    /// The snapshot that a window is read in is gone: the connection broke, or the server ended the query. Worth reading
    /// the window again from its beginning, in a new snapshot.
    SnapshotLost,
    /// The artifact of a finished job is not there any more. Worth one new job.
    Expired,
    /// The source asks for a smaller window.
    TooLarge,
    /// The source's data are incomplete or contradict its own counts.
    Incomplete,
    /// A store failed for good.
    Store,
    /// The chain of manifests is broken.
    BrokenChain,
    /// There is no archive at the place.
    NoArchive,
    /// Not possible now, but later: a deadline passed, a month is not over, clocks disagree.
    TryLater,
    /// Another run works on the same archive.
    Locked,
    /// The user interrupted the run (SIGINT).
    Interrupted,
    /// The system stopped the run (SIGTERM).
    Terminated,
    /// The local disk failed: full, not writable, unreadable.
    Local,
    /// A bug.
    Internal,
}

/// An error with kind, message, context and hint. `Display` prints the message alone; the cause is its `source()`.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    retry_after: Option<std::time::Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. The message is lower case, has no full stop, and holds neither secrets nor event values.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        let inner = Inner { kind, message, context: Vec::new(), hint: None, retry_after: None, source: None };
        Self { inner: Box::new(inner) }
    }

    /// Adds what the failure was about, such as `("path", …)`.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.inner.context.push((key, value.to_string()));
        self
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Adds how long the other side asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<std::time::Duration>) -> Self {
        self.inner.retry_after = wait;
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// How long the other side asked to wait before another try.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        self.inner.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.inner.message)?;
        for (index, (key, value)) in self.inner.context.iter().enumerate() {
            write!(formatter, "{}{key}: {value}", if index == 0 { " (" } else { ", " })?;
        }
        if self.inner.context.is_empty() { Ok(()) } else { formatter.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {self}", self.inner.kind)?;
        match &self.inner.source {
            Some(source) => write!(formatter, ": {source:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// Turns the error of a file operation into ours, with the path that it was about.
pub fn local(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| {
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Some("free some space, or choose another --state-dir")
            }
            std::io::ErrorKind::PermissionDenied => {
                Some("check the owner and the mode of the folder, or choose another, for the state with --state-dir")
            }
            _ => None,
        };
        let failed = Error::new(ErrorKind::Local, format!("could not {doing}")).with_context("path", path);
        let failed = failed.with_source(error);
        match hint {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    }
}

//! The error of every connector: kind, message, context, cause and hint.

use archive_formats::printable;
use std::{error::Error as StdError, fmt};

/// The result of a connector.
pub type Result<T> = std::result::Result<T, Error>;

/// The kind of a failure. It alone decides whether a call is repeated ([`crate::retry`]) and the program's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A setting cannot be used.
    Configuration,
    /// Missing, wrong or insufficient credentials.
    Unauthorized,
    /// The source refused, failed, or sent an unusable response.
    Source,
    /// The source did not respond, or is temporarily unavailable. Retried.
    SourceUnavailable,
    /// A download is shorter than announced, or damaged. Retried.
    Truncated,
    /// The connection or the query that held a window's snapshot ended. The window is read again in a new snapshot.
    SnapshotLost,
    /// The artifact of a finished job has expired. One new job is created.
    Expired,
    /// The source requires a smaller window.
    TooLarge,
    /// The source's data is incomplete or contradicts its own counts.
    Incomplete,
    /// A store failed permanently.
    Store,
    /// The chain of manifests is broken.
    BrokenChain,
    /// The location holds no archive.
    NoArchive,
    /// Possible later: a deadline passed, a month is not over, or clocks differ.
    TryLater,
    /// Another run holds the lock of the archive.
    Locked,
    /// The user interrupted the run (SIGINT).
    Interrupted,
    /// The system stopped the run (SIGTERM).
    Terminated,
    /// The local disk is full, read-only or unreadable.
    Local,
    /// A bug.
    Internal,
}

impl ErrorKind {
    /// What the user can do about a failure of this kind.
    const fn hint(self) -> &'static str {
        match self {
            Self::Configuration => {
                "`kt-archive config show` prints each setting and where it comes from: correct it there"
            }
            Self::Unauthorized => "check the credentials, and what they permit",
            Self::Source => "`kt-archive doctor` tries the source; its operator sees more in its logs",
            Self::SourceUnavailable => "check the source's address and the network, then run the same command again",
            Self::Truncated => "run the same command again: it reads from the beginning",
            Self::SnapshotLost => "run the same command again: it reads the month in another snapshot",
            Self::Expired => "run the same command again: it makes a new export job",
            Self::TooLarge => "ask the platform's operator for the largest window of an export",
            Self::Incomplete => "find out at the source what is missing, then run the same command again",
            Self::Store => "`kt-archive doctor` tries the store: check its address, credentials and free space",
            Self::BrokenChain => "`kt-archive verify` lists all damage; docs/recovery.md describes the repair",
            Self::NoArchive => "check the address of the archive: --archive",
            Self::TryLater => "run the same command again later",
            Self::Locked => "wait until the other run has ended",
            Self::Interrupted | Self::Terminated => "run the same command again: what is committed stays",
            Self::Local => {
                "check the disk, the owner and the mode of the folder; --state-dir chooses another for the state"
            }
            Self::Internal => "this is a fault of the program: please report it with the command and its output",
        }
    }
}

/// An error with kind, message, context and hint. `Display` prints the message alone, on one line without hidden
/// characters: parts of it may come from a server. The cause is its `source()`.
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

    /// Adds a key and a value, such as `("path", …)`.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.inner.context.push((key, value.to_string()));
        self
    }

    /// Sets what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Sets how long the server asked to wait.
    #[must_use]
    pub(crate) fn with_retry_after(mut self, wait: Option<std::time::Duration>) -> Self {
        self.inner.retry_after = wait;
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What the user can do about it: the hint of this error, or that of its kind.
    pub fn hint(&self) -> &str {
        self.inner.hint.as_deref().unwrap_or_else(|| self.inner.kind.hint())
    }

    /// How long the server asked to wait before a retry.
    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.inner.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&printable(&self.inner.message))?;
        for (index, (key, value)) in self.inner.context.iter().enumerate() {
            write!(formatter, "{}{key}: {}", if index == 0 { " (" } else { ", " }, printable(value))?;
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

/// What to do about a limit of the host.
pub fn limit_hint(error: &std::io::Error) -> Option<&'static str> {
    const TOO_MANY_IN_PROCESS: i32 = 24;
    const TOO_MANY_ON_HOST: i32 = 23;
    match (error.kind(), error.raw_os_error()) {
        (std::io::ErrorKind::FileTooLarge, _) => Some("raise the limit of file sizes (`ulimit -f`)"),
        (_, Some(TOO_MANY_IN_PROCESS | TOO_MANY_ON_HOST)) => Some("raise the limit of open files (`ulimit -n`)"),
        _ => None,
    }
}

/// Maps the error of a file operation on `path` to [`ErrorKind::Local`]. `doing` completes "could not …".
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
            _ => limit_hint(&error),
        };
        let failed = Error::new(ErrorKind::Local, format!("could not {doing}")).with_context("path", path);
        let failed = failed.with_source(error);
        match hint {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_host_are_named() {
        let hint = |code| local("write", std::path::Path::new("x"))(std::io::Error::from_raw_os_error(code));
        assert!(hint(24).hint().contains("ulimit -n") && hint(27).hint().contains("ulimit -f"));
    }

    const KINDS: [ErrorKind; 18] = [
        ErrorKind::Configuration,
        ErrorKind::Unauthorized,
        ErrorKind::Source,
        ErrorKind::SourceUnavailable,
        ErrorKind::Truncated,
        ErrorKind::SnapshotLost,
        ErrorKind::Expired,
        ErrorKind::TooLarge,
        ErrorKind::Incomplete,
        ErrorKind::Store,
        ErrorKind::BrokenChain,
        ErrorKind::NoArchive,
        ErrorKind::TryLater,
        ErrorKind::Locked,
        ErrorKind::Interrupted,
        ErrorKind::Terminated,
        ErrorKind::Local,
        ErrorKind::Internal,
    ];

    #[test]
    fn an_error_of_every_kind_has_a_hint() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "a kind is missing before {kind:?}");
            let hint = Error::new(kind, "failed").hint().to_owned();
            assert!(
                hint.len() > 20 && !hint.ends_with('.') && !hint.starts_with(char::is_uppercase),
                "{kind:?}: {hint}"
            );
            assert_eq!(Error::new(kind, "failed").with_hint("do this").hint(), "do this");
        }
        assert_eq!(ErrorKind::Internal as usize + 1, KINDS.len());
        assert_eq!(
            local("read", std::path::Path::new("/x"))(std::io::ErrorKind::Other.into()).hint(),
            ErrorKind::Local.hint()
        );
    }

    #[test]
    fn foreign_text_is_escaped() {
        let error = Error::new(ErrorKind::Source, "refused\u{202e}").with_context("reason", "a\nb\u{2028}");
        assert_eq!(error.to_string(), "refused\\u202e (reason: a\\nb\\u2028)");
    }
}

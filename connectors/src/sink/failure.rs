//! Maps the errors of a store to a kind, one printable line of cause, and a hint.
//!
//! The store's errors are not kept as sources: they print URLs with queries and whole responses, in which a server may
//! repeat the key of the request.
//!
//! `object_store` gives status, code and URL of a failed request only in the text of its errors. The tests hold that
//! text against a server, so that an update that changes it fails.

use super::{
    Sink,
    disk::{DiskError, io_hint},
};
use crate::{Error, ErrorKind};
use archive_formats::printable::is_hidden;
use object_store::client::{HttpError, HttpErrorKind};
use std::{error::Error as StdError, io};

/// The longest cause that is printed, in characters.
const LONGEST_CAUSE: usize = 200;

/// Parts of the URLs at which clouds serve the credentials of a host.
const HOST_CREDENTIALS: [&str; 5] = [
    "latest/api/token",
    "security-credentials",
    "AssumeRoleWithWebIdentity",
    "computeMetadata",
    "metadata/identity/oauth2/token",
];

/// The environment variables of a cloud, for hints.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariableNames {
    /// The prefix of all of them.
    pub(super) prefix: &'static str,
    /// The variable that holds the server's URL.
    pub(super) endpoint: &'static str,
    /// The variables that hold credentials.
    pub(super) credentials: &'static str,
}

impl Sink {
    /// Maps the error of a request for `path`. `doing` completes "could not …".
    pub(super) fn failed(&self, doing: &str, path: &str, error: &object_store::Error) -> Error {
        let failure = Failure::new(error);
        let unauthorized = failure.is_refusal() || failure.lacks_credentials();
        let kind = if unauthorized { ErrorKind::Unauthorized } else { ErrorKind::Store };
        let failed = Error::new(kind, format!("could not {doing}")).with_context("path", path);
        let failed = failed.with_context("archive", self.url()).with_context("cause", failure.cause());
        match failure.hint(self.variables) {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    }

    /// Maps the error of a listing that found a file whose name is not valid for an object, which ends the listing.
    pub(super) fn invalid_name(&self, error: &object_store::Error) -> Option<Error> {
        use object_store::{Error::InvalidPath, path::Error::BadSegment, path::Error::NonUnicode};
        let InvalidPath { source: BadSegment { path, .. } | NonUnicode { path, .. } } = error else { return None };
        let error = Error::new(ErrorKind::BrokenChain, "the archive holds a file with a name that no object can have");
        let error = error.with_context("path", path.escape_debug()).with_context("archive", self.url());
        Some(error.with_hint("remove the file, or move it out of the archive"))
    }
}

/// Whether a retry cannot help, because the store understood and refused.
pub(super) fn is_final(error: &object_store::Error) -> bool {
    use object_store::Error::{InvalidPath, NotFound, NotImplemented, NotSupported};
    matches!(error, InvalidPath { .. } | NotFound { .. } | NotImplemented { .. } | NotSupported { .. })
        || Failure::new(error).is_refusal()
        || Failure::new(error).of_disk().is_some()
}

/// The first line of `text`, truncated, without URLs.
pub(super) fn printable(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let words = line.split_whitespace().map(|word| if word.contains("://") { "[url]" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().filter(|letter| !is_hidden(*letter)).take(LONGEST_CAUSE).collect()
}

/// A failed request.
struct Failure<'a> {
    error: &'a object_store::Error,
    /// The text of the error. Only the parts extracted below are printed.
    text: String,
}

impl<'a> Failure<'a> {
    fn new(error: &'a object_store::Error) -> Self {
        Self { error, text: error.to_string() }
    }

    /// `403 Forbidden`, if the store responded.
    fn status(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("non-2xx status code: ")?;
        let status = rest.split(':').next()?.trim();
        status.starts_with(|digit: char| digit.is_ascii_digit()).then_some(status)
    }

    /// `AccessDenied`, `NoSuchBucket`, …: the code of an S3 error document.
    fn code(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
    }

    fn is_refusal(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        let by_status = self.status().is_some_and(|status| status.starts_with("401") || status.starts_with("403"));
        by_status || matches!(self.error, PermissionDenied { .. } | Unauthenticated { .. })
    }

    /// The failure of a directory that a retry cannot mend.
    fn of_disk(&self) -> Option<&DiskError> {
        self.find()
    }

    /// Whether no credentials were set, and the request for those of the host failed.
    fn lacks_credentials(&self) -> bool {
        HOST_CREDENTIALS.iter().any(|part| self.text.contains(part))
    }

    fn cause(&self) -> String {
        if self.lacks_credentials() {
            return "no credentials".to_owned();
        }
        match (self.status(), self.code()) {
            (Some(status), Some(code)) => format!("{status}, {code}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) if self.find::<HttpError>().is_some_and(|error| error.kind() == HttpErrorKind::Timeout) => {
                "no response in time".to_owned()
            }
            (None, None) => printable(&self.of_disk().map_or_else(|| self.deepest().to_string(), ToString::to_string)),
        }
    }

    fn hint(&self, names: VariableNames) -> Option<String> {
        let VariableNames { prefix, endpoint, credentials } = names;
        if self.lacks_credentials() {
            return Some(format!("set {credentials}: none were found"));
        }
        let is_of_region = matches!(self.code(), Some("AuthorizationHeaderMalformed" | "PermanentRedirect"))
            || self.text.contains("incorrectly configured region");
        if is_of_region {
            return Some(format!("set {prefix}REGION to the region of the bucket, and check {endpoint}"));
        }
        if self.code() == Some("RequestTimeTooSkewed") {
            return Some("set the host's clock: the store refuses requests that are minutes off".to_owned());
        }
        if self.is_refusal() {
            return Some(format!("check {credentials}, the host's clock, and what the key may do"));
        }
        if matches!(self.code(), Some("NoSuchBucket" | "ContainerNotFound")) {
            return Some(format!("create the bucket, or check its name and the {prefix}… variables"));
        }
        if self.find::<HttpError>().is_some() {
            return Some(format!("check the network and {endpoint}"));
        }
        if let Some(error) = self.of_disk() {
            return Some(error.hint().to_owned());
        }
        self.find::<io::Error>().and_then(io_hint).map(str::to_owned)
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = self.error;
        std::iter::successors(Some(first), |&error| error.source())
    }

    fn find<T: StdError + 'static>(&self) -> Option<&T> {
        self.causes().find_map(|error| error.downcast_ref())
    }

    fn deepest(&self) -> &(dyn StdError + 'static) {
        self.causes().last().unwrap_or(self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Confirm, Location};
    use futures::TryStreamExt as _;
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        sync::Arc,
    };

    fn failed(error: &object_store::Error) -> Error {
        let store = Arc::new(object_store::memory::InMemory::new());
        Sink::from_store(store, Confirm::ReadBack, "s3://bucket/a").failed("read", "archive.json", error)
    }

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    /// Starts a server on loopback that sends `status` and `body` to every request, and returns its URL.
    fn server(status: &'static str, body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = BufReader::new(&stream).lines().map_while(io::Result::ok);
                assert!(head.any(|line| line.is_empty()), "the request has no end");
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
            }
        });
        url
    }

    fn open(url: &str, variables: &[(&str, &str)]) -> Sink {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sink::open(&Location::parse(url, &environment).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn errors_of_object_store_hold_status_and_code() {
        let sink = |url: &str| {
            open(
                "s3://bucket/a",
                &[("AWS_ENDPOINT", url), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "canary")],
            )
        };
        let url = server("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>");
        let error = sink(&url).document("archive.json").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains("cause: 403 Forbidden, AccessDenied"), "{error}");

        let url = server("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>");
        let error = sink(&url).list(None).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("cause: 404 Not Found, NoSuchBucket"), "{error}");
        assert!(error.hint().starts_with("create the bucket"), "{error:?}");
    }

    #[tokio::test]
    async fn errors_of_object_store_hold_the_url_of_host_credentials() {
        let metadata = server("404 Not Found", "");
        let azure = format!("{metadata}/metadata/identity/oauth2/token");
        let sinks = [
            open("s3://bucket/a", &[("AWS_METADATA_ENDPOINT", metadata.as_str())]),
            open("az://box/a", &[("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_MSI_ENDPOINT", &azure)]),
        ];
        for sink in sinks {
            let error = sink.document("archive.json").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
            assert!(error.to_string().contains("cause: no credentials"), "{error}");
        }
    }

    #[test]
    fn shows_status_and_code_but_nothing_of_the_request() {
        let text = "Error performing GET http://h/b/archive.json?X-Amz-Signature=canary in 3ms - Server returned non-2xx \
                      status code: 403 Forbidden: <Error><Code>InvalidAccessKeyId</Code><Message>canary</Message></Error>";
        let error = failed(&generic(text));
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("cause: 403 Forbidden, InvalidAccessKeyId"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_wrong_region_and_a_wrong_clock_are_named() {
        let refused = |text: &str| generic(&format!("Server returned non-2xx status code: {text}"));
        for (text, word) in [
            ("400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code></Error>", "AWS_REGION"),
            ("403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>", "clock"),
        ] {
            assert!(failed(&refused(text)).hint().contains(word), "{text}");
        }
        let redirect = "Received redirect without LOCATION, this normally indicates an incorrectly configured region";
        assert!(failed(&generic(redirect)).hint().contains("AWS_REGION"));
    }

    #[test]
    fn missing_credentials_name_the_variables_of_their_cloud() {
        let asked = [
            ("gs://bucket/a", "http://metadata.google.internal/computeMetadata/v1/instance", "GOOGLE_SERVICE_ACCOUNT"),
            ("az://box/a", "http://169.254.169.254/metadata/identity/oauth2/token", "AZURE_STORAGE_ACCOUNT_KEY"),
            ("s3://bucket/a", "http://169.254.169.254/latest/api/token", "AWS_SECRET_ACCESS_KEY"),
        ];
        for (url, address, variable) in asked {
            let sink = Sink::from_store(Arc::new(object_store::memory::InMemory::new()), Confirm::ReadBack, url);
            let error = sink.failed("read", "x", &generic(&format!("Error performing GET {address} in 1s")));
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{url}");
            assert!(error.hint().contains(variable), "{url}: {error:?}");
        }
    }

    #[test]
    fn separates_final_from_transient_failures() {
        let forbidden = object_store::Error::PermissionDenied { path: "x".to_owned(), source: "no".into() };
        assert!(is_final(&forbidden));
        assert!(!is_final(&generic("Server returned non-2xx status code: 503 Service Unavailable: ")));
        assert_eq!(failed(&forbidden).kind(), ErrorKind::Unauthorized);
        assert_eq!(failed(&generic("no route")).kind(), ErrorKind::Store);
    }

    #[test]
    fn a_cause_is_one_short_line_without_urls() {
        let cause = printable(&format!("see https://host/?token=x\u{7} now {}\nsecond", "y".repeat(500)));
        assert!(cause.starts_with("see [url] now yyy") && cause.len() == LONGEST_CAUSE, "{cause}");
    }
}

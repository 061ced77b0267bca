//! What an HTTP status that is no success means, and how it is told.

use super::config::printable;
use crate::{Error, ErrorKind, Result, Secret, plain_http};
use archive_formats::Timestamp;
use chrono::DateTime;
use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use std::time::Duration;
use url::Url;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The list of jobs, which nothing but a probe asks for.
    List,
    Create,
    Status,
    Download,
    /// A store that the download endpoint redirected to, or that the job named.
    Storage,
}

impl Endpoint {
    const fn doing(self) -> &'static str {
        match self {
            Self::List => "list the export jobs",
            Self::Create => "create an export job",
            Self::Status => "ask for the export job's status",
            Self::Download | Self::Storage => "download the artifact",
        }
    }
}

/// The error for `response`, with the first words of its body.
pub(super) async fn refused(endpoint: Endpoint, response: Response, token: &Secret, now: Timestamp) -> Error {
    let status = response.status();
    let wait = retry_after(response.headers(), date(response.headers()).unwrap_or(now));
    let error = Error::new(kind(endpoint, status), format!("could not {}", endpoint.doing()))
        .with_context("status", status.as_u16())
        .with_retry_after(wait);
    // A store repeats the signed request in its refusals.
    let excerpt = if endpoint == Endpoint::Storage { String::new() } else { excerpt(response, token).await };
    let error = if excerpt.is_empty() { error } else { error.with_context("answer", excerpt) };
    match hint(endpoint, status) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

const fn kind(endpoint: Endpoint, status: StatusCode) -> ErrorKind {
    match (endpoint, status.as_u16()) {
        // A signed link is good for minutes, and the download endpoint gives a new one; with 202 that endpoint says
        // that it has no artifact yet.
        (_, 408 | 429 | 500 | 502 | 503 | 504) | (Endpoint::Storage, 400 | 401 | 403) | (Endpoint::Download, 202) => {
            ErrorKind::SourceUnavailable
        }
        (_, 401 | 403) => ErrorKind::Unauthorized,
        (Endpoint::Create, 413 | 422) => ErrorKind::TooLarge,
        (Endpoint::Status | Endpoint::Download | Endpoint::Storage, 404 | 410) => ErrorKind::Expired,
        // What is asked for does not lie in the artifact: what is here is not a part of it.
        (Endpoint::Download | Endpoint::Storage, 416) => ErrorKind::Truncated,
        _ => ErrorKind::Source,
    }
}

const fn hint(endpoint: Endpoint, status: StatusCode) -> Option<&'static str> {
    match (endpoint, status.as_u16()) {
        (Endpoint::Storage, _) => None,
        (_, 401) => Some("the token was refused: check KEEPTRUSTS_API_TOKEN, or renew it"),
        (_, 402) => Some("the organisation's wallet or budget does not allow it"),
        (_, 403) => Some("the token needs the permission to export"),
        (Endpoint::Create, 404 | 405) => {
            Some("the server may have the other endpoints: try --api-layout exports-jobs, exports or auto")
        }
        _ => None,
    }
}

/// The first words of a body, on one line, without the token and without what follows a question mark.
async fn excerpt(mut response: Response, token: &Secret) -> String {
    const READ: usize = 8 * 1024;
    let mut body = Vec::new();
    // A body that breaks off says less; the status says enough.
    while let (true, Ok(Some(block))) = (body.len() < READ, response.chunk().await) {
        body.extend_from_slice(&block);
    }
    one_line(&token.redact(&String::from_utf8_lossy(&body)))
}

/// The first words of `text`, without what might be a secret: what follows the question mark of a URL, and long words
/// of letters and digits, as tokens and signatures are. A server may repeat what it was sent, or what it would have
/// answered.
pub(super) fn one_line(text: &str) -> String {
    const SHOWN: usize = 200;
    let words =
        text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty());
    let words = words.map(|word| match (word.find("://"), word.find('?')) {
        (Some(_), Some(query)) => without_opaque_parts(&word[..query]),
        _ => without_opaque_parts(word),
    });
    words.collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

fn without_opaque_parts(word: &str) -> String {
    const OPAQUE: usize = 16;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let parts = word.split_inclusive(|letter| !plain(letter));
    let shown = parts.map(|part| {
        let opaque = part.trim_end_matches(|letter| !plain(letter));
        let mixed = opaque.contains(|letter: char| letter.is_ascii_digit())
            && opaque.contains(|letter: char| letter.is_ascii_alphabetic());
        if mixed && opaque.len() >= OPAQUE { format!("[…]{}", &part[opaque.len()..]) } else { part.to_owned() }
    });
    shown.collect()
}

/// When the server sent the answer, by its own clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(text(headers, &header::DATE)?)
}

/// How long the server asks to wait: a number of seconds, or an instant, of which `now` is subtracted. An instant in
/// the past asks for no wait.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &header::RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a wait that no one will see the end of, not none at all.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    Some(if until > now { now.distance(until) } else { Duration::ZERO })
}

/// The entity tag, if it is a strong one: only then are equal tags equal bytes.
pub(super) fn strong_etag(headers: &HeaderMap) -> Option<&str> {
    text(headers, &header::ETAG).filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
}

/// First byte and whole length of a partial answer, from `bytes 5-9/10` or `bytes 5-9/*`.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text(headers, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (span, total) = range.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// How many bytes the body has.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &header::CONTENT_LENGTH)?.trim().parse().ok()
}

/// The header's value, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc().into())
}

/// How many redirects are followed in a row: one to the store, and one or two between regions or host names.
pub(super) const MAX_HOPS: usize = 3;

/// The address that `location` means, seen from `from`. Never from https to http, and never to a scheme without TLS
/// unless the host is near or `allow_http` is set.
pub(super) async fn follow(from: &Url, location: &str, allow_http: bool) -> Result<Url> {
    let next = resolve(from, location)?;
    if next.scheme() == "http" {
        plain_http::check(&next, allow_http, ErrorKind::Source).await?;
    }
    Ok(next)
}

/// Whether both addresses are of one server, so that the second may see what the first may.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn resolve(from: &Url, location: &str) -> Result<Url> {
    let refuse = |why: &str| Error::new(ErrorKind::Source, format!("the server redirects {why}"));
    // The cause would repeat the location, which may carry a signature.
    let next = from.join(location).map_err(|_| refuse("to something that is not a URL"))?;
    let refuse =
        |why: &str| Err(refuse(why).with_context("from", printable(from)).with_context("to", printable(&next)));
    match (from.scheme(), next.scheme()) {
        ("https", "http") => refuse("from https to http"),
        (_, "https" | "http") if next.username().is_empty() && next.password().is_none() => Ok(next),
        (_, "https" | "http") => refuse("to an address with user information"),
        _ => refuse("to another protocol"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(endpoint: Endpoint, status: u16) -> ErrorKind {
        kind(endpoint, StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn only_what_passes_by_itself_is_worth_another_try() {
        let transient = [408, 429, 500, 502, 503, 504];
        for endpoint in [Endpoint::Create, Endpoint::Status, Endpoint::Download, Endpoint::Storage] {
            for status in transient {
                assert_eq!(kind_of(endpoint, status), ErrorKind::SourceUnavailable, "{endpoint:?} {status}");
            }
        }
        for status in [400, 402, 404, 405, 409, 501] {
            assert_eq!(kind_of(Endpoint::Create, status), ErrorKind::Source, "{status}");
        }
    }

    #[test]
    fn each_endpoint_reads_its_own_refusals() {
        assert_eq!(kind_of(Endpoint::Create, 413), ErrorKind::TooLarge);
        assert_eq!(kind_of(Endpoint::Create, 422), ErrorKind::TooLarge);
        assert_eq!(kind_of(Endpoint::Status, 422), ErrorKind::Source);
        assert_eq!(kind_of(Endpoint::Status, 404), ErrorKind::Expired);
        assert_eq!(kind_of(Endpoint::Storage, 410), ErrorKind::Expired);
        assert_eq!(kind_of(Endpoint::Download, 403), ErrorKind::Unauthorized);
        assert_eq!(kind_of(Endpoint::Storage, 403), ErrorKind::SourceUnavailable);
    }

    #[test]
    fn an_excerpt_is_one_short_line_without_signatures() {
        assert_eq!(one_line("  {\n \"error\":\t\"no\u{1b}[31m\"}\r\n"), "{ \"error\": \"no [31m\"}");
        assert_eq!(
            one_line("see https://s3.example/a.csv?X-Amz-Signature=canary now"),
            "see https://s3.example/a.csv now"
        );
        assert_eq!(
            one_line("{\"signature\":\"canarysig8d1f36a05be2\"}, job exp_a1b2"),
            "{\"signature\":\"[…]\"}, job exp_a1b2"
        );
        assert_eq!(one_line(&"ä".repeat(500)).chars().count(), 200);
    }

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn reads_the_servers_clock() {
        let read = |value| date(&headers(header::DATE, value)).map(|date| date.to_string());
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT").as_deref(), Some("1994-11-06T08:49:37.000000Z"));
        assert_eq!(read("yesterday"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = "2025-04-01T00:00:00Z".parse().unwrap();
        let read = |value| retry_after(&headers(header::RETRY_AFTER, value), now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Tue, 01 Apr 2025 00:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(read("Mon, 31 Mar 2025 23:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("-5"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn only_strong_tags_promise_equal_bytes() {
        let read = |value| strong_etag(&headers(header::ETAG, value)).map(str::to_owned);
        assert_eq!(read("\"abc\"").as_deref(), Some("\"abc\""));
        assert_eq!(read("W/\"abc\""), None);
        assert_eq!(read("abc"), None);
        assert_eq!(read("\"\""), None);
    }

    #[test]
    fn reads_where_a_partial_answer_begins() {
        let read = |value| content_range(&headers(header::CONTENT_RANGE, value));
        assert_eq!(read("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, None)));
        assert_eq!(read("bytes */10"), None);
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn never_leaves_tls() {
        let error = follow(&url("https://a.example/x"), "http://127.0.0.1/y?sig=canary", true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn plain_http_leads_only_to_near_hosts() {
        let from = url("http://127.0.0.1:8080/v1/exports/1/artifact");
        assert!(follow(&from, "http://10.0.0.7/bucket?sig=1", false).await.is_ok());
        assert!(follow(&from, "http://203.0.113.5/bucket", false).await.is_err());
        assert!(follow(&from, "http://203.0.113.5/bucket", true).await.is_ok());
    }

    #[tokio::test]
    async fn resolves_relative_locations_and_refuses_other_protocols() {
        let from = url("https://a.example/v1/exports/1/artifact");
        assert_eq!(follow(&from, "/files/1.csv", false).await.unwrap().as_str(), "https://a.example/files/1.csv");
        for location in ["ftp://a.example/1", "file:///etc/passwd", "https://user:pw@b.example/", "https://"] {
            assert!(follow(&from, location, true).await.is_err(), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let base = url("https://a.example/x");
        assert!(same_origin(&base, &url("https://A.example:443/y?z")));
        for other in ["http://a.example/x", "https://b.example/x", "https://a.example:8443/x", "https://sub.a.example/"]
        {
            assert!(!same_origin(&base, &url(other)), "{other}");
        }
    }
}

//! HTTP responses: refusals and their errors, headers, and redirects.

use super::config::printable;
use crate::{Error, ErrorKind, Result, Secret, http};
use archive_formats::Timestamp;
use chrono::DateTime;
use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use std::time::Duration;
use url::Url;

/// An endpoint of the API, or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The list of jobs, for probes alone.
    List,
    Create,
    Status,
    Download,
    /// A store that the download endpoint redirects to, or that the job names.
    Storage,
}

impl Endpoint {
    const fn action(self) -> &'static str {
        match self {
            Self::List => "list the export jobs",
            Self::Create => "create an export job",
            Self::Status => "get the export job's status",
            Self::Download | Self::Storage => "download the artifact",
        }
    }
}

/// The error for a `response` without success, with an excerpt of its body.
pub(super) async fn refused(endpoint: Endpoint, response: Response, token: &Secret, now: Timestamp) -> Error {
    let status = response.status();
    let wait = retry_after(response.headers(), date(response.headers()).unwrap_or(now));
    let message = format!("could not {}: the server answered {}", endpoint.action(), status.as_u16());
    let error = Error::new(kind(endpoint, status), message).with_retry_after(wait);
    // Stores repeat the signed request in their refusals.
    let excerpt = if endpoint == Endpoint::Storage { String::new() } else { excerpt(response, token).await };
    let error = if excerpt.is_empty() { error } else { error.with_context("answer", excerpt) };
    match hint(endpoint, status) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

const fn kind(endpoint: Endpoint, status: StatusCode) -> ErrorKind {
    match (endpoint, status.as_u16()) {
        // Signed links expire after minutes, and the download endpoint gives new ones. Its 202 means that there is no
        // artifact yet.
        (_, 408 | 429 | 500 | 502 | 503 | 504) | (Endpoint::Storage, 400 | 401 | 403) | (Endpoint::Download, 202) => {
            ErrorKind::SourceUnavailable
        }
        (_, 401 | 403) => ErrorKind::Unauthorized,
        (Endpoint::Create, 413 | 422) => ErrorKind::TooLarge,
        (Endpoint::Status | Endpoint::Download | Endpoint::Storage, 404 | 410) => ErrorKind::Expired,
        // The requested range is outside the artifact: the received bytes are not a part of it.
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

/// An excerpt of a body, without the token.
async fn excerpt(mut response: Response, token: &Secret) -> String {
    const READ: usize = 8 * 1024;
    let mut body = Vec::new();
    // An error here only shortens the excerpt.
    while let (true, Ok(Some(block))) = (body.len() < READ, response.chunk().await) {
        body.extend_from_slice(&block);
    }
    one_line(&token.redact(&String::from_utf8_lossy(&body)))
}

/// The first 200 characters of `text`, without possible secrets: queries of URLs, and long words of letters and digits,
/// such as tokens and signatures. A server may repeat the request, or parts of its response.
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

/// When the server sent the response, by its own clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(text(headers, &header::DATE)?)
}

/// How long the server asks to wait: a number of seconds, or the time from `now` until an HTTP date, zero if that is
/// past.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &header::RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean a very long wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    Some(if until > now { now.distance(until) } else { Duration::ZERO })
}

/// The entity tag, if it is a strong one. Equal weak tags do not promise equal bytes.
pub(super) fn strong_etag(headers: &HeaderMap) -> Option<&str> {
    text(headers, &header::ETAG).filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
}

/// First byte and whole length of a partial response, from `bytes 5-9/10` or `bytes 5-9/*`.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text(headers, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (span, total) = range.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Whether the body is one page of several (RFC 8288).
pub(super) fn has_next_page(headers: &HeaderMap) -> bool {
    let links = headers.get_all(header::LINK).into_iter().filter_map(|links| links.to_str().ok());
    let mut parameters = links.flat_map(|links| links.split([';', ','])).map(|part| part.trim().to_ascii_lowercase());
    parameters.any(|part| {
        let relations = part.strip_prefix("rel").and_then(|rest| rest.trim_start().strip_prefix('='));
        relations.is_some_and(|names| names.split([' ', '"']).any(|name| name == "next"))
    })
}

/// The value of a header, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc().into())
}

/// Most redirects in a row: one to the store, and one or two between regions or host names.
pub(super) const MAX_HOPS: usize = 3;

/// The target of a redirect from `from` to `location`. Refuses redirects from https to http, and plain http to hosts that
/// are neither loopback nor private unless `allow_http` is set.
pub(super) async fn redirect(from: &Url, location: &str, allow_http: bool) -> Result<Url> {
    let next = resolve(from, location)?;
    if next.scheme() == "http" {
        http::require_tls(&next, allow_http, ErrorKind::Source).await?;
    }
    Ok(next)
}

/// Whether two URLs have the same scheme, host and port, so that both may receive the token.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn resolve(from: &Url, location: &str) -> Result<Url> {
    let refuse = |why: &str| Error::new(ErrorKind::Source, format!("the server redirects {why}"));
    // The cause would repeat the location, which may hold a signature.
    let next = from.join(location).map_err(|_| refuse("to something that is not a URL"))?;
    let refuse =
        |why: &str| Err(refuse(why).with_context("from", printable(from)).with_context("to", printable(&next)));
    match (from.scheme(), next.scheme()) {
        ("https", "http") => refuse("from https to http"),
        (_, "https" | "http") if next.username().is_empty() && next.password().is_none() => Ok(next),
        (_, "https" | "http") => refuse("to an address with user information"),
        _ => refuse("to another scheme"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(endpoint: Endpoint, status: u16) -> ErrorKind {
        kind(endpoint, StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn only_transient_statuses_are_retried() {
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
    fn the_kind_of_a_refusal_depends_on_the_endpoint() {
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
    fn reads_the_date() {
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
    fn accepts_only_strong_entity_tags() {
        let read = |value| strong_etag(&headers(header::ETAG, value)).map(str::to_owned);
        assert_eq!(read("\"abc\"").as_deref(), Some("\"abc\""));
        assert_eq!(read("W/\"abc\""), None);
        assert_eq!(read("abc"), None);
        assert_eq!(read("\"\""), None);
    }

    #[test]
    fn reads_content_ranges() {
        let read = |value| content_range(&headers(header::CONTENT_RANGE, value));
        assert_eq!(read("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, None)));
        assert_eq!(read("bytes */10"), None);
    }

    #[test]
    fn a_link_to_the_next_page_is_found() {
        for link in ["</2>; rel=next", "</1>; rel=\"prev\", </3> ; title=\"a\"; Rel = \"last next\""] {
            assert!(has_next_page(&headers(header::LINK, link)), "{link}");
        }
        for link in ["</2>; rel=prev", "</next>; rel=\"self\"", ""] {
            assert!(!has_next_page(&headers(header::LINK, link)), "{link}");
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn refuses_a_redirect_from_https_to_http() {
        let error = redirect(&url("https://a.example/x"), "http://127.0.0.1/y?sig=canary", true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn refuses_a_redirect_to_a_public_host_without_tls() {
        let from = url("http://127.0.0.1:8080/v1/exports/1/artifact");
        assert!(redirect(&from, "http://10.0.0.7/bucket?sig=1", false).await.is_ok());
        assert!(redirect(&from, "http://203.0.113.5/bucket", false).await.is_err());
        assert!(redirect(&from, "http://203.0.113.5/bucket", true).await.is_ok());
    }

    #[tokio::test]
    async fn resolves_relative_locations_and_refuses_other_schemes() {
        let from = url("https://a.example/v1/exports/1/artifact");
        assert_eq!(redirect(&from, "/files/1.csv", false).await.unwrap().as_str(), "https://a.example/files/1.csv");
        for location in ["ftp://a.example/1", "file:///etc/passwd", "https://user:pw@b.example/", "https://"] {
            assert!(redirect(&from, location, true).await.is_err(), "{location}");
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

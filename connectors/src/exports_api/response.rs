//! What an HTTP status that is no success means, and how it is told.

use super::headers;
use crate::{Error, ErrorKind, Secret};
use archive_formats::Timestamp;
use reqwest::{Response, StatusCode};

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
    let wait = headers::retry_after(response.headers(), headers::date(response.headers()).unwrap_or(now));
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
}

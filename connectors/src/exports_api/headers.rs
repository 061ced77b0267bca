//! Headers of answers.

use archive_formats::Timestamp;
use chrono::DateTime;
use reqwest::header::{self, HeaderMap, HeaderName};
use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}

//! What a response delivers, in the terms of RFC 9110: which responses have parts of the same bytes, and what vouches
//! for their end.

use super::{config::printable, response};
use crate::{Error, ErrorKind, Result};
use reqwest::{Response, Version, header};
use serde::{Deserialize, Serialize};

/// What a response has promised about the artifact that its body is, or is a part of.
#[derive(Clone, Debug)]
pub(super) struct Representation {
    /// The address without its query, where signatures differ. A validator is unique within one resource alone.
    address: String,
    /// Strong entity tag.
    etag: Option<String>,
    /// Length of the whole artifact, in bytes.
    total: Option<u64>,
    end: End,
}

/// What tells that the last byte received is the last one of the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// A length, chunks or frames: a broken connection would have been an error.
    Framed,
    /// The connection was closed, at the end of the artifact or by a break. HTTP cannot tell one from the other.
    Closed,
}

impl Representation {
    /// The representation of which `response` has all bytes.
    pub(super) fn whole(response: &Response) -> Self {
        Self {
            address: printable(response.url()),
            etag: response::strong_etag(response.headers()).map(str::to_owned),
            total: response.content_length(),
            end: End::of(response),
        }
    }

    /// Strong entity tag, if later responses can be compared with this one.
    pub(super) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The representation with the part of it that a partial `response` adds at `offset`; `None` if the part may be of
    /// another one (RFC 9110, section 15.3.7.3).
    pub(super) fn with_part(self, response: &Response, offset: u64) -> Option<Self> {
        let (first, total) = response::content_range(response.headers())?;
        let same_total = total.is_some() && self.total.is_none_or(|known| Some(known) == total);
        let same_etag = self.etag.is_some() && self.etag() == response::strong_etag(response.headers());
        let same = same_total && same_etag && first == offset && self.address == printable(response.url());
        same.then(|| Self { total, end: End::of(response), ..self })
    }

    /// What vouches for the end of the artifact after `bytes`. Fails if it has another length; if it is longer, some bytes
    /// are not of it.
    pub(super) fn end(&self, bytes: u64) -> Result<End> {
        let Some(total) = self.total else { return Ok(self.end) };
        if total == bytes {
            return Ok(End::Framed);
        }
        let kind = if bytes < total { ErrorKind::SourceUnavailable } else { ErrorKind::Truncated };
        Err(Error::new(kind, "the artifact is not as long as the server announced")
            .with_context("bytes", bytes)
            .with_context("expected", total))
    }
}

impl End {
    /// The end of the body of `response`, which was received without an error.
    fn of(response: &Response) -> Self {
        let is_framed = match response.version() {
            Version::HTTP_11 => response.content_length().is_some() || is_chunked(response),
            // Older versions have no chunks, and the client does not use newer ones.
            _ => response.content_length().is_some(),
        };
        if is_framed { Self::Framed } else { Self::Closed }
    }
}

/// Whether `chunked` is the last transfer coding: the others do not end the body (RFC 9112, section 6.3).
fn is_chunked(response: &Response) -> bool {
    let codings = response.headers().get_all(header::TRANSFER_ENCODING).into_iter().next_back();
    let last = codings.and_then(|codings| codings.to_str().ok()?.rsplit(',').next());
    last.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Body;

    /// A response with these headers and a body of `length`, or of an unknown one.
    fn response(version: Version, headers: &[(&str, &str)], length: Option<usize>) -> Response {
        let body = match length {
            Some(length) => Body::from(vec![b'x'; length]),
            None => Body::wrap_stream(futures::stream::empty::<std::io::Result<bytes::Bytes>>()),
        };
        let response = http::Response::builder().version(version);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        response.body(body).unwrap().into()
    }

    fn part(etag: &str, range: &str) -> Response {
        response(Version::HTTP_11, &[("etag", etag), ("content-range", range)], Some(6))
    }

    #[test]
    fn a_part_continues_the_same_representation_alone() {
        let begun = |length| Representation::whole(&response(Version::HTTP_11, &[("etag", "\"a\"")], length));
        for length in [Some(10), None] {
            assert!(begun(length).with_part(&part("\"a\"", "bytes 4-9/10"), 4).is_some());
            for (etag, range) in [
                ("\"b\"", "bytes 4-9/10"),
                ("W/\"a\"", "bytes 4-9/10"),
                ("", "bytes 4-9/10"),
                ("\"a\"", "bytes 3-9/10"),
                ("\"a\"", "bytes 4-9/*"),
                ("\"a\"", "4-9/10"),
            ] {
                assert!(begun(length).with_part(&part(etag, range), 4).is_none(), "{etag} {range}");
            }
        }
        assert!(begun(Some(10)).with_part(&part("\"a\"", "bytes 4-10/11"), 4).is_none());
        let other = Representation { address: "https://other.example/".to_owned(), ..begun(Some(10)) };
        assert!(other.with_part(&part("\"a\"", "bytes 4-9/10"), 4).is_none());
        let untagged = Representation { etag: None, ..begun(Some(10)) };
        assert!(untagged.with_part(&part("", "bytes 4-9/10"), 4).is_none());
    }

    #[test]
    fn a_length_or_chunks_vouch_for_the_end() {
        let end = |version, headers: &[_], length| Representation::whole(&response(version, headers, length)).end(6);
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(end(version, &[], Some(6)).unwrap(), End::Framed, "{version:?}");
            assert_eq!(end(version, &[], Some(7)).unwrap_err().kind(), ErrorKind::SourceUnavailable, "{version:?}");
            assert_eq!(end(version, &[], Some(5)).unwrap_err().kind(), ErrorKind::Truncated, "{version:?}");
        }
        assert_eq!(end(Version::HTTP_11, &[("transfer-encoding", "gzip, Chunked")], None).unwrap(), End::Framed);
        for headers in [&[][..], &[("transfer-encoding", "chunked, gzip")], &[("content-length", "6")]] {
            assert_eq!(end(Version::HTTP_11, headers, None).unwrap(), End::Closed, "{headers:?}");
        }
        assert_eq!(end(Version::HTTP_10, &[("transfer-encoding", "chunked")], None).unwrap(), End::Closed);
    }
}

//! The head that an archive must have reached.

use archive_formats::{Head, Sha256};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::str::FromStr;

/// A previously noted archive head: its number, its digest, or both. An archive whose chain does not contain it was
/// truncated, even if the rest is consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedHead {
    /// Sequence number of the manifest.
    pub sequence: Option<u64>,
    /// Prefix of the manifest's SHA-256: 16 to 64 lower-case hexadecimal digits.
    pub digest: Option<String>,
}

/// Text that is not a valid head.
#[derive(Debug, thiserror::Error)]
#[error("expected a head as status prints it, such as 42:3f2a9c0d5b1e7788…, its number, or its SHA-256, not {0:?}")]
pub struct ExpectedHeadError(String);

/// Minimum digits of a digest: as many as commands print.
const MIN_DIGITS: usize = 16;

impl ExpectedHead {
    /// Returns whether a manifest with this digest matches.
    pub fn matches(&self, sha256: &Sha256) -> bool {
        self.digest.as_ref().is_none_or(|digits| sha256.to_string().starts_with(digits))
    }
}

impl From<&Head> for ExpectedHead {
    fn from(head: &Head) -> Self {
        Self { sequence: Some(head.sequence), digest: Some(head.sha256.to_string()) }
    }
}

impl FromStr for ExpectedHead {
    type Err = ExpectedHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ExpectedHeadError(text.to_owned());
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        if let Some((sequence, sha256)) = text.split_once(':') {
            let sequence = number(sequence).ok_or_else(error)?;
            return Ok(Self { sequence: Some(sequence), digest: Some(digest(sha256).ok_or_else(error)?) });
        }
        match digest(text) {
            Some(digits) => Ok(Self { sequence: None, digest: Some(digits) }),
            None => Ok(Self { sequence: Some(number(text).ok_or_else(error)?), digest: None }),
        }
    }
}

/// Parses the digits of a digest, with an optional trailing ellipsis from copied output, of one character or of three.
fn digest(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(['…', '.']);
    let valid = (MIN_DIGITS..=64).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    valid.then(|| digits.to_ascii_lowercase())
}

impl<'de> Deserialize<'de> for ExpectedHead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_number_a_digest_or_both() {
        let digest = Sha256::digest(b"manifest").to_string();
        let read = |text: &str| text.parse::<ExpectedHead>().ok().map(|head| (head.sequence, head.digest));
        assert_eq!(read("42"), Some((Some(42), None)));
        assert_eq!(read(&digest), Some((None, Some(digest.clone()))));
        assert_eq!(read(&format!("42:{digest}")), Some((Some(42), Some(digest.clone()))));
        for end in ["", "…", "..."] {
            let short = digest[..16].to_owned();
            assert_eq!(read(&format!("{short}{end}")), Some((None, Some(short.clone()))));
            assert_eq!(read(&format!("42:{short}{end}")), Some((Some(42), Some(short))));
        }
        for text in ["", "0", "-1", "42:", ":", "abc", "42:abc"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

//! The head that an archive must at least have.

use archive_formats::Sha256;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::str::FromStr;

/// What someone noted of an archive's head: its number, its digest, or both. An archive whose chain does not hold it
/// was cut back, however well the rest of it fits together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedHead {
    /// The number.
    pub sequence: Option<u64>,
    /// The digest of the manifest's bytes.
    pub sha256: Option<Sha256>,
}

/// A text that names no head.
#[derive(Debug, thiserror::Error)]
#[error("expected the number of a manifest, its sha256, or NUMBER:SHA256, not {0:?}")]
pub struct ExpectedHeadError(String);

impl FromStr for ExpectedHead {
    type Err = ExpectedHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ExpectedHeadError(text.to_owned());
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        if let Some((sequence, sha256)) = text.split_once(':') {
            let sequence = number(sequence).ok_or_else(error)?;
            let sha256 = sha256.parse().map_err(|_| error())?;
            return Ok(Self { sequence: Some(sequence), sha256: Some(sha256) });
        }
        match text.parse() {
            Ok(sha256) => Ok(Self { sequence: None, sha256: Some(sha256) }),
            Err(_) => Ok(Self { sequence: Some(number(text).ok_or_else(error)?), sha256: None }),
        }
    }
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
    fn is_a_number_a_digest_or_both() {
        let digest = Sha256::of(b"manifest");
        let read = |text: &str| text.parse::<ExpectedHead>().ok().map(|head| (head.sequence, head.sha256));
        assert_eq!(read("42"), Some((Some(42), None)));
        assert_eq!(read(&digest.to_string()), Some((None, Some(digest))));
        assert_eq!(read(&format!("42:{digest}")), Some((Some(42), Some(digest))));
        for text in ["", "0", "-1", "42:", ":", "abc", "42:abc"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

//! Percent-encoding. The forms of HTML, where `+` is a space, are not meant here.

use crate::Result;
use std::fmt::Write as _;

/// `text` without percent-encoding.
pub(super) fn decode(text: &str) -> Result<String> {
    let broken = || super::refused("the source's address has a broken percent-encoding");
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { escaped(&mut bytes).ok_or_else(broken)? } else { byte });
    }
    String::from_utf8(decoded).map_err(|_| broken())
}

/// The byte that two hexadecimal digits stand for. Zero cannot be sent.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    (byte != 0).then_some(byte)
}

/// `text` as it stands between the separators of a URL.
pub(in super::super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Cannot fail: a `String` takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives() {
        for text in ["", "events", "/var/run/postgresql", "ä ö+%&", "a%20b"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
        assert_eq!(decode("a+b%2fc").unwrap(), "a+b/c");
    }

    #[test]
    fn half_an_escape_is_refused() {
        for text in ["%", "%2", "%zz", "%00", "%ff", "%+1"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}

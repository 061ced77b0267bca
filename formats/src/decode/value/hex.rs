//! Bytes in hexadecimal digits.

use crate::decode::fault::Fault;

/// Appends the bytes that `text` spells in lower-case digits.
pub(in crate::decode) fn append(text: &[u8], bytes: &mut Vec<u8>) -> Result<(), Fault> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fault::Spelling("bytes in hexadecimal"));
    }
    bytes.reserve(pairs.len());
    for pair in pairs {
        bytes.push(byte(*pair).ok_or(Fault::Spelling("bytes in hexadecimal"))?);
    }
    Ok(())
}

/// The byte of two lower-case digits.
#[inline]
pub(super) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

#[inline]
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_lower_case_digits_are_bytes() {
        let mut bytes = vec![7];
        append(b"00ff10", &mut bytes).unwrap();
        append(b"", &mut bytes).unwrap();
        assert_eq!(bytes, [7, 0, 255, 16]);
        for text in ["0", "00f", "0F", "0x00", "zz", "\\x00", " 0"] {
            assert_eq!(append(text.as_bytes(), &mut bytes), Err(Fault::Spelling("bytes in hexadecimal")), "{text}");
        }
    }
}

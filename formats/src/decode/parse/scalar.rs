//! Parsers of booleans, UUIDs and hexadecimal bytes.

use crate::decode::row_error::RowErrorKind;

/// Parses a boolean as JSON spells it.
pub(in crate::decode) const fn parse_bool(text: &[u8]) -> Result<bool, RowErrorKind> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(RowErrorKind::Bool),
    }
}

/// Length of a canonical UUID.
const UUID_LENGTH: usize = 36;

/// Positions of its dashes.
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

/// Parses a UUID in its canonical spelling.
pub(in crate::decode) fn parse_uuid(text: &[u8]) -> Result<[u8; 16], RowErrorKind> {
    uuid_bytes(text).ok_or(RowErrorKind::Spelling("a UUID"))
}

fn uuid_bytes(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != UUID_LENGTH || UUID_DASHES.iter().any(|dash| text[*dash] != b'-') {
        return None;
    }
    let mut uuid = [0; 16];
    let mut at = 0;
    for byte in &mut uuid {
        at += usize::from(UUID_DASHES.contains(&at));
        *byte = hex_byte([text[at], text[at + 1]])?;
        at += 2;
    }
    Some(uuid)
}

/// Decodes lower-case hexadecimal and appends the bytes.
pub(in crate::decode) fn append_hex(text: &[u8], bytes: &mut Vec<u8>) -> Result<(), RowErrorKind> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(RowErrorKind::Spelling("bytes in hexadecimal"));
    }
    bytes.reserve(pairs.len());
    for pair in pairs {
        bytes.push(hex_byte(*pair).ok_or(RowErrorKind::Spelling("bytes in hexadecimal"))?);
    }
    Ok(())
}

/// The byte of two lower-case hexadecimal digits.
#[inline]
pub(super) fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}

#[inline]
const fn hex_digit(byte: u8) -> Option<u8> {
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
    fn uuids_have_one_spelling() {
        let uuid = "30313233-3435-3637-3839-616263646566";
        assert_eq!(parse_uuid(uuid.as_bytes()), Ok(*b"0123456789abcdef"));
        let texts = "|30313233343536373839616263646566|{30313233-3435-3637-3839-616263646566}|\
                     3031323334-35-3637-3839-616263646566|30313233-3435-3637-3839-6162636465|\
                     30313233-3435-3637-3839-61626364656F|30313233-3435-3637-3839-61626364656g|\
                     30313233-3435-3637-3839-616263646566 |-0313233-3435-3637-3839-616263646566";
        for text in texts.split('|') {
            assert_eq!(parse_uuid(text.as_bytes()), Err(RowErrorKind::Spelling("a UUID")), "{text}");
        }
    }

    #[test]
    fn bytes_are_pairs_of_lower_case_digits() {
        let mut bytes = vec![7];
        append_hex(b"00ff10", &mut bytes).unwrap();
        append_hex(b"", &mut bytes).unwrap();
        assert_eq!(bytes, [7, 0, 255, 16]);
        for text in ["0", "00f", "0F", "0x00", "zz", "\\x00", " 0"] {
            assert_eq!(
                append_hex(text.as_bytes(), &mut bytes),
                Err(RowErrorKind::Spelling("bytes in hexadecimal")),
                "{text}"
            );
        }
    }
}

//! Tokens of JSON arrays as archives write them: white space only inside embedded JSON, and one escape for each
//! character that needs one.

use super::scalar::hex_byte;
use crate::decode::row_error::RowErrorKind;

/// Error of an array in another spelling.
pub(in crate::decode) const INVALID_LIST: RowErrorKind = RowErrorKind::Spelling("a list");

/// The string at the start of `text`, without its quotes, and the rest.
pub(in crate::decode) fn split_string(text: &[u8]) -> Result<(&[u8], &[u8]), RowErrorKind> {
    let text = text.strip_prefix(b"\"").ok_or(INVALID_LIST)?;
    let end = string_end(text).ok_or(INVALID_LIST)?;
    Ok((&text[..end], &text[end + 1..]))
}

/// The number or word at the start of `text`, and the rest.
pub(in crate::decode) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr::memchr2(b',', b']', text).unwrap_or(text.len()))
}

/// The JSON value at the start of `text`, white space included, and the rest. The value is kept as it is and not
/// validated.
pub(in crate::decode) fn split_json(text: &[u8]) -> Result<(&[u8], &[u8]), RowErrorKind> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at).ok_or(INVALID_LIST)? {
            b',' | b']' if depth == 0 => return if at == 0 { Err(INVALID_LIST) } else { Ok(text.split_at(at)) },
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1).ok_or(INVALID_LIST)?,
            b'"' => at += 1 + string_end(&text[at + 1..]).ok_or(INVALID_LIST)?,
            _ => {}
        }
        at += 1;
    }
}

/// Position of the closing quote; `text` starts after the opening one.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

/// Decodes the escapes of a string without its quotes, and appends the result to `out`.
pub(in crate::decode) fn unescape(inside: &[u8], out: &mut Vec<u8>) -> Result<(), RowErrorKind> {
    let mut rest = inside;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | 0..0x20)) {
        let (byte, after) = escape(&rest[at..]).ok_or(INVALID_LIST)?;
        out.extend_from_slice(&rest[..at]);
        out.push(byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The byte of the escape at the start of `text`, and the rest.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (byte, rest) = match text {
        [b'\\', byte @ (b'"' | b'\\'), rest @ ..] => (*byte, rest),
        [b'\\', b'b', rest @ ..] => (0x08, rest),
        [b'\\', b't', rest @ ..] => (b'\t', rest),
        [b'\\', b'n', rest @ ..] => (b'\n', rest),
        [b'\\', b'f', rest @ ..] => (0x0c, rest),
        [b'\\', b'r', rest @ ..] => (b'\r', rest),
        [b'\\', b'u', b'0', b'0', high, low, rest @ ..] => {
            let byte = hex_byte([*high, *low])?;
            let has_letter = matches!(byte, 0x08 | b'\t' | b'\n' | 0x0c | b'\r');
            (Some(byte).filter(|byte| *byte < 0x20 && !has_letter)?, rest)
        }
        _ => return None,
    };
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unescaped(inside: &str) -> Result<Vec<u8>, RowErrorKind> {
        let mut out = Vec::new();
        unescape(inside.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn elements_are_split_at_their_ends() {
        assert_eq!(split_string(br#""a\"b\\",1]"#), Ok((br#"a\"b\\"#.as_slice(), b",1]".as_slice())));
        assert_eq!(split_word(b"1.5]x"), (b"1.5".as_slice(), b"]x".as_slice()));
        let embedded = |text: &'static str| split_json(text.as_bytes()).map(|(json, _)| json);
        assert_eq!(embedded(r#"{"a,]\"": [1, {}]},2]"#), Ok(br#"{"a,]\"": [1, {}]}"#.as_slice()));
        assert_eq!(embedded(" [1, 2] ]"), Ok(b" [1, 2] ".as_slice()));
        for text in ["", ",", "]", "{", "1", "\"a", "\"a\\", "}]", "[1,2"] {
            assert_eq!(embedded(text), Err(INVALID_LIST), "{text}");
        }
        for text in ["", "a\"", "\"", "\"a", "\"a\\\"", "\"\\"] {
            assert_eq!(split_string(text.as_bytes()), Err(INVALID_LIST), "{text}");
        }
    }

    #[test]
    fn characters_have_one_spelling() {
        let others = r"\/ \u0041 \u000a \u001F \u00e9 \ud83e\udd80 \x \u001 \ \u0009 \u0022 \U0000"
            .split(' ')
            .chain(["a\nb", "\u{1}"]);
        for text in others {
            assert_eq!(unescaped(text), Err(INVALID_LIST), "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_of_serde_json_are_unescaped(text: String, control in "[\0-\u{20}\"\\\\]{0,9}") {
            let text = format!("{text}{control}");
            let written = format!("{},null", serde_json::to_string(&text).unwrap());
            let (inside, rest) = split_string(written.as_bytes()).unwrap();
            prop_assert_eq!(rest, b",null");
            prop_assert_eq!(unescaped(std::str::from_utf8(inside).unwrap()), Ok(text.into_bytes()));
        }
    }
}

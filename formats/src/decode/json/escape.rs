//! What escapes stand for.

use crate::decode::fault::Fault;

/// The length of the escape that `bytes` begin with.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Fault> {
    match bytes {
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
        [_, b'u', digits @ ..] => unit(digits).map(|_| 6),
        _ => Err(Fault::Json),
    }
}

/// Appends to `out` what the text between a string's quotes stands for.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (character, length) = character(&rest[at..])?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// What the escape that `bytes` begin with stands for, and its length.
fn character(bytes: &[u8]) -> Result<(char, usize), Fault> {
    let character = match bytes {
        [_, plain @ (b'"' | b'\\' | b'/'), ..] => char::from(*plain),
        [_, b'b', ..] => '\u{8}',
        [_, b'f', ..] => '\u{c}',
        [_, b'n', ..] => '\n',
        [_, b'r', ..] => '\r',
        [_, b't', ..] => '\t',
        [_, b'u', digits @ ..] => return code_point(digits),
        _ => return Err(Fault::Json),
    };
    Ok((character, 2))
}

/// The character of one escaped UTF-16 unit, or of two that are a pair.
fn code_point(digits: &[u8]) -> Result<(char, usize), Fault> {
    let first = unit(digits)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 6));
    }
    let Some([b'\\', b'u', low @ ..]) = digits.get(4..) else { return Err(Fault::Surrogate) };
    let second = unit(low)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return Err(Fault::Surrogate);
    }
    let pair = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(pair).ok_or(Fault::Surrogate)?, 12))
}

/// The number that four hexadecimal digits make.
fn unit(digits: &[u8]) -> Result<u32, Fault> {
    let digits = digits.first_chunk::<4>().ok_or(Fault::Json)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?)).ok_or(Fault::Json)
}

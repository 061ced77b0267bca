//! A tokenizer of RFC 8259.

use crate::decode::{row_error::RowErrorKind, simd::LANE};
use wide::u8x16;

/// A position in a text, from which tokens are read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string of the source, with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawString<'a> {
    /// The bytes between the quotes.
    pub inner: &'a [u8],
    /// Whether it has escapes.
    pub has_escapes: bool,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// The bytes read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The unread bytes.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) const fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// Reads `token` if the unread bytes start with it.
    #[inline]
    pub(super) fn take(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Skips white space and returns the next byte, unread.
    #[inline]
    pub(super) fn token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Reads white space and `byte`.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), RowErrorKind> {
        if self.token() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(RowErrorKind::Json)
    }

    /// Reads a string, from its opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<RawString<'a>, RowErrorKind> {
        let start = self.at + 1;
        let mut has_escapes = false;
        self.at = start;
        loop {
            self.at += special(self.rest()).ok_or(RowErrorKind::Json)?;
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok(RawString { inner, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += escape_length(self.rest())?;
                }
                _ => return Err(RowErrorKind::Json),
            }
        }
    }

    /// Reads the name of a member, from its opening quote, and the colon.
    #[inline]
    pub(super) fn name(&mut self) -> Result<RawString<'a>, RowErrorKind> {
        if self.peek() != Some(b'"') {
            return Err(RowErrorKind::Json);
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Reads a number, from its first byte.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(), RowErrorKind> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), RowErrorKind> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(RowErrorKind::Json) }
    }
}

/// Position of the first quote, backslash or control character.
#[inline]
fn special(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((lane, after)) = rest.split_first_chunk::<LANE>() {
        let lane = u8x16::new(*lane);
        let is_control = lane.min(u8x16::splat(0x1f)).simd_eq(lane);
        let found = is_control | lane.simd_eq(u8x16::splat(b'"')) | lane.simd_eq(u8x16::splat(b'\\'));
        let mask = found.to_bitmask();
        if mask != 0 {
            return Some(bytes.len() - rest.len() + mask.trailing_zeros() as usize);
        }
        rest = after;
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    found.map(|at| bytes.len() - rest.len() + at)
}

/// Maximum nesting depth, the record included. The limit of `serde_json`.
pub(super) const MAX_DEPTH: usize = 128;

/// A value of valid syntax. Its text may not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    /// A number, `true` or `false`.
    Plain,
    Text(RawString<'a>),
    /// An object or an array.
    Nested,
}

impl<'a> Value<'a> {
    /// Reads white space and a value.
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, RowErrorKind> {
        if cursor.token() == Some(b'"') {
            return cursor.string().map(Value::Text);
        }
        match cursor.peek() {
            Some(b'{' | b'[') => nested(cursor).map(|()| Value::Nested),
            Some(b'n') => scalar(cursor).map(|()| Value::Null),
            _ => scalar(cursor).map(|()| Value::Plain),
        }
    }
}

#[inline]
fn scalar(cursor: &mut Cursor<'_>) -> Result<(), RowErrorKind> {
    let is_word = match cursor.peek() {
        Some(b'"') => return cursor.string().map(|_| ()),
        Some(b't') => cursor.take(b"true"),
        Some(b'f') => cursor.take(b"false"),
        Some(b'n') => cursor.take(b"null"),
        _ => return cursor.number(),
    };
    if is_word { Ok(()) } else { Err(RowErrorKind::Json) }
}

/// Reads an object or an array. Nesting takes one bit per level and no stack.
fn nested(cursor: &mut Cursor<'_>) -> Result<(), RowErrorKind> {
    // The lowest bit is set if the innermost level is an object.
    let (mut objects, mut depth) = (0_u128, 1);
    loop {
        match cursor.token() {
            Some(bracket @ (b'{' | b'[')) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(RowErrorKind::Depth(MAX_DEPTH));
                }
                let is_object = bracket == b'{';
                objects = (objects << 1) | u128::from(is_object);
                cursor.advance(1);
                let is_empty = cursor.token() == Some(if is_object { b'}' } else { b']' });
                if !is_empty {
                    if is_object {
                        cursor.name()?;
                    }
                    continue;
                }
            }
            _ => scalar(cursor)?,
        }
        // After a value: a comma, or the closing brackets of the levels that end here.
        loop {
            let is_object = objects & 1 == 1;
            let byte = cursor.token();
            cursor.advance(1);
            match byte {
                Some(b',') => {
                    if is_object {
                        cursor.token();
                        cursor.name()?;
                    }
                    break;
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ => return Err(RowErrorKind::Json),
            }
            objects >>= 1;
            depth -= 1;
            if depth == 1 {
                return Ok(());
            }
        }
    }
}

/// Length of the escape at the start of `bytes`.
fn escape_length(bytes: &[u8]) -> Result<usize, RowErrorKind> {
    match bytes {
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
        [_, b'u', digits @ ..] => utf16_unit(digits).map(|_| 6),
        _ => Err(RowErrorKind::Json),
    }
}

/// Decodes the escapes of a string without its quotes, and appends the result to `out`.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), RowErrorKind> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (character, length) = escaped_character(&rest[at..])?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The character of the escape at the start of `bytes`, and its length.
fn escaped_character(bytes: &[u8]) -> Result<(char, usize), RowErrorKind> {
    let character = match bytes {
        [_, plain @ (b'"' | b'\\' | b'/'), ..] => char::from(*plain),
        [_, b'b', ..] => '\u{8}',
        [_, b'f', ..] => '\u{c}',
        [_, b'n', ..] => '\n',
        [_, b'r', ..] => '\r',
        [_, b't', ..] => '\t',
        [_, b'u', digits @ ..] => return code_point(digits),
        _ => return Err(RowErrorKind::Json),
    };
    Ok((character, 2))
}

/// The character of an escaped UTF-16 unit or surrogate pair, and its length.
fn code_point(digits: &[u8]) -> Result<(char, usize), RowErrorKind> {
    let first = utf16_unit(digits)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 6));
    }
    let Some([b'\\', b'u', low @ ..]) = digits.get(4..) else { return Err(RowErrorKind::Surrogate) };
    let second = utf16_unit(low)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return Err(RowErrorKind::Surrogate);
    }
    let pair = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(pair).ok_or(RowErrorKind::Surrogate)?, 12))
}

/// The number of four hexadecimal digits.
fn utf16_unit(digits: &[u8]) -> Result<u32, RowErrorKind> {
    let digits = digits.first_chunk::<4>().ok_or(RowErrorKind::Json)?;
    digits
        .iter()
        .try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
        .ok_or(RowErrorKind::Json)
}

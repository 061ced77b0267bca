//! Tokens, as RFC 8259 has them.

use super::escape;
use crate::decode::{block::LANE, fault::Fault};
use wide::u8x16;

/// Reads a text token by token, from where it stands.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string as it stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// Without the quotes.
    pub inner: &'a [u8],
    /// Whether there are escapes in it.
    pub has_escapes: bool,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// What was not read yet.
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

    /// Goes past `token`, if it stands here.
    #[inline]
    pub(super) fn take(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// The next byte that is no white space; it is not read yet.
    #[inline]
    pub(super) fn token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Goes past white space and `byte`.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.token() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Fault::Json)
    }

    /// Reads a string, at whose opening quote the cursor stands.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        let mut has_escapes = false;
        self.at = start;
        loop {
            self.at += special(self.rest()).ok_or(Fault::Json)?;
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok(Text { inner, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += escape::length(self.rest())?;
                }
                _ => return Err(Fault::Json),
            }
        }
    }

    /// Reads the name of a member, at whose opening quote the cursor stands, and the colon.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Text<'a>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(Fault::Json);
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Reads a number, at whose first byte the cursor stands.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(), Fault> {
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
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Fault::Json) }
    }
}

/// Where the first byte is that cannot just stand in a string: a quote, a backslash, a control character.
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

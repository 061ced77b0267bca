//! The members of a record, and their names.

use super::cursor::{Cursor, unescape};
use crate::decode::row_error::RowErrorKind;
use std::{borrow::Cow, collections::HashMap};

/// Iterates over the members of an object.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Members<'a> {
    /// The members of the object at the start of `text`.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, RowErrorKind> {
        let mut cursor = Cursor::new(text);
        if cursor.token() != Some(b'{') {
            return Err(RowErrorKind::NoObject);
        }
        cursor.advance(1);
        Ok(Self { cursor, is_first: true })
    }

    /// Moves to the name of the next member; `false` after the end of the object. The value of the previous member must be
    /// read before.
    #[inline]
    pub(super) fn next(&mut self) -> Result<bool, RowErrorKind> {
        match self.cursor.token() {
            Some(b'}') => {
                self.cursor.advance(1);
                return Ok(false);
            }
            Some(b',') if !self.is_first => {
                self.cursor.advance(1);
                self.cursor.token();
            }
            _ if self.is_first => {}
            _ => return Err(RowErrorKind::Json),
        }
        self.is_first = false;
        Ok(true)
    }
}

/// Names, numbered in order of insertion.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    names: Vec<(String, Option<NamePrefix>)>,
    numbers: HashMap<Vec<u8>, usize>,
}

/// The first bytes of a member: its name in quotes, and a colon.
#[derive(Clone, Debug)]
struct NamePrefix {
    bytes: Vec<u8>,
    /// The first 16 bytes as a number, padded with zeros, and a mask of those that are not padding.
    first: u128,
    mask: u128,
}

impl NamePrefix {
    /// `None` for a name that is written with escapes.
    fn new(name: &str) -> Option<Self> {
        if name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            return None;
        }
        let bytes = format!("\"{name}\":").into_bytes();
        let byte = |place| bytes.get(place).copied();
        let first = u128::from_le_bytes(std::array::from_fn(|place| byte(place).unwrap_or_default()));
        let mask = u128::from_le_bytes(std::array::from_fn(|place| byte(place).map_or(0, |_| u8::MAX)));
        Some(Self { bytes, first, mask })
    }

    /// Reads the prefix if it is at the cursor. Names of up to 13 bytes take one comparison.
    #[inline]
    fn take(&self, cursor: &mut Cursor<'_>) -> bool {
        let rest = cursor.rest();
        let Some((first, more)) = rest.split_first_chunk() else { return cursor.take(&self.bytes) };
        let is_here = u128::from_le_bytes(*first) & self.mask == self.first
            && self.bytes.get(first.len()..).is_none_or(|others| more.starts_with(others));
        cursor.advance(if is_here { self.bytes.len() } else { 0 });
        is_here
    }
}

/// The name of a member.
#[derive(Debug)]
pub(super) enum Name<'a> {
    /// Number of a known name.
    Known(usize),
    /// Bytes of an unknown name, without escapes.
    Other(Cow<'a, [u8]>),
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn get(&self, number: usize) -> Option<&str> {
        self.names.get(number).map(|(name, _)| name.as_str())
    }

    pub(super) fn into_names(self) -> impl Iterator<Item = String> {
        self.names.into_iter().map(|(name, _)| name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.numbers.contains_key(name.as_bytes())
    }

    /// The number of `name`, which is added if it is new.
    pub(super) fn add(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name.as_bytes()) {
            return *number;
        }
        self.names.push((name.to_owned(), NamePrefix::new(name)));
        self.numbers.insert(name.as_bytes().to_vec(), self.names.len() - 1);
        self.names.len() - 1
    }
}

/// Predicts the next name from the one that followed the current name last time: records mostly have the same names in
/// the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct NamePredictor {
    /// Number of the first name, and of the successor of each name.
    next: Vec<usize>,
    /// Index in `next` of the prediction.
    position: usize,
}

impl NamePredictor {
    /// Starts a record.
    #[inline]
    pub(super) fn start(&mut self, names: &Names) {
        self.next.resize(names.len() + 1, usize::MAX);
        self.position = 0;
    }

    /// Reads a name and its colon.
    #[inline]
    pub(super) fn read<'a>(&mut self, names: &Names, cursor: &mut Cursor<'a>) -> Result<Name<'a>, RowErrorKind> {
        if let Some(number) = self.next.get(self.position)
            && let Some((_, Some(prefix))) = names.names.get(*number)
            && prefix.take(cursor)
        {
            self.position = number + 1;
            return Ok(Name::Known(*number));
        }
        self.read_other(names, cursor)
    }

    fn read_other<'a>(&mut self, names: &Names, cursor: &mut Cursor<'a>) -> Result<Name<'a>, RowErrorKind> {
        let text = cursor.name()?;
        let mut name = Cow::Borrowed(text.inner);
        if text.has_escapes {
            name = Cow::Owned(Vec::new());
            unescape(text.inner, name.to_mut())?;
        }
        Ok(match names.numbers.get(name.as_ref()) {
            Some(number) => {
                self.learn(*number);
                Name::Known(*number)
            }
            None => Name::Other(name),
        })
    }

    /// Records `number` as the name that was just read.
    pub(super) fn learn(&mut self, number: usize) {
        if let Some(next) = self.next.get_mut(self.position) {
            *next = number;
        }
        self.position = number + 1;
    }
}

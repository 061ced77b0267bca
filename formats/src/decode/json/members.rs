//! The members of a record, and the names that they have.

use super::cursor::{Cursor, unescape};
use crate::decode::fault::Fault;
use std::{borrow::Cow, collections::HashMap};

/// The members of one object, one after the other.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Members<'a> {
    /// The members of the object that `text` begins with.
    pub(super) fn of(text: &'a [u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(text);
        if cursor.token() != Some(b'{') {
            return Err(Fault::NoObject);
        }
        cursor.advance(1);
        Ok(Self { cursor, is_first: true })
    }

    /// Goes to the name of the next member, when the value of the one before was read; `false` at the object's end,
    /// which is read too.
    #[inline]
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
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
            _ => return Err(Fault::Json),
        }
        self.is_first = false;
        Ok(true)
    }
}

/// Names, numbered in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    names: Vec<(String, Beginning)>,
    numbers: HashMap<Vec<u8>, usize>,
}

/// How a member of a name begins: the name in quotes, and a colon.
#[derive(Clone, Debug)]
struct Beginning {
    bytes: Vec<u8>,
    /// The first bytes as a number, in which those behind the beginning are zero, and a mask of the others.
    first: u128,
    mask: u128,
}

impl Beginning {
    fn of(name: &str) -> Self {
        let is_plain = !name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        // No member begins with a colon: a name that needs escapes is never recognised by how it begins.
        let bytes = if is_plain { format!("\"{name}\":") } else { ":".to_owned() }.into_bytes();
        let byte = |place| bytes.get(place).copied();
        let first = u128::from_le_bytes(std::array::from_fn(|place| byte(place).unwrap_or_default()));
        let mask = u128::from_le_bytes(std::array::from_fn(|place| byte(place).map_or(0, |_| u8::MAX)));
        Self { bytes, first, mask }
    }

    /// Goes past the beginning, if the cursor stands at one. Most names are short, and are compared at once.
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
    /// The number of a name that is known.
    Known(usize),
    /// The bytes of another one.
    Other(Cow<'a, [u8]>),
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn into_names(self) -> impl Iterator<Item = String> {
        self.names.into_iter().map(|(name, _)| name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.numbers.contains_key(name.as_bytes())
    }

    /// The number of `name`, which is a new one unless it is known.
    pub(super) fn add(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name.as_bytes()) {
            return *number;
        }
        self.names.push((name.to_owned(), Beginning::of(name)));
        self.numbers.insert(name.as_bytes().to_vec(), self.names.len() - 1);
        self.names.len() - 1
    }
}

/// Recognises names by what came after the same name the last time, as records mostly have the same names in the same
/// order.
#[derive(Clone, Debug, Default)]
pub(super) struct Habit {
    /// The number of the name that came first, and of the one that came after each name.
    next: Vec<usize>,
    /// Where in `next` the coming name is.
    place: usize,
}

impl Habit {
    /// To be called before the names of each record are read.
    #[inline]
    pub(super) fn start(&mut self, names: &Names) {
        self.next.resize(names.len() + 1, usize::MAX);
        self.place = 0;
    }

    /// Reads the name at which the `cursor` stands, and its colon.
    #[inline]
    pub(super) fn read<'a>(&mut self, names: &Names, cursor: &mut Cursor<'a>) -> Result<Name<'a>, Fault> {
        if let Some(number) = self.next.get(self.place)
            && let Some((_, beginning)) = names.names.get(*number)
            && beginning.take(cursor)
        {
            self.place = number + 1;
            return Ok(Name::Known(*number));
        }
        self.read_other(names, cursor)
    }

    fn read_other<'a>(&mut self, names: &Names, cursor: &mut Cursor<'a>) -> Result<Name<'a>, Fault> {
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

    /// Remembers that the name that was just read has this number.
    pub(super) fn learn(&mut self, number: usize) {
        if let Some(next) = self.next.get_mut(self.place) {
            *next = number;
        }
        self.place = number + 1;
    }
}

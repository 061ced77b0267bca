//! The members of a record, and the names that they have.

use super::{cursor::Cursor, escape};
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
    /// The names, and how a member of each begins: the name in quotes, and a colon.
    names: Vec<(String, Vec<u8>)>,
    numbers: HashMap<Vec<u8>, usize>,
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
        let is_plain = !name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        // No member begins with a colon: a name that needs escapes is never recognised by how it begins.
        let beginning = if is_plain { format!("\"{name}\":") } else { ":".to_owned() };
        self.names.push((name.to_owned(), beginning.into_bytes()));
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
            && cursor.take(beginning)
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
            escape::unescape(text.inner, name.to_mut())?;
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

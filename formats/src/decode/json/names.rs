//! Which names the records of an artifact have.

use super::{
    cursor::Cursor,
    members::{Habit, Members, Name, Names},
    records::Records,
    structure,
    value::Value,
};
use crate::{catalogue, decode::fault::Fault};

/// Names that nobody knows share a column. Of them so many are listed, in case that the id or the time is among them.
const MAX_UNKNOWN: usize = 1000;

/// The names of the members of all records, in the order in which they first appear. [`Self::merge`] keeps that order
/// when the names of later chunks are merged into those of earlier ones.
#[derive(Clone, Debug, Default)]
pub struct JsonNames {
    names: Names,
    habit: Habit,
    /// Whether a name ever had an object or a list for a value, by its number.
    nested: Vec<bool>,
    unknown: usize,
    /// Whether there were more unknown names than are listed.
    is_incomplete: bool,
}

impl JsonNames {
    /// The names in the records of `chunk`.
    pub fn of(chunk: &[u8]) -> Self {
        let mut names = Self::default();
        names.add(chunk);
        names
    }

    /// Adds the names in the records of `chunk`. Of broken records it may see some names only: they will be rejects.
    pub fn add(&mut self, chunk: &[u8]) {
        let mut records = Records::of(chunk);
        while let Some(text) = records.next_text() {
            let end = self.add_record(text);
            if end.and_then(|end| records.accept(end)).is_err() {
                records.give_up();
            }
        }
    }

    /// Adds the names that `other` has, behind those that are here.
    pub fn merge(&mut self, other: Self) {
        for (name, nested) in other.names.into_names().zip(other.nested) {
            if let Some(number) = self.number(&name) {
                self.note(number, nested);
            }
        }
        self.is_incomplete |= other.is_incomplete;
    }

    /// The names, each with whether it ever had an object or a list for a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names.iter().zip(self.nested.iter().copied())
    }

    /// Whether there are names that are not listed. No column has them.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Adds the names of the record that `text` begins with, and returns its length.
    fn add_record(&mut self, text: &[u8]) -> Result<usize, Fault> {
        let mut members = Members::of(text)?;
        self.habit.start(&self.names);
        while members.next()? {
            let number = match self.habit.read(&self.names, &mut members.cursor)? {
                Name::Known(number) => Some(number),
                Name::Other(name) => std::str::from_utf8(&name).ok().and_then(|name| self.number(name)),
            };
            let is_nested = skip(&mut members.cursor)?;
            if let Some(number) = number {
                self.note(number, is_nested);
            }
        }
        Ok(members.cursor.position())
    }

    /// The number of a name; `None` if it is one unknown name too many.
    #[cold]
    fn number(&mut self, name: &str) -> Option<usize> {
        let is_new = !self.names.has(name);
        let is_unknown = is_new && catalogue::json_type(name).is_none();
        if is_unknown && self.unknown == MAX_UNKNOWN {
            self.is_incomplete = true;
            return None;
        }
        self.unknown += usize::from(is_unknown);
        let number = self.names.add(name);
        self.habit.learn(number);
        Some(number)
    }

    fn note(&mut self, number: usize, is_nested: bool) {
        self.nested.resize(self.names.len(), false);
        if let Some(nested) = self.nested.get_mut(number) {
            *nested |= is_nested;
        }
    }
}

/// Goes past a value and says whether it is an object or a list. What is in those is not looked at.
#[inline]
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    if !matches!(cursor.token(), Some(b'{' | b'[')) {
        return Value::read(cursor).map(|_| false);
    }
    cursor.advance(1);
    let length = structure::closing(cursor.rest()).ok_or(Fault::Json)?;
    cursor.advance(length + 1);
    Ok(true)
}

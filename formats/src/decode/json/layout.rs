//! The names of the members of an artifact, and the columns that they make.

use super::{
    JsonError,
    cursor::{Cursor, Value, unescape},
    members::{Habit, Members, Name, Names},
    records::Records,
    rows::Rows,
    structure,
};
use crate::{
    ColumnType, Schema, Timestamp,
    catalogue::{self, KeyColumns, json_schema},
    decode::{
        Decoded,
        columns::{Columns, Utf8, checked},
        columns_by_type::ColumnBuilder,
        fault::Fault,
        parse::calendar::parse_timestamp,
        survey::{Survey, Surveyor},
    },
};
use std::sync::Arc;

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
    fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names.iter().zip(self.nested.iter().copied())
    }

    /// Whether there are names that are not listed. No column has them.
    const fn is_incomplete(&self) -> bool {
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
fn skip(cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    if !matches!(cursor.token(), Some(b'{' | b'[')) {
        return Value::read(cursor).map(|_| false);
    }
    cursor.advance(1);
    let length = structure::closing(cursor.rest()).ok_or(Fault::Json)?;
    cursor.advance(length + 1);
    Ok(true)
}

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded in parallel.
#[derive(Debug)]
pub struct JsonLayout {
    columns: Columns,
    id: usize,
    time: usize,
    pub(super) names: Names,
    /// The column of each name; `None` for those that share one.
    pub(super) targets: Vec<Option<usize>>,
    /// The column of the members that have none of their own.
    pub(super) extra: Option<usize>,
}

impl JsonLayout {
    /// The columns of records with these `names`. Fails when no record has an id or a time; so an artifact without any
    /// records has no layout, and needs none.
    pub fn new(names: &JsonNames, keys: &KeyColumns) -> Result<Self, JsonError> {
        let list = names.iter().map(|(name, _)| name).collect::<Vec<_>>();
        let has_nested_text =
            names.iter().any(|(name, nested)| nested && catalogue::json_type(name) == Some(ColumnType::Text));
        let schema = json_schema(&list, has_nested_text || names.is_incomplete(), keys)?;
        if schema.id() == schema.time() {
            return Err(JsonError::OneKey(schema.id().to_owned()));
        }
        let extra = schema.columns().iter().position(|column| column.name == catalogue::EXTRA);
        let target = |name: &&str| schema.columns().iter().position(|column| column.name == *name);
        let targets = list.iter().map(|name| target(name).filter(|column| Some(*column) != extra)).collect();
        let mut table = Names::default();
        for name in &list {
            table.add(name);
        }
        let (id, time) = (schema.id_index(), schema.time_index());
        Ok(Self { columns: Columns::new(Arc::new(schema)), id, time, names: table, targets, extra })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Whether the column says what an event is called or when it happened.
    pub(super) const fn is_key(&self, column: usize) -> bool {
        column == self.id || column == self.time
    }

    /// Decodes a chunk of whole records. The lines of rejects are those of the chunk, or, where the records are a
    /// list's elements, the number of elements before; [`Decoded::lines`] counts the same.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8) -> Option<Decoded> {
        let builders = self.columns.builders(|column, missing| ColumnBuilder::new(&column.kind, missing));
        let Rows { columns, good, rejects, lines, .. } = Rows::read(chunk, self, builders, utf8);
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines })
    }
}

impl JsonLayout {
    /// What the times in a chunk of whole records are; several times as fast as [`Self::decode`].
    pub fn survey(&self, chunk: &[u8]) -> Survey {
        let (mut times, mut surveyor, mut records) = (Times::of(self), Surveyor::default(), Records::of(chunk));
        while let Some(text) = records.next_text() {
            let read = times.read(text).and_then(|(time, length)| records.accept(length).map(|()| time));
            surveyor.count(read.unwrap_or_else(|_| self.time_of(records.give_up())));
        }
        surveyor.finish(records.lines())
    }

    /// The time of the row of a [`Reject`](crate::Reject), if it is not that which is wrong, and if the row is an object
    /// whose members can be told apart.
    pub fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        Times::of(self).read(row).ok().and_then(|(time, _)| time)
    }
}

/// Looks for the time of each record.
struct Times<'a> {
    layout: &'a JsonLayout,
    /// The column of the time.
    column: Option<usize>,
    habit: Habit,
    scratch: Vec<u8>,
}

impl<'a> Times<'a> {
    fn of(layout: &'a JsonLayout) -> Self {
        let column = Some(layout.schema().time_index());
        Self { layout, column, habit: Habit::default(), scratch: Vec::new() }
    }

    /// The time of the record that `text` begins with, if it has one that can be read, and the record's length.
    #[inline]
    fn read(&mut self, text: &[u8]) -> Result<(Option<Timestamp>, usize), Fault> {
        let (mut members, mut time, mut found) = (Members::of(text)?, None, 0);
        self.habit.start(&self.layout.names);
        while members.next()? {
            match self.habit.read(&self.layout.names, &mut members.cursor)? {
                Name::Known(number) if self.layout.targets.get(number) == Some(&self.column) => {
                    found += 1;
                    time = self.time(Value::read(&mut members.cursor)?);
                }
                _ => drop(skip(&mut members.cursor)?),
            }
        }
        Ok((time.filter(|_| found == 1), members.cursor.position()))
    }

    fn time(&mut self, value: Value<'_>) -> Option<Timestamp> {
        let Value::Text(text) = value else { return None };
        let mut plain = text.inner;
        if text.has_escapes {
            self.scratch.clear();
            unescape(text.inner, &mut self.scratch).ok()?;
            plain = &self.scratch;
        }
        parse_timestamp(plain).ok().map(Timestamp::from_micros)
    }
}

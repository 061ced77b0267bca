//! Records into columns, and the records that do not fit into rejects.

use super::{
    JsonLayout,
    cursor::{Cursor, Value, unescape},
    members::{Habit, Members, Name},
    records::Records,
};
use crate::{
    Reject,
    decode::{
        columns::{Builder as _, Utf8},
        columns_by_type::{ColumnBuilder, SAMPLE},
        fault::{Fault, Offence},
    },
};
use std::collections::HashSet;

/// The records of one chunk.
pub(super) struct Rows<'a> {
    layout: &'a JsonLayout,
    utf8: Utf8,
    /// The good records.
    pub columns: Vec<ColumnBuilder>,
    /// How many rows every column has.
    pub good: usize,
    /// The bad records.
    pub rejects: Vec<Reject>,
    /// Lines of the chunk, or records where there are no lines.
    pub lines: u64,
    habit: Habit,
    /// The number of the present record, and that of the last one that had a name, or a value for a column.
    record: u64,
    named: Vec<u64>,
    filled: Vec<u64>,
    /// Names of the present record that the layout does not list.
    strangers: HashSet<Vec<u8>>,
    /// The members without a column of the present record, each after a comma, the first after a bracket.
    extra: Vec<u8>,
    /// A text without its escapes.
    scratch: Vec<u8>,
}

/// The value of a member, and how it stands there.
#[derive(Clone, Copy)]
struct Member<'a> {
    value: Value<'a>,
    raw: &'a [u8],
}

impl<'a> Member<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Fault> {
        cursor.token();
        let start = cursor.position();
        let value = Value::read(cursor)?;
        Ok(Self { value, raw: cursor.since(start) })
    }
}

impl<'a> Rows<'a> {
    /// Reads the whole `chunk` into `columns`, which are empty.
    pub(super) fn read(chunk: &[u8], layout: &'a JsonLayout, columns: Vec<ColumnBuilder>, utf8: Utf8) -> Self {
        let mut rows = Self {
            layout,
            utf8,
            good: 0,
            rejects: Vec::new(),
            lines: 0,
            habit: Habit::default(),
            record: 0,
            named: vec![0; layout.names.len()],
            filled: vec![0; columns.len()],
            columns,
            strangers: HashSet::new(),
            extra: Vec::new(),
            scratch: Vec::new(),
        };
        let mut records = Records::of(chunk);
        while let Some(text) = records.next_text() {
            let taken = rows.take(text).and_then(|length| Ok(records.accept(length)?));
            if let Err(offence) = taken {
                rows.reject(records.number(), records.give_up(), &offence);
                continue;
            }
            rows.good += 1;
            if rows.good == SAMPLE {
                let factor = chunk.len() / records.position().max(1) + 1;
                rows.columns.iter_mut().for_each(|column| column.reserve(factor));
            }
        }
        rows.lines = records.lines();
        rows
    }

    /// Takes the record that `text` begins with into all columns and returns its length, or fails and leaves some of
    /// them one row longer than the others.
    fn take(&mut self, text: &[u8]) -> Result<usize, Offence> {
        self.record += 1;
        self.extra.clear();
        self.strangers.clear();
        let mut members = Members::of(text)?;
        self.habit.start(&self.layout.names);
        let mut filled = 0;
        while members.next()? {
            let start = members.cursor.position();
            let column = self.column(&mut members)?;
            let member = Member::read(&mut members.cursor).map_err(|fault| Offence { column, fault })?;
            if let Some(index) = column {
                filled += 1;
                self.filled[index] = self.record;
                if self.push(index, member).map_err(|fault| Offence { column, fault })? {
                    continue;
                }
            }
            self.add_extra(members.cursor.since(start)).map_err(|fault| Offence { column, fault })?;
        }
        self.fill(filled)?;
        let length = members.cursor.position();
        if self.utf8 == Utf8::ByRow && std::str::from_utf8(text.get(..length).unwrap_or_default()).is_err() {
            return Err(Fault::Utf8.into());
        }
        Ok(length)
    }

    /// Reads the name of a member and returns its column, if it has one of its own.
    #[inline]
    fn column(&mut self, members: &mut Members<'_>) -> Result<Option<usize>, Offence> {
        match self.habit.read(&self.layout.names, &mut members.cursor)? {
            Name::Known(number) => {
                let column = self.layout.targets.get(number).copied().flatten();
                if self.named[number] == self.record {
                    return Err(Offence { column, fault: Fault::Duplicate });
                }
                self.named[number] = self.record;
                Ok(column)
            }
            Name::Other(name) if std::str::from_utf8(&name).is_err() => Err(Fault::Utf8.into()),
            Name::Other(name) => {
                let is_new = self.strangers.insert(name.into_owned());
                if is_new { Ok(None) } else { Err(Fault::Duplicate.into()) }
            }
        }
    }

    /// Appends the member's value to its column; `false` when it is for the shared column instead.
    #[inline]
    fn push(&mut self, column: usize, member: Member<'_>) -> Result<bool, Fault> {
        let is_key = self.layout.is_key(column);
        let builder = &mut self.columns[column];
        match (builder, member.value) {
            (builder, Value::Null) => builder.push_null()?,
            (builder, Value::Text(text)) if is_key && text.inner.is_empty() => builder.push_null()?,
            (ColumnBuilder::Json(json), _) => json.push(member.raw)?,
            (ColumnBuilder::Text(_), Value::Nested) if is_key => return Err(Fault::Nested),
            (builder @ ColumnBuilder::Text(_), Value::Nested) => {
                builder.push_null()?;
                return Ok(false);
            }
            (ColumnBuilder::Text(column), Value::Text(text)) if text.has_escapes => {
                column.push_with(|bytes| unescape(text.inner, bytes))?;
            }
            (builder, Value::Text(text)) if text.has_escapes => {
                self.scratch.clear();
                unescape(text.inner, &mut self.scratch)?;
                builder.push(&self.scratch)?;
            }
            (builder, Value::Text(text)) => builder.push(text.inner)?,
            (builder, Value::Plain | Value::Nested) => builder.push(member.raw)?,
        }
        Ok(true)
    }

    /// Adds a member to those that share a column.
    fn add_extra(&mut self, member: &[u8]) -> Result<(), Fault> {
        if self.layout.extra.is_none() {
            return Err(Fault::Unseen);
        }
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        self.extra.extend_from_slice(member);
        Ok(())
    }

    /// Ends a record that had values for so many columns.
    #[inline]
    fn fill(&mut self, filled: usize) -> Result<(), Offence> {
        let extra = self.layout.extra;
        if let Some(extra) = extra {
            let column = &mut self.columns[extra];
            if self.extra.is_empty() {
                column.push_null()?;
            } else {
                self.extra.push(b'}');
                column.push(&self.extra)?;
            }
        }
        if filled + usize::from(extra.is_some()) == self.columns.len() {
            return Ok(());
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            if self.filled[index] != self.record && Some(index) != extra {
                column.push_null().map_err(|fault| Offence { column: Some(index), fault })?;
            }
        }
        Ok(())
    }

    /// Removes what is left of a record that failed, and keeps its bytes.
    #[cold]
    fn reject(&mut self, line: u64, row: &[u8], offence: &Offence) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        // What is wrong with the encoding comes first, so that the reason depends on the record alone, not on when its
        // text was checked.
        let (column, fault) = match std::str::from_utf8(row) {
            Ok(_) => (offence.column, offence.fault),
            Err(_) => (None, Fault::Utf8),
        };
        let columns = self.layout.schema().columns();
        self.rejects.push(Reject {
            file: None,
            line,
            column: column.and_then(|index| columns.get(index)).map(|column| column.name.clone()),
            reason: fault.to_string(),
            row: row.to_vec(),
        });
    }
}

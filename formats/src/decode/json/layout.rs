//! The names and the columns of a JSON artifact.

use super::{
    JsonError,
    cursor::{Cursor, Value},
    members::{Members, Name, NamePredictor, Names},
    records::Records,
    structure,
};
use crate::{
    ColumnType, Schema,
    catalogue::{self, KeyColumns, json_schema},
    decode::{FinerTimes, columns::Columns, row_error::RowErrorKind},
};
use std::sync::Arc;

/// Maximum number of collected names that the catalogue does not have. They share a column, but may be configured as id
/// or time.
const MAX_UNKNOWN: usize = 1000;

/// The names of the members of all records, in order of first appearance.
#[derive(Clone, Debug, Default)]
pub struct JsonNames {
    names: Names,
    predictor: NamePredictor,
    /// Whether any value of a name is an object or an array, by number of the name.
    nested: Vec<bool>,
    unknown: usize,
    /// Whether unknown names were omitted.
    is_incomplete: bool,
}

impl JsonNames {
    /// The names of the records of `chunk`.
    pub fn from_chunk(chunk: &[u8]) -> Self {
        let mut names = Self::default();
        names.add(chunk);
        names
    }

    /// Adds the names of the records of `chunk`. Names of malformed records may be missing, since these are rejected.
    pub fn add(&mut self, chunk: &[u8]) {
        let mut records = Records::new(chunk);
        while let Some(text) = records.next_text() {
            let end = self.add_record(text);
            if end.and_then(|end| records.accept(end)).is_err() {
                records.skip_malformed();
            }
        }
    }

    /// Appends the names of `other`, a later chunk.
    pub fn merge(&mut self, other: Self) {
        for (name, nested) in other.names.into_names().zip(other.nested) {
            if let Some(number) = self.number(&name) {
                self.note(number, nested);
            }
        }
        self.is_incomplete |= other.is_incomplete;
    }

    /// The names, each with whether any of its values is an object or an array.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names.iter().zip(self.nested.iter().copied())
    }

    /// Whether unknown names were omitted.
    const fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Adds the names of the record at the start of `text`, and returns its length.
    fn add_record(&mut self, text: &[u8]) -> Result<usize, RowErrorKind> {
        let mut members = Members::new(text)?;
        self.predictor.start(&self.names);
        while members.next()? {
            let number = match self.predictor.read(&self.names, &mut members.cursor)? {
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

    /// The number of a name, which is added if it is new; `None` beyond [`MAX_UNKNOWN`].
    #[cold]
    pub(super) fn number(&mut self, name: &str) -> Option<usize> {
        let is_new = !self.names.has(name);
        let is_unknown = is_new && catalogue::json_type(name).is_none();
        if is_unknown && self.unknown == MAX_UNKNOWN {
            self.is_incomplete = true;
            return None;
        }
        self.unknown += usize::from(is_unknown);
        let number = self.names.add(name);
        // Its value may be malformed, and is not noted then.
        self.nested.resize(self.names.len(), false);
        self.predictor.learn(number);
        Some(number)
    }

    pub(super) fn note(&mut self, number: usize, is_nested: bool) {
        if let Some(nested) = self.nested.get_mut(number) {
            *nested |= is_nested;
        }
    }
}

/// Skips a value and returns whether it is an object or an array. The content of those is not validated.
#[inline]
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<bool, RowErrorKind> {
    if !matches!(cursor.token(), Some(b'{' | b'[')) {
        return Value::read(cursor).map(|_| false);
    }
    cursor.advance(1);
    let length = structure::closing(cursor.rest()).ok_or(RowErrorKind::Json)?;
    cursor.advance(length + 1);
    Ok(true)
}

/// The columns of an artifact. Chunks can be decoded in parallel.
#[derive(Debug)]
pub struct JsonLayout {
    pub(super) columns: Columns,
    id: usize,
    time: usize,
    pub(super) names: Names,
    /// Column of each name; `None` for members of the shared column.
    pub(super) targets: Vec<Option<usize>>,
    /// The shared column of members without a column of their own.
    pub(super) extra: Option<usize>,
    pub(super) finer_times: FinerTimes,
}

impl JsonLayout {
    /// The columns of records with these `names`. Fails if no record has an id or a time, so artifacts without records
    /// have no layout.
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
        Ok(Self {
            columns: Columns::new(Arc::new(schema)),
            id,
            time,
            names: table,
            targets,
            extra,
            finer_times: FinerTimes::default(),
        })
    }

    /// The same columns, with this rule for times.
    #[must_use]
    pub fn with_finer_times(self, finer_times: FinerTimes) -> Self {
        Self { finer_times, ..self }
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Whether the column is the id or the time.
    pub(super) const fn is_key(&self, column: usize) -> bool {
        column == self.id || column == self.time
    }
}

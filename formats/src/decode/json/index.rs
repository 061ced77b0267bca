//! Indexes the records of a chunk: their times and their names, in one pass.

use super::{
    JsonLayout, JsonNames,
    cursor::{Value, unescape},
    layout::skip,
    members::{Members, Name, NamePredictor},
    records::Records,
};
use crate::{
    Timestamp,
    decode::{
        parse::calendar::parse_timestamp,
        row_error::RowErrorKind,
        time_index::{TimeIndex, TimeIndexBuilder},
    },
};

impl JsonLayout {
    /// The times and the names of a chunk of whole records, which may have names that the layout does not; several times
    /// faster than [`Self::decode`]. Names of malformed records may be missing, since these are rejected.
    pub fn index(&self, chunk: &[u8]) -> (TimeIndex, JsonNames) {
        let (mut indexer, mut times, mut records) =
            (RecordIndexer::new(self), TimeIndexBuilder::default(), Records::new(chunk));
        while let Some(text) = records.next_text() {
            let read = indexer.read(text).and_then(|(time, length)| records.accept(length).map(|()| time));
            times.count(read.unwrap_or_else(|_| self.time_of(records.skip_malformed())));
        }
        (times.finish(records.lines()), indexer.names)
    }

    /// The time of the row of a [`Reject`](crate::Reject); `None` if it cannot be read, or if the row is not an object.
    pub fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        RecordIndexer::new(self).read(row).ok().and_then(|(time, _)| time)
    }
}

/// Reads the time and the names of each record, and nothing else.
struct RecordIndexer<'a> {
    layout: &'a JsonLayout,
    /// Column of the time.
    column: Option<usize>,
    predictor: NamePredictor,
    names: JsonNames,
    /// By number of a name in the layout, its number in `names` once it has appeared.
    noted: Vec<Option<usize>>,
    scratch: Vec<u8>,
}

impl<'a> RecordIndexer<'a> {
    fn new(layout: &'a JsonLayout) -> Self {
        Self {
            layout,
            column: Some(layout.schema().time_index()),
            predictor: NamePredictor::default(),
            names: JsonNames::default(),
            noted: vec![None; layout.names.len()],
            scratch: Vec::new(),
        }
    }

    /// The time of the record at the start of `text`, `None` if it cannot be read, and the length of the record.
    #[inline]
    fn read(&mut self, text: &[u8]) -> Result<(Option<Timestamp>, usize), RowErrorKind> {
        let (mut members, mut time, mut found) = (Members::new(text)?, None, 0);
        self.predictor.start(&self.layout.names);
        while members.next()? {
            let (number, is_time) = match self.predictor.read(&self.layout.names, &mut members.cursor)? {
                Name::Known(number) => (self.noted(number), self.layout.targets.get(number) == Some(&self.column)),
                Name::Other(name) => (std::str::from_utf8(&name).ok().and_then(|name| self.names.number(name)), false),
            };
            let is_nested = matches!(members.cursor.token(), Some(b'{' | b'['));
            if is_time && !is_nested {
                time = self.time(Value::read(&mut members.cursor)?);
            } else {
                skip(&mut members.cursor)?;
            }
            found += u32::from(is_time);
            if let Some(number) = number {
                self.names.note(number, is_nested);
            }
        }
        Ok((time.filter(|_| found == 1), members.cursor.position()))
    }

    /// The number in `names` of a name of the layout.
    #[inline]
    fn noted(&mut self, number: usize) -> Option<usize> {
        self.noted.get(number).copied().flatten().or_else(|| self.add(number))
    }

    /// Adds a name of the layout that appears for the first time.
    #[cold]
    fn add(&mut self, number: usize) -> Option<usize> {
        let added = self.names.number(self.layout.names.get(number)?);
        *self.noted.get_mut(number)? = added;
        added
    }

    fn time(&mut self, value: Value<'_>) -> Option<Timestamp> {
        let Value::Text(text) = value else { return None };
        let mut plain = text.inner;
        if text.has_escapes {
            self.scratch.clear();
            unescape(text.inner, &mut self.scratch).ok()?;
            plain = &self.scratch;
        }
        parse_timestamp(plain, self.layout.finer_times).ok().map(Timestamp::from_micros)
    }
}

//! Decodes records into columns and rejects.

use super::{
    JsonLayout,
    cursor::{Cursor, Value, unescape},
    members::{Members, Name, NamePredictor},
    records::Records,
};
use crate::{
    Reject,
    decode::{
        Decoded,
        artifact::{ArtifactColumn, SAMPLE},
        columns::{ColumnBuilder as _, Utf8Check, decode_checked},
        row_error::{RowError, RowErrorKind},
    },
};
use std::collections::HashSet;

impl JsonLayout {
    /// Decodes a chunk of whole records. The lines of rejects are those of the chunk, or ordinals of array elements;
    /// [`Decoded::lines`] counts the same.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        decode_checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8Check) -> Option<Decoded> {
        let builders =
            self.columns.builders(|column, missing| ArtifactColumn::new(&column.kind, missing, self.finer_times));
        let RecordDecoder { columns, good, rejects, lines, .. } = RecordDecoder::read(chunk, self, builders, utf8);
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines })
    }
}

/// Decoder of the records of one chunk.
struct RecordDecoder<'a> {
    layout: &'a JsonLayout,
    utf8: Utf8Check,
    /// Values of the accepted records.
    columns: Vec<ArtifactColumn>,
    /// Number of accepted records.
    good: usize,
    /// Rejected records.
    rejects: Vec<Reject>,
    /// Number of line feeds or array elements of the chunk.
    lines: u64,
    predictor: NamePredictor,
    /// Number of the current record, of the last one with each name, and of the last one with a value for each column.
    record: u64,
    named: Vec<u64>,
    filled: Vec<u64>,
    /// Names of the current record that are not in the layout.
    unknown_names: HashSet<Vec<u8>>,
    /// Members of the current record for the shared column, as the start of an object.
    extra: Vec<u8>,
    /// Buffer for an unescaped text.
    scratch: Vec<u8>,
}

/// The value of a member, and its bytes.
#[derive(Clone, Copy)]
struct Member<'a> {
    value: Value<'a>,
    raw: &'a [u8],
}

impl<'a> Member<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, RowErrorKind> {
        cursor.token();
        let start = cursor.position();
        let value = Value::read(cursor)?;
        Ok(Self { value, raw: cursor.since(start) })
    }
}

impl<'a> RecordDecoder<'a> {
    /// Decodes `chunk` into `columns`, which are empty.
    fn read(chunk: &[u8], layout: &'a JsonLayout, columns: Vec<ArtifactColumn>, utf8: Utf8Check) -> Self {
        let mut rows = Self {
            layout,
            utf8,
            good: 0,
            rejects: Vec::new(),
            lines: 0,
            predictor: NamePredictor::default(),
            record: 0,
            named: vec![0; layout.names.len()],
            filled: vec![0; columns.len()],
            columns,
            unknown_names: HashSet::new(),
            extra: Vec::new(),
            scratch: Vec::new(),
        };
        let mut records = Records::new(chunk);
        while let Some(text) = records.next_text() {
            let taken = rows.take(text).and_then(|length| Ok(records.accept(length)?));
            if let Err(error) = taken {
                rows.reject(records.number(), records.skip_malformed(), &error);
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

    /// Appends the record at the start of `text` to all columns and returns its length. An error leaves some columns one
    /// row longer than the others.
    fn take(&mut self, text: &[u8]) -> Result<usize, RowError> {
        self.record += 1;
        self.extra.clear();
        self.unknown_names.clear();
        let mut members = Members::new(text)?;
        self.predictor.start(&self.layout.names);
        let mut filled = 0;
        while members.next()? {
            let start = members.cursor.position();
            let column = self.column(&mut members)?;
            let member = Member::read(&mut members.cursor).map_err(|kind| RowError { column, kind })?;
            if let Some(index) = column {
                filled += 1;
                self.filled[index] = self.record;
                if self.push(index, member).map_err(|kind| RowError { column, kind })? {
                    continue;
                }
            }
            self.add_extra(members.cursor.since(start)).map_err(|kind| RowError { column, kind })?;
        }
        self.fill(filled)?;
        let length = members.cursor.position();
        if self.utf8 == Utf8Check::ByRow && std::str::from_utf8(text.get(..length).unwrap_or_default()).is_err() {
            return Err(RowErrorKind::Utf8.into());
        }
        Ok(length)
    }

    /// Reads the name of a member and returns its column, `None` for the shared one.
    #[inline]
    fn column(&mut self, members: &mut Members<'_>) -> Result<Option<usize>, RowError> {
        match self.predictor.read(&self.layout.names, &mut members.cursor)? {
            Name::Known(number) => {
                let column = self.layout.targets.get(number).copied().flatten();
                if self.named[number] == self.record {
                    return Err(RowError { column, kind: RowErrorKind::Duplicate });
                }
                self.named[number] = self.record;
                Ok(column)
            }
            Name::Other(name) if std::str::from_utf8(&name).is_err() => Err(RowErrorKind::Utf8.into()),
            Name::Other(name) => {
                let is_new = self.unknown_names.insert(name.into_owned());
                if is_new { Ok(None) } else { Err(RowErrorKind::Duplicate.into()) }
            }
        }
    }

    /// Appends the value of a member to its column; `false` if it belongs to the shared column instead.
    #[inline]
    fn push(&mut self, column: usize, member: Member<'_>) -> Result<bool, RowErrorKind> {
        let is_key = self.layout.is_key(column);
        let builder = &mut self.columns[column];
        match (builder, member.value) {
            (builder, Value::Null) => builder.push_null()?,
            (builder, Value::Text(text)) if is_key && text.inner.is_empty() => builder.push_null()?,
            (ArtifactColumn::Json(json), _) => json.push(member.raw)?,
            (ArtifactColumn::Text(_), Value::Nested) if is_key => return Err(RowErrorKind::Nested),
            (builder @ ArtifactColumn::Text(_), Value::Nested) => {
                builder.push_null()?;
                return Ok(false);
            }
            (ArtifactColumn::Text(column), Value::Text(text)) if text.has_escapes => {
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

    /// Adds a member to the shared column.
    fn add_extra(&mut self, member: &[u8]) -> Result<(), RowErrorKind> {
        if self.layout.extra.is_none() {
            return Err(RowErrorKind::Unseen);
        }
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        self.extra.extend_from_slice(member);
        Ok(())
    }

    /// Appends the shared column, and NULL to columns without a value; `filled` columns have one.
    #[inline]
    fn fill(&mut self, filled: usize) -> Result<(), RowError> {
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
                column.push_null().map_err(|kind| RowError { column: Some(index), kind })?;
            }
        }
        Ok(())
    }

    /// Truncates the columns after an error, and keeps the bytes of the record.
    #[cold]
    fn reject(&mut self, line: u64, row: &[u8], error: &RowError) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        // Errors of encoding precede others, so that the reason does not depend on when text is checked for UTF-8.
        let (column, kind) = match std::str::from_utf8(row) {
            Ok(_) => (error.column, error.kind),
            Err(_) => (None, RowErrorKind::Utf8),
        };
        let columns = self.layout.schema().columns();
        self.rejects.push(Reject {
            file: None,
            line,
            column: column.and_then(|index| columns.get(index)).map(|column| column.name.clone()),
            reason: kind.to_string(),
            row: row.to_vec(),
        });
    }
}

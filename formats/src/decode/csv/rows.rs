//! Rows into columns, and the rows that do not fit into rejects.

use super::records::{Record, Records};
use crate::{
    Reject, Schema,
    decode::{
        columns::{Builder, Utf8},
        columns_by_type::{ArchivedColumn, ColumnBuilder, SAMPLE},
        fault::{Fault, Offence},
        simd::{LANE, lane_positions},
    },
    encode::csv::is_plain,
};

/// The rows of one chunk.
pub(super) struct Rows<'a, C> {
    schema: &'a Schema,
    utf8: Utf8,
    /// The good rows.
    pub columns: Vec<C>,
    /// How many rows every column has.
    pub good: usize,
    /// The bad rows.
    pub rejects: Vec<Reject>,
    /// Line feeds of the chunk.
    pub line_feeds: u64,
    /// Bytes of the rows, each with one for its line end.
    pub bytes: usize,
    lines: Lines<'a>,
}

impl<'a, C: FieldColumn> Rows<'a, C> {
    /// Reads the whole `chunk` into `columns`, which are empty.
    pub(super) fn read(chunk: &'a [u8], schema: &'a Schema, columns: Vec<C>, utf8: Utf8) -> Self {
        let lines = Lines { chunk, position: 0, count: 0 };
        let mut rows = Self { schema, utf8, columns, good: 0, rejects: Vec::new(), line_feeds: 0, bytes: 0, lines };
        let mut records = Records::new(chunk, schema.columns().len());
        while let Some(record) = records.next_record() {
            rows.bytes += record.range.len() + 1;
            if let Err(offence) = rows.push(&record) {
                rows.reject(&record, offence);
                continue;
            }
            rows.good += 1;
            if rows.good == SAMPLE {
                let factor = chunk.len() / records.position() + 1;
                rows.columns.iter_mut().for_each(|column| column.reserve(factor));
            }
        }
        rows.line_feeds = records.line_feeds();
        rows
    }

    /// Takes a row into all columns, or fails and leaves some of them one row longer than the others.
    #[inline]
    fn push(&mut self, record: &Record<'_>) -> Result<(), Offence> {
        let expected = self.columns.len();
        if record.has_stray_quote {
            return Err(Offence { column: None, fault: Fault::Quotes });
        }
        if record.field_count != expected {
            let fault = Fault::FieldCount { found: record.field_count, expected };
            return Err(Offence { column: None, fault });
        }
        if self.utf8 == Utf8::ByRow && std::str::from_utf8(record.bytes()).is_err() {
            return Err(Offence { column: None, fault: Fault::Utf8 });
        }
        for (index, (column, field)) in self.columns.iter_mut().zip(record.fields()).enumerate() {
            column.push_field(field).map_err(|fault| Offence { column: Some(index), fault })?;
        }
        Ok(())
    }

    /// Removes what is left of a row that failed, and keeps its bytes.
    #[cold]
    fn reject(&mut self, record: &Record<'_>, offence: Offence) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        let Offence { column, fault } = self.first_offence(record).unwrap_or(offence);
        self.rejects.push(Reject {
            file: None,
            line: self.lines.count_to(record.range.start),
            column: column.and_then(|index| self.schema.columns().get(index)).map(|column| column.name.clone()),
            reason: fault.to_string(),
            row: record.bytes().to_vec(),
        });
    }

    /// What is wrong with quotes and encoding, before what is wrong with values: so that the reason depends on the row
    /// alone, not on when its text was checked.
    fn first_offence(&self, record: &Record<'_>) -> Option<Offence> {
        if record.field_count != self.columns.len() {
            return None;
        }
        let find = |fault, is_bad: fn(&[u8]) -> bool| {
            record.fields().position(is_bad).map(|index| Offence { column: Some(index), fault })
        };
        find(Fault::Quotes, has_malformed_quotes)
            .or_else(|| find(Fault::Utf8, |field| std::str::from_utf8(field).is_err()))
    }
}

fn has_malformed_quotes(field: &[u8]) -> bool {
    match field {
        [b'"', quoted @ ..] => unquote(quoted, &mut Vec::new()).is_err(),
        plain => plain.contains(&b'"'),
    }
}

/// Counts line feeds, from one place that asks to the next.
struct Lines<'a> {
    chunk: &'a [u8],
    position: usize,
    count: u64,
}

impl Lines<'_> {
    /// Line feeds before `position`, which is not before the last one asked for.
    fn count_to(&mut self, position: usize) -> u64 {
        self.count += memchr::memchr_iter(b'\n', &self.chunk[self.position..position]).count() as u64;
        self.position = position;
        self.count
    }
}

/// A column that is read from fields.
pub(super) trait FieldColumn: Builder {
    /// Appends the value of `field`. After a failure the column must be truncated before it is used again.
    fn push_field(&mut self, field: &[u8]) -> Result<(), Fault>;
}

/// An empty field of an artifact is NULL, in quotes or not, and quotes may be around any value.
impl FieldColumn for ColumnBuilder {
    #[inline]
    fn push_field(&mut self, field: &[u8]) -> Result<(), Fault> {
        let Self::Text(column) = self else {
            // Doubled quotes inside need no care: no value of the other types has one.
            let text = if let [b'"', text @ .., b'"'] = field { text } else { field };
            return if text.is_empty() { self.push_null() } else { self.push(text) };
        };
        match field {
            [] | [b'"', b'"'] => column.push_null(),
            [b'"', quoted @ ..] => column.push_with(|bytes| unquote(quoted, bytes)),
            plain => column.push(plain),
        }
    }
}

/// In a file of an archive an empty field is NULL without quotes and empty with them, and only values that need quotes
/// have them.
impl FieldColumn for ArchivedColumn {
    #[inline]
    fn push_field(&mut self, field: &[u8]) -> Result<(), Fault> {
        match (self, field) {
            (column, []) => column.push_null(),
            (Self::Text(column) | Self::Json(column), [b'"', quoted @ ..]) => {
                column.push_with(|bytes| unquote_needed(quoted, bytes))
            }
            (column, [b'"', quoted @ ..]) => {
                let mut text = Vec::new();
                unquote_needed(quoted, &mut text)?;
                column.push(&text)
            }
            (column, plain) => column.push(plain),
        }
    }
}

/// Appends to `out` the value of a quoted field, like [`unquote`], if it needs its quotes.
fn unquote_needed(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    unquote(text, out)?;
    if is_plain(out.get(start..).unwrap_or_default()) { Err(Fault::NeedlessQuotes) } else { Ok(()) }
}

/// Appends to `out` the value of a quoted field, of which `text` comes after the opening quote: `a ""b"""` is `a "b"`.
pub(super) fn unquote(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = text.strip_suffix(b"\"").ok_or(Fault::Quotes)?;
    out.reserve(rest.len() + LANE);
    while let Some((lane, after)) = rest.split_first_chunk() {
        // JSON has a quote every few bytes. Copying all bytes of the lane and taking those after the quote back is
        // faster than a copy of just the right length.
        let start = out.len();
        out.extend_from_slice(lane);
        let quotes = lane_positions(*lane, b'"');
        if quotes == 0 {
            rest = after;
        } else {
            let quote = quotes.trailing_zeros() as usize;
            out.truncate(start + quote + 1);
            rest = after_doubled(rest, quote)?;
        }
    }
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        rest = after_doubled(rest, quote)?;
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// What comes after the doubled quote at `quote`. A single one in the middle ends the quoted text too early.
#[inline]
fn after_doubled(text: &[u8], quote: usize) -> Result<&[u8], Fault> {
    match &text[quote + 1..] {
        [b'"', rest @ ..] => Ok(rest),
        _ => Err(Fault::Quotes),
    }
}

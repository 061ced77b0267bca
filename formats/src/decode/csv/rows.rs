//! Decodes rows into columns and rejects.

use super::records::{Record, Records};
use crate::{
    Reject, Schema,
    decode::{
        artifact::{ArtifactColumn, SAMPLE},
        columns::{ColumnBuilder, Utf8Check},
        row_error::{RowError, RowErrorKind},
        simd::{LANE, lane_positions},
        typed::TypedColumn,
    },
    encode::csv::is_plain,
};

/// Decoder of the rows of one chunk.
pub(super) struct RowDecoder<'a, C> {
    schema: &'a Schema,
    utf8: Utf8Check,
    /// Values of the accepted rows.
    pub columns: Vec<C>,
    /// Number of accepted rows.
    pub good: usize,
    /// Rejected rows.
    pub rejects: Vec<Reject>,
    /// Number of line feeds of the chunk.
    pub line_feeds: u64,
    /// Bytes of all rows, with one byte for each line end.
    pub bytes: usize,
    lines: Lines<'a>,
}

impl<'a, C: FieldColumn> RowDecoder<'a, C> {
    /// Decodes `chunk` into `columns`, which are empty.
    pub(super) fn read(chunk: &'a [u8], schema: &'a Schema, columns: Vec<C>, utf8: Utf8Check) -> Self {
        let lines = Lines { chunk, position: 0, count: 0 };
        let mut rows = Self { schema, utf8, columns, good: 0, rejects: Vec::new(), line_feeds: 0, bytes: 0, lines };
        let mut records = Records::new(chunk, schema.columns().len());
        while let Some(record) = records.next_record() {
            rows.bytes += record.range.len() + 1;
            if let Err(error) = rows.push(&record) {
                rows.reject(&record, error);
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

    /// Appends a row to all columns. An error leaves some of them one row longer than the others.
    #[inline]
    fn push(&mut self, record: &Record<'_>) -> Result<(), RowError> {
        let expected = self.columns.len();
        if record.has_stray_quote {
            return Err(RowError { column: None, kind: RowErrorKind::Quotes });
        }
        if record.field_count != expected {
            let kind = RowErrorKind::FieldCount { found: record.field_count, expected };
            return Err(RowError { column: None, kind });
        }
        if self.utf8 == Utf8Check::ByRow && std::str::from_utf8(record.bytes()).is_err() {
            return Err(RowError { column: None, kind: RowErrorKind::Utf8 });
        }
        for (index, (column, field)) in self.columns.iter_mut().zip(record.fields()).enumerate() {
            column.push_field(field).map_err(|kind| RowError { column: Some(index), kind })?;
        }
        Ok(())
    }

    /// Truncates the columns after an error, and keeps the bytes of the row.
    #[cold]
    fn reject(&mut self, record: &Record<'_>, error: RowError) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        let RowError { column, kind } = self.first_error(record).unwrap_or(error);
        self.rejects.push(Reject {
            file: None,
            line: self.lines.count_to(record.range.start),
            column: column.and_then(|index| self.schema.columns().get(index)).map(|column| column.name.clone()),
            reason: kind.to_string(),
            row: record.bytes().to_vec(),
        });
    }

    /// The first error of quotes or encoding, which precedes errors of values: so the reason does not depend on when text
    /// is checked for UTF-8.
    fn first_error(&self, record: &Record<'_>) -> Option<RowError> {
        if record.field_count != self.columns.len() {
            return None;
        }
        let find = |kind, is_bad: fn(&[u8]) -> bool| {
            record.fields().position(is_bad).map(|index| RowError { column: Some(index), kind })
        };
        find(RowErrorKind::Quotes, has_malformed_quotes)
            .or_else(|| find(RowErrorKind::Utf8, |field| std::str::from_utf8(field).is_err()))
    }
}

fn has_malformed_quotes(field: &[u8]) -> bool {
    match field {
        [b'"', quoted @ ..] => unquote(quoted, &mut Vec::new()).is_err(),
        plain => plain.contains(&b'"'),
    }
}

/// Counts line feeds incrementally.
struct Lines<'a> {
    chunk: &'a [u8],
    position: usize,
    count: u64,
}

impl Lines<'_> {
    /// Number of line feeds before `position`, which must not decrease.
    fn count_to(&mut self, position: usize) -> u64 {
        self.count += memchr::memchr_iter(b'\n', &self.chunk[self.position..position]).count() as u64;
        self.position = position;
        self.count
    }
}

/// A column that is filled from CSV fields.
pub(super) trait FieldColumn: ColumnBuilder {
    /// Appends the value of `field`. After an error the column must be truncated before it is used again.
    fn push_field(&mut self, field: &[u8]) -> Result<(), RowErrorKind>;
}

/// In artifacts an empty field is NULL, quoted or not, and any value may be quoted.
impl FieldColumn for ArtifactColumn {
    #[inline]
    fn push_field(&mut self, field: &[u8]) -> Result<(), RowErrorKind> {
        let Self::Text(column) = self else {
            // Doubled quotes need no decoding: values of the other types have none.
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

/// In archived files an unquoted empty field is NULL, a quoted one is empty text, and only values that need quotes have
/// them.
impl FieldColumn for TypedColumn {
    #[inline]
    fn push_field(&mut self, field: &[u8]) -> Result<(), RowErrorKind> {
        match (self, field) {
            (column, []) => column.push_null(),
            (Self::Text(column) | Self::Json(column), [b'"', quoted @ ..]) => {
                column.push_with(|bytes| unquote_needed(quoted, bytes))
            }
            (column, [b'"', quoted @ ..]) => {
                let mut text = Vec::new();
                unquote_needed(quoted, &mut text)?;
                column.push_text(&text)
            }
            (column, plain) => column.push_text(plain),
        }
    }
}

/// Like [`unquote`], but fails if the value needs no quotes.
fn unquote_needed(text: &[u8], out: &mut Vec<u8>) -> Result<(), RowErrorKind> {
    let start = out.len();
    unquote(text, out)?;
    if is_plain(out.get(start..).unwrap_or_default()) { Err(RowErrorKind::NeedlessQuotes) } else { Ok(()) }
}

/// Decodes a quoted field, given after its opening quote, and appends the value to `out`: `a ""b"""` is `a "b"`.
pub(super) fn unquote(text: &[u8], out: &mut Vec<u8>) -> Result<(), RowErrorKind> {
    let mut rest = text.strip_suffix(b"\"").ok_or(RowErrorKind::Quotes)?;
    out.reserve(rest.len() + LANE);
    while let Some((lane, after)) = rest.split_first_chunk() {
        // Fields with JSON have a quote every few bytes. Copying a whole lane and truncating after the quote is faster
        // than a copy of variable length.
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

/// The rest after the doubled quote at `quote`. A single one is malformed.
#[inline]
fn after_doubled(text: &[u8], quote: usize) -> Result<&[u8], RowErrorKind> {
    match &text[quote + 1..] {
        [b'"', rest @ ..] => Ok(rest),
        _ => Err(RowErrorKind::Quotes),
    }
}

//! What a field says, and what quotes mean.

use crate::{
    decode::{
        block::{LANE, lane_positions},
        column::{ArchivedColumn, ColumnBuilder},
        columns::Builder,
        fault::Fault,
    },
    encode::csv::is_plain,
};

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

//! Values as fields of CSV.

use crate::encode::text::Cells;
use std::io;

impl Cells<'_> {
    /// The field of `row`: nothing for NULL, quoted where its text needs it.
    pub(in crate::encode) fn write_field(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            _ if self.is_null(row) => Ok(()),
            Self::Text(array) | Self::Json(array) => {
                write_text(array.value(row).as_bytes(), out);
                Ok(())
            }
            Self::List { .. } | Self::Binary(_) => {
                let start = out.len();
                self.write_value(row, out)?;
                quote_from(start, out);
                Ok(())
            }
            _ => self.write_value(row, out),
        }
    }
}

/// Text as a field. Empty text is quoted, to be told from NULL.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        write_quoted(text, out);
    }
}

/// Whether a field has no quotes around its `text`.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let has_special = || memchr::memchr3(b',', b'"', b'\n', text).is_some() || memchr::memchr(b'\r', text).is_some();
    !text.is_empty() && !has_special()
}

/// Text as a field in quotes.
pub(super) fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Turns what was appended since `start` into a field, in place.
fn quote_from(start: usize, out: &mut Vec<u8>) {
    if is_plain(&out[start..]) {
        return;
    }
    let mut from = out.len();
    let quotes = memchr::memchr_iter(b'"', &out[start..]).count();
    out.resize(from + quotes + 2, b'"');
    let mut to = out.len() - 1;
    while from > start {
        from -= 1;
        to -= 1;
        out[to] = out[from];
        if out[from] == b'"' {
            to -= 1;
            out[to] = b'"';
        }
    }
    out[start] = b'"';
}

//! Fields that spreadsheets take for text.

use super::field::{write_quoted, write_text};
use crate::encode::text::Cells;
use std::io;

/// What a cell begins with that spreadsheets evaluate (OWASP, "CSV Injection").
const FORMULA_STARTS: [u8; 6] = [b'=', b'+', b'-', b'@', b'\t', b'\r'];

/// Like [`Cells::write_field`], but a text that a spreadsheet would evaluate gets a leading `'`. Numbers and times are
/// none, whatever their sign.
pub(in crate::encode) fn write_safe_field(cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
    match cells {
        Cells::Text(array) if !cells.is_null(row) => {
            write_safe_text(array.value(row).as_bytes(), out);
            Ok(())
        }
        _ => cells.write_field(row, out),
    }
}

/// A field that spreadsheets take for text.
pub(in crate::encode) fn write_safe_text(text: &[u8], out: &mut Vec<u8>) {
    if text.first().is_some_and(|first| FORMULA_STARTS.contains(first)) {
        write_quoted(&[b"'", text].concat(), out);
    } else {
        write_text(text, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_evaluates_is_marked_as_text() {
        let texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", " =1", "", "a,\"b\""];
        let written = texts.map(|text| {
            let mut out = Vec::new();
            write_safe_text(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        });
        let marked = ["\"'=1+1\"", "\"'+1\"", "\"'-1\"", "\"'@SUM(A1)\"", "\"'\t=1\"", "\"'\r=1\""];
        assert_eq!(written[..6], marked);
        assert_eq!(written[6..], ["a=1", " =1", "\"\"", "\"a,\"\"b\"\"\""]);
    }
}

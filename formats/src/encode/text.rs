//! The values of one column as text: the fields of CSV without quotes, and JSON.

use super::{
    calendar::{write_date, write_date_time, write_time},
    number::{write_decimal, write_float},
    values::{Lists, Values},
};
use crate::{Column, column_type::Typed};
use arrow_array::ArrayRef;
use std::{
    fmt,
    io::{self, Write},
};

/// The values of a column as the fields that CSV files of an archive have for them, without quotes.
pub struct Texts<'a>(Values<'a>);

impl<'a> Texts<'a> {
    /// The texts of `array`, which has the Arrow type of `column`.
    pub fn new(column: &Column, array: &'a ArrayRef) -> Self {
        Self(Values::new(column, array))
    }

    /// The text of `row`, written into `buffer`; empty for NULL and for empty text.
    pub fn get<'b>(&self, row: usize, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        buffer.clear();
        if !self.0.is_null(row) {
            self.0.write_text(row, buffer)?;
        }
        Ok(buffer)
    }
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Texts")
    }
}

impl Values<'_> {
    /// The value of `row`, which is not NULL, as in CSV but without quotes.
    pub(super) fn write_text(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        match &self.typed {
            Typed::Text(array) | Typed::Json(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Typed::Bool(array) => write!(out, "{}", array.value(row))?,
            Typed::Int16(array) => write!(out, "{}", array.value(row))?,
            Typed::Int32(array) => write!(out, "{}", array.value(row))?,
            Typed::Int64(array) => write!(out, "{}", array.value(row))?,
            Typed::Float32(array) => write_float(array.value(row), out)?,
            Typed::Float64(array) => write_float(array.value(row), out)?,
            Typed::Decimal { values, scale, trim_zeros, .. } => {
                write_decimal(values.value(row), *scale, *trim_zeros, out)?;
            }
            Typed::TimestampUtc(array) => {
                write_date_time(array.value(row), out)?;
                out.push(b'Z');
            }
            Typed::Timestamp(array) => write_date_time(array.value(row), out)?,
            Typed::Date(array) => write_date(array.value(row).into(), out)?,
            Typed::Time(array) => write_time(array.value(row), out),
            Typed::Uuid(array) => write_uuid(array.value(row), out),
            Typed::Binary(array) => write_hex(array.value(row), out),
            Typed::List(lists) => write_json_array(lists, row, out)?,
        }
        Ok(())
    }

    /// The value of `row` as JSON: numbers with their exact digits, JSON as it is, and the text of types that JSON does
    /// not have as a string.
    pub(super) fn write_json(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let is_string = match &self.typed {
            _ if self.is_null(row) => return out.write_all(b"null"),
            Typed::Text(array) => return Ok(serde_json::to_writer(out, array.value(row))?),
            Typed::Float32(array) => !array.value(row).is_finite(),
            Typed::Float64(array) => !array.value(row).is_finite(),
            // None of their texts has a character that JSON escapes.
            Typed::TimestampUtc(_)
            | Typed::Timestamp(_)
            | Typed::Date(_)
            | Typed::Time(_)
            | Typed::Uuid(_)
            | Typed::Binary(_) => true,
            Typed::Json(_)
            | Typed::Bool(_)
            | Typed::Int16(_)
            | Typed::Int32(_)
            | Typed::Int64(_)
            | Typed::Decimal { .. }
            | Typed::List(_) => false,
        };
        if !is_string {
            return self.write_text(row, out);
        }
        out.push(b'"');
        self.write_text(row, out)?;
        out.push(b'"');
        Ok(())
    }
}

fn write_json_array(lists: &Lists<'_>, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'[');
    for (index, element) in lists.range(row).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        lists.elements.write_json(element, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (index, group) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        write_hex(&bytes[group], out);
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

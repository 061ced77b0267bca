//! The values of one column as text.

use super::{calendar, number};
use crate::{Column, ColumnType, catalogue::is_cost_of_artifact};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, ListArray, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, cast::AsArray,
};
use std::io::{self, Write};

/// The values of a column as the texts that CSV files of an archive have for them, without quotes around.
#[derive(Debug)]
pub struct Texts<'a>(Cells<'a>);

impl<'a> Texts<'a> {
    /// The texts of `array`, which has the Arrow type of `column`.
    pub fn new(column: &Column, array: &'a ArrayRef) -> Self {
        Self(Cells::of_column(column, array))
    }

    /// The text of `row`, written into `buffer`; empty for NULL and for empty text.
    pub fn get<'b>(&self, row: usize, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        buffer.clear();
        if !self.0.is_null(row) {
            self.0.write_value(row, buffer)?;
        }
        Ok(buffer)
    }
}

/// A column's array, by how its values print.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    Text(&'a StringArray),
    Json(&'a StringArray),
    Bool(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal { array: &'a Decimal128Array, scale: u32, trim_zeros: bool },
    TimestampUtc(&'a TimestampMicrosecondArray),
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Uuid(&'a FixedSizeBinaryArray),
    Binary(&'a BinaryArray),
    List { array: &'a ListArray, elements: Box<Cells<'a>> },
}

impl<'a> Cells<'a> {
    /// The values of `column`. A cost from an artifact is printed without the zeros that its type added; a decimal of a
    /// database has its digits from there.
    pub(super) fn of_column(column: &Column, array: &'a ArrayRef) -> Self {
        match Self::of(&column.kind, array) {
            Self::Decimal { array, scale, .. } => {
                Self::Decimal { array, scale, trim_zeros: is_cost_of_artifact(column) }
            }
            other => other,
        }
    }

    /// The values of `array`, which has the Arrow type of `kind`.
    fn of(kind: &ColumnType, array: &'a ArrayRef) -> Self {
        match kind {
            ColumnType::Text => Self::Text(array.as_string()),
            ColumnType::Json => Self::Json(array.as_string()),
            ColumnType::Bool => Self::Bool(array.as_boolean()),
            ColumnType::Int16 => Self::Int16(array.as_primitive()),
            ColumnType::Int32 => Self::Int32(array.as_primitive()),
            ColumnType::Int64 => Self::Int64(array.as_primitive()),
            ColumnType::Float32 => Self::Float32(array.as_primitive()),
            ColumnType::Float64 => Self::Float64(array.as_primitive()),
            ColumnType::Decimal { scale, .. } => {
                Self::Decimal { array: array.as_primitive(), scale: u32::from(*scale), trim_zeros: false }
            }
            ColumnType::TimestampUtc => Self::TimestampUtc(array.as_primitive()),
            ColumnType::Timestamp => Self::Timestamp(array.as_primitive()),
            ColumnType::Date => Self::Date(array.as_primitive()),
            ColumnType::Time => Self::Time(array.as_primitive()),
            ColumnType::Uuid => Self::Uuid(array.as_fixed_size_binary()),
            ColumnType::Binary => Self::Binary(array.as_binary()),
            ColumnType::List(element) => {
                let array = array.as_list();
                Self::List { array, elements: Box::new(Self::of(element, array.values())) }
            }
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array().is_null(row)
    }

    /// The value of `row`, which is not NULL, as CSV files have it, without quotes around it.
    pub(super) fn write_value(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Text(array) | Self::Json(array) => out.write_all(array.value(row).as_bytes()),
            Self::Bool(array) => write!(out, "{}", array.value(row)),
            Self::Int16(array) => write!(out, "{}", array.value(row)),
            Self::Int32(array) => write!(out, "{}", array.value(row)),
            Self::Int64(array) => write!(out, "{}", array.value(row)),
            Self::Float32(array) => number::write_float(array.value(row), out),
            Self::Float64(array) => number::write_float(array.value(row), out),
            Self::Decimal { array, scale, trim_zeros } => {
                number::write_decimal(array.value(row), *scale, *trim_zeros, out)
            }
            Self::TimestampUtc(array) => {
                calendar::write_date_time(array.value(row), out)?;
                out.write_all(b"Z")
            }
            Self::Timestamp(array) => calendar::write_date_time(array.value(row), out),
            Self::Date(array) => calendar::write_date(array.value(row).into(), out),
            Self::Time(array) => {
                calendar::write_time(array.value(row), out);
                Ok(())
            }
            Self::Uuid(array) => {
                write_uuid(array.value(row), out);
                Ok(())
            }
            Self::Binary(array) => {
                write_hex(array.value(row), out);
                Ok(())
            }
            Self::List { array, elements } => write_list(array, elements, row, out),
        }
    }

    /// The value of `row` as JSON: numbers with their exact digits, JSON as it is, and what JSON has no type for as a
    /// string of its text.
    pub(super) fn write_json(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        write_element(self, row, out)
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Text(array) | Self::Json(array) => array,
            Self::Bool(array) => array,
            Self::Int16(array) => array,
            Self::Int32(array) => array,
            Self::Int64(array) => array,
            Self::Float32(array) => array,
            Self::Float64(array) => array,
            Self::Decimal { array, .. } => array,
            Self::TimestampUtc(array) | Self::Timestamp(array) => array,
            Self::Date(array) => array,
            Self::Time(array) => array,
            Self::Uuid(array) => array,
            Self::Binary(array) => array,
            Self::List { array, .. } => array,
        }
    }
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

/// The list in `row`, whose `elements` are those of the whole column.
fn write_list(array: &ListArray, elements: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'[');
    let offsets = array.value_offsets();
    let position = |row: usize| usize::try_from(offsets[row]).unwrap_or_default();
    for element in position(row)..position(row + 1) {
        if element > position(row) {
            out.push(b',');
        }
        write_element(elements, element, out)?;
    }
    out.push(b']');
    Ok(())
}

/// The value at `index` of a column, or of a list's elements.
fn write_element(elements: &Cells<'_>, index: usize, out: &mut Vec<u8>) -> io::Result<()> {
    match elements {
        _ if elements.is_null(index) => out.write_all(b"null"),
        Cells::Text(array) => Ok(serde_json::to_writer(out, array.value(index))?),
        Cells::Float32(array) if !array.value(index).is_finite() => write_string(elements, index, out),
        Cells::Float64(array) if !array.value(index).is_finite() => write_string(elements, index, out),
        Cells::TimestampUtc(_)
        | Cells::Timestamp(_)
        | Cells::Date(_)
        | Cells::Time(_)
        | Cells::Uuid(_)
        | Cells::Binary(_) => write_string(elements, index, out),
        Cells::Json(_)
        | Cells::Bool(_)
        | Cells::Int16(_)
        | Cells::Int32(_)
        | Cells::Int64(_)
        | Cells::Float32(_)
        | Cells::Float64(_)
        | Cells::Decimal { .. }
        | Cells::List { .. } => elements.write_value(index, out),
    }
}

/// A value that JSON has no type for, and none of whose letters JSON would escape.
fn write_string(elements: &Cells<'_>, index: usize, out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'"');
    elements.write_value(index, out)?;
    out.push(b'"');
    Ok(())
}

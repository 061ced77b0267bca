//! Values as JSON, lists as arrays.

use super::Cells;
use arrow_array::ListArray;
use std::io::{self, Write};

/// The list in `row`, whose `elements` are those of the whole column.
pub(super) fn write_list(array: &ListArray, elements: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
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
pub(super) fn write_element(elements: &Cells<'_>, index: usize, out: &mut Vec<u8>) -> io::Result<()> {
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

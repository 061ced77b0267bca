//! Arrays of one dimension.

use super::value::Values;
use crate::ColumnType;
use arrow_array::ListArray;

/// The number in `pg_type` of the type that elements of `kind` get; `None` for lists, which are no elements.
pub(super) const fn element_oid(kind: &ColumnType) -> Option<u32> {
    Some(match kind {
        ColumnType::Text => 25,
        ColumnType::Json => 114,
        ColumnType::Bool => 16,
        ColumnType::Int16 => 21,
        ColumnType::Int32 => 23,
        ColumnType::Int64 => 20,
        ColumnType::Float32 => 700,
        ColumnType::Float64 => 701,
        ColumnType::Decimal { .. } => 1700,
        ColumnType::TimestampUtc => 1184,
        ColumnType::Timestamp => 1114,
        ColumnType::Date => 1082,
        ColumnType::Time => 1083,
        ColumnType::Uuid => 2950,
        ColumnType::Binary => 17,
        ColumnType::List(_) => return None,
    })
}

/// The list in `row`, whose `elements` are those of the whole column and have the type `oid`. An empty one has no
/// dimension, as the server has it.
pub(super) fn write(array: &ListArray, row: usize, elements: &Values<'_>, oid: u32, out: &mut Vec<u8>) {
    let offsets = array.value_offsets();
    let position = |row: usize| usize::try_from(offsets[row]).unwrap_or_default();
    let range = position(row)..position(row + 1);
    let has_null = range.clone().any(|element| elements.array().is_null(element));
    let dimensions = i32::from(!range.is_empty());
    out.extend(dimensions.to_be_bytes());
    out.extend(i32::from(has_null).to_be_bytes());
    out.extend(oid.to_be_bytes());
    if range.is_empty() {
        return;
    }
    let first_index = 1_i32;
    out.extend(array.value_length(row).to_be_bytes());
    out.extend(first_index.to_be_bytes());
    for element in range {
        elements.write_field(element, out);
    }
}

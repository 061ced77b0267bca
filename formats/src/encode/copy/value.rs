//! The values of one column, each with its length before it.

use super::{array, calendar, numeric};
use crate::ColumnType;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, ListArray, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, cast::AsArray,
};

/// The length of NULL.
const NULL: i32 = -1;

/// A column's array, by how its values look on the wire.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Text(&'a StringArray),
    Bool(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal { array: &'a Decimal128Array, scale: u32 },
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Uuid(&'a FixedSizeBinaryArray),
    Binary(&'a BinaryArray),
    List { array: &'a ListArray, elements: Box<Values<'a>>, oid: u32 },
}

impl<'a> Values<'a> {
    /// The values of `array`, which has the Arrow type of `kind`.
    pub(super) fn of(kind: &ColumnType, array: &'a ArrayRef) -> Self {
        match kind {
            ColumnType::Text | ColumnType::Json => Self::Text(array.as_string()),
            ColumnType::Bool => Self::Bool(array.as_boolean()),
            ColumnType::Int16 => Self::Int16(array.as_primitive()),
            ColumnType::Int32 => Self::Int32(array.as_primitive()),
            ColumnType::Int64 => Self::Int64(array.as_primitive()),
            ColumnType::Float32 => Self::Float32(array.as_primitive()),
            ColumnType::Float64 => Self::Float64(array.as_primitive()),
            ColumnType::Decimal { scale, .. } => {
                Self::Decimal { array: array.as_primitive(), scale: u32::from(*scale) }
            }
            ColumnType::TimestampUtc | ColumnType::Timestamp => Self::Timestamp(array.as_primitive()),
            ColumnType::Date => Self::Date(array.as_primitive()),
            ColumnType::Time => Self::Time(array.as_primitive()),
            ColumnType::Uuid => Self::Uuid(array.as_fixed_size_binary()),
            ColumnType::Binary => Self::Binary(array.as_binary()),
            ColumnType::List(element) => {
                let array = array.as_list();
                let oid = array::element_oid(element).unwrap_or_default();
                Self::List { array, elements: Box::new(Self::of(element, array.values())), oid }
            }
        }
    }

    /// The value of `row` with its length, or NULL.
    pub(super) fn write_field(&self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(NULL.to_be_bytes());
        if self.array().is_null(row) {
            return;
        }
        self.write_value(row, out);
        let length = i32::try_from(out.len() - start - size_of::<i32>()).unwrap_or(i32::MAX);
        out[start..start + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
    }

    fn write_value(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Self::Bool(array) => out.push(array.value(row).into()),
            Self::Int16(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Int32(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Int64(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Float32(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Float64(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Decimal { array, scale } => numeric::write(array.value(row), *scale, out),
            Self::Timestamp(array) => calendar::write_timestamp(array.value(row), out),
            Self::Date(array) => calendar::write_date(array.value(row), out),
            Self::Time(array) => out.extend(array.value(row).to_be_bytes()),
            Self::Uuid(array) => out.extend_from_slice(array.value(row)),
            Self::Binary(array) => out.extend_from_slice(array.value(row)),
            Self::List { array, elements, oid } => array::write(array, row, elements, *oid, out),
        }
    }

    pub(super) fn array(&self) -> &dyn Array {
        match self {
            Self::Text(array) => array,
            Self::Bool(array) => array,
            Self::Int16(array) => array,
            Self::Int32(array) => array,
            Self::Int64(array) => array,
            Self::Float32(array) => array,
            Self::Float64(array) => array,
            Self::Decimal { array, .. } => array,
            Self::Timestamp(array) => array,
            Self::Date(array) => array,
            Self::Time(array) => array,
            Self::Uuid(array) => array,
            Self::Binary(array) => array,
            Self::List { array, .. } => array,
        }
    }
}

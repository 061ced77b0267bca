//! The values of one column for the encoders: its Arrow array by type, and which rows are NULL.

use crate::{
    Column, ColumnType,
    column_type::{Containers, Typed},
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray, cast::AsArray,
    types::ArrowPrimitiveType,
};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use std::ops::Range;

/// The values of a column, or the elements of all lists of a column.
pub(super) struct Values<'a> {
    pub(super) typed: Typed<Arrays<'a>>,
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Values<'a> {
    /// The values of `array`, which has the Arrow type of `column`.
    pub(super) fn new(column: &Column, array: &'a ArrayRef) -> Self {
        Self { typed: Typed::of_column(column, &Arrays(array)), nulls: array.nulls() }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

/// Borrows an array as the array of its type.
pub(super) struct Arrays<'a>(&'a ArrayRef);

impl<'a> Containers for Arrays<'a> {
    type Text = &'a StringArray;
    type Bool = &'a BooleanArray;
    type Primitive<T: ArrowPrimitiveType> = &'a PrimitiveArray<T>;
    type Uuid = &'a FixedSizeBinaryArray;
    type Binary = &'a BinaryArray;
    type List = Lists<'a>;

    fn text(&self) -> Self::Text {
        self.0.as_string()
    }

    fn bool(&self) -> Self::Bool {
        self.0.as_boolean()
    }

    fn primitive<T: ArrowPrimitiveType>(&self) -> Self::Primitive<T> {
        self.0.as_primitive()
    }

    fn uuid(&self) -> Self::Uuid {
        self.0.as_fixed_size_binary()
    }

    fn binary(&self) -> Self::Binary {
        self.0.as_binary()
    }

    fn list(&self, element: &ColumnType) -> Self::List {
        let lists = self.0.as_list::<i32>();
        let array = lists.values();
        let elements = Box::new(Values { typed: Typed::new(element, &Arrays(array)), nulls: array.nulls() });
        Lists { elements, offsets: lists.value_offsets(), element_oid: element.postgres_oid() }
    }
}

/// A column of lists.
pub(super) struct Lists<'a> {
    /// The elements of all lists.
    pub(super) elements: Box<Values<'a>>,
    offsets: &'a [i32],
    /// The elements' type in `pg_type`; `None` for lists.
    pub(super) element_oid: Option<u32>,
}

impl Lists<'_> {
    /// Where the elements of the list in `row` are.
    pub(super) fn range(&self, row: usize) -> Range<usize> {
        self.offsets[row].as_usize()..self.offsets[row + 1].as_usize()
    }

    /// How many elements the list in `row` has.
    pub(super) fn length(&self, row: usize) -> i32 {
        self.offsets[row + 1] - self.offsets[row]
    }
}

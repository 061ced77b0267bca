//! Columns of any type while they are decoded.

use super::{
    builder::{Bool, BytesColumn, FixedColumn, Uuid, Validity, last_offset, reserved},
    columns::ColumnBuilder,
    row_error::RowErrorKind,
};
use crate::{
    ColumnType,
    column_type::{Containers, Typed},
};
use arrow_array::{ArrayRef, ListArray, types::ArrowPrimitiveType};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// A growing column of any type.
pub(super) type TypedColumn = Typed<Builders>;

/// Makes empty columns.
pub(super) struct Builders {
    /// The error of a row without a value; `None` if the column is nullable.
    pub(super) missing: Option<RowErrorKind>,
}

impl Builders {
    fn validity(&self) -> Validity {
        Validity::new(self.missing)
    }
}

impl Containers for Builders {
    type Text = BytesColumn;
    type Bool = FixedColumn<Bool>;
    type Primitive<T: ArrowPrimitiveType> = FixedColumn<T>;
    type Uuid = FixedColumn<Uuid>;
    type Binary = BytesColumn;
    type List = ListColumn;

    fn text(&self) -> Self::Text {
        BytesColumn::new(self.validity())
    }

    fn bool(&self) -> Self::Bool {
        FixedColumn::new(self.validity())
    }

    fn primitive<T: ArrowPrimitiveType>(&self) -> Self::Primitive<T> {
        FixedColumn::new(self.validity())
    }

    fn uuid(&self) -> Self::Uuid {
        FixedColumn::new(self.validity())
    }

    fn binary(&self) -> Self::Binary {
        BytesColumn::new(self.validity())
    }

    fn list(&self, element: &ColumnType) -> Self::List {
        let elements = Box::new(Typed::new(element, &Self { missing: None }));
        ListColumn { elements, offsets: vec![0], validity: self.validity() }
    }
}

/// Evaluates an expression for the column inside any variant of [`TypedColumn`].
macro_rules! each {
    ($typed:expr, $column:ident => $body:expr) => {
        match $typed {
            Self::Text($column) | Self::Json($column) | Self::Binary($column) => $body,
            Self::Bool($column) => $body,
            Self::Int16($column) => $body,
            Self::Int32($column) => $body,
            Self::Int64($column) => $body,
            Self::Float32($column) => $body,
            Self::Float64($column) => $body,
            Self::Decimal { values: $column, .. } => $body,
            Self::TimestampUtc($column) | Self::Timestamp($column) => $body,
            Self::Date($column) => $body,
            Self::Time($column) => $body,
            Self::Uuid($column) => $body,
            Self::List($column) => $body,
        }
    };
}

impl ColumnBuilder for TypedColumn {
    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        each!(self, column => column.push_null())
    }

    fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        each!(self, column => column.finish(data_type))
    }
}

/// A growing column of lists.
pub(super) struct ListColumn {
    /// The elements of all lists.
    pub(super) elements: Box<TypedColumn>,
    /// Index of the first element of each list, and of the next list.
    offsets: Vec<i32>,
    pub(super) validity: Validity,
}

impl ListColumn {
    /// Number of elements of all lists that have ended.
    pub(super) fn element_count(&self) -> usize {
        last_offset(&self.offsets)
    }

    /// Ends a list after `count` elements of all lists. Its validity is appended separately.
    pub(super) fn end(&mut self, count: usize) -> Result<(), RowErrorKind> {
        self.offsets.push(i32::try_from(count).map_err(|_| RowErrorKind::ChunkTooLarge)?);
        Ok(())
    }
}

impl ColumnBuilder for ListColumn {
    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.end(self.element_count())
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.elements.truncate(self.element_count());
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(reserved(self.offsets.len(), factor));
        self.elements.reserve(factor);
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let DataType::List(field) = data_type else { unreachable!("the column was built from its field") };
        let elements = self.elements.finish(field.data_type())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::new(Arc::clone(field), offsets, elements, self.validity.finish())))
    }
}

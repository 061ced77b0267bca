//! The columns of a chunk while it is decoded.

use super::row_error::RowErrorKind;
use crate::{Column, EventBatch, Schema};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use std::sync::Arc;

/// A column that grows by one value per row, and whose last rows can be removed.
pub(super) trait ColumnBuilder {
    /// Appends a row without a value.
    fn push_null(&mut self) -> Result<(), RowErrorKind>;

    /// Removes all rows but the first `rows`.
    fn truncate(&mut self, rows: usize);

    /// Reserves capacity for `factor` times the present content.
    fn reserve(&mut self, factor: usize);

    /// The finished array; `None` if it has text that is not UTF-8.
    fn finish(self, data_type: &DataType) -> Option<ArrayRef>;
}

/// The columns of every batch.
#[derive(Debug)]
pub(super) struct Columns {
    schema: Arc<Schema>,
    arrow: SchemaRef,
}

impl Columns {
    pub(super) fn new(schema: Arc<Schema>) -> Self {
        Self { arrow: schema.to_arrow(), schema }
    }

    pub(super) const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Empty columns, each made by `new` from the column and the error of a row without a value (`None` if nullable).
    pub(super) fn builders<B>(&self, new: impl Fn(&Column, Option<RowErrorKind>) -> B) -> Vec<B> {
        let (id, time) = (self.schema.id_index(), self.schema.time_index());
        let builders = self.schema.columns().iter().enumerate().map(|(index, column)| {
            let missing = match index {
                _ if index == id => Some(RowErrorKind::NoId),
                _ if index == time => Some(RowErrorKind::NoTime),
                _ if column.nullable => None,
                _ => Some(RowErrorKind::NoValue),
            };
            new(column, missing)
        });
        builders.collect()
    }

    /// The events in `builders`, each of which has `rows` rows; `None` when there are no rows. Fails if text is not
    /// UTF-8.
    pub(super) fn finish<B: ColumnBuilder>(
        &self,
        builders: Vec<B>,
        rows: usize,
    ) -> Result<Option<EventBatch>, RowErrorKind> {
        let fields = self.arrow.fields().iter();
        let arrays = builders.into_iter().zip(fields).map(|(builder, field)| builder.finish(field.data_type()));
        let arrays = arrays.collect::<Option<Vec<_>>>().ok_or(RowErrorKind::Utf8)?;
        let batch = (rows > 0).then(|| {
            let records = RecordBatch::try_new(Arc::clone(&self.arrow), arrays)
                .unwrap_or_else(|_| unreachable!("every column was built from its field and has one value per row"));
            EventBatch::try_new(Arc::clone(&self.schema), records).unwrap_or_else(|_| {
                unreachable!("rows without id or time are rejects, and the types come from the schema")
            })
        });
        Ok(batch)
    }
}

/// When text is checked for UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Utf8Check {
    /// Once per column, when it is finished. A failure does not identify the row.
    ByColumn,
    /// For each row, before it is appended.
    ByRow,
}

/// Runs `decode`, which returns `None` if a column has text that is not UTF-8.
///
/// Text is nearly always UTF-8, and one check per column is much cheaper than one per row. Only if that check fails is
/// the chunk decoded again with a check of each row.
pub(super) fn decode_checked<T>(decode: impl Fn(Utf8Check) -> Option<T>) -> T {
    decode(Utf8Check::ByColumn)
        .or_else(|| decode(Utf8Check::ByRow))
        .unwrap_or_else(|| unreachable!("columns of checked rows are UTF-8"))
}

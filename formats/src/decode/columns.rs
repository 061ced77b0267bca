//! The columns of events, as they are decoded chunk by chunk.

use super::fault::Fault;
use crate::{Column, EventBatch, Schema};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use std::sync::Arc;

/// A column that grows by one value per row and can take the last rows back.
pub(super) trait Builder {
    /// Removes all rows but the first `rows`.
    fn truncate(&mut self, rows: usize);

    /// Makes room for `factor` times what the column holds.
    fn reserve(&mut self, factor: usize);

    /// The column as Arrow sees it, or `None` when it has text that is not UTF-8.
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

    /// Empty columns, each made by `new` from what it is and what a row without a value does wrong.
    pub(super) fn builders<B>(&self, new: impl Fn(&Column, Option<Fault>) -> B) -> Vec<B> {
        let (id, time) = (self.schema.id_index(), self.schema.time_index());
        let builders = self.schema.columns().iter().enumerate().map(|(index, column)| {
            let missing = match index {
                _ if index == id => Some(Fault::NoId),
                _ if index == time => Some(Fault::NoTime),
                _ if column.nullable => None,
                _ => Some(Fault::NoValue),
            };
            new(column, missing)
        });
        builders.collect()
    }

    /// The events of full `builders`, of which every one has `rows` rows; `None` when there are no rows. Fails when a
    /// text is not UTF-8.
    pub(super) fn finish<B: Builder>(&self, builders: Vec<B>, rows: usize) -> Result<Option<EventBatch>, Fault> {
        let fields = self.arrow.fields().iter();
        let arrays = builders.into_iter().zip(fields).map(|(builder, field)| builder.finish(field.data_type()));
        let arrays = arrays.collect::<Option<Vec<_>>>().ok_or(Fault::Utf8)?;
        let batch = (rows > 0).then(|| {
            let records = RecordBatch::try_new(Arc::clone(&self.arrow), arrays)
                .unwrap_or_else(|_| unreachable!("every column was built from its field and has one value per row"));
            EventBatch::try_new(Arc::clone(&self.schema), records)
                .unwrap_or_else(|_| unreachable!("rows without id or time are rejects, and the types are the schema's"))
        });
        Ok(batch)
    }
}

/// When text is checked to be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Utf8 {
    /// When the column is finished. A failure does not tell the row.
    ByColumn,
    /// Before a row is taken.
    ByRow,
}

/// What `decode` makes of a chunk; it returns nothing when a column has text that is not UTF-8.
///
/// Text is nearly always UTF-8, and checking it by the column is much cheaper than by the value. When the check fails,
/// the chunk is read again and every row looked at.
pub(super) fn checked<T>(decode: impl Fn(Utf8) -> Option<T>) -> T {
    decode(Utf8::ByColumn)
        .or_else(|| decode(Utf8::ByRow))
        .unwrap_or_else(|| unreachable!("rows that were checked to be UTF-8 make columns that are UTF-8"))
}

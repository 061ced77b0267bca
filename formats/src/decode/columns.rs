//! The columns of an artifact, as they are decoded chunk by chunk.

use super::{column::ColumnBuilder, fault::Fault};
use crate::{Column, EventBatch, Schema};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::sync::Arc;

/// Columns that texts can be read into.
#[derive(Debug)]
pub(super) struct Columns {
    schema: Arc<Schema>,
    arrow: SchemaRef,
}

impl Columns {
    /// Fails with the first column of a type that no text is read into.
    pub(super) fn new(schema: Schema) -> Result<Self, Column> {
        let columns = Self { arrow: schema.to_arrow(), schema: Arc::new(schema) };
        let unreadable = columns.schema.columns.iter().find(|column| !ColumnBuilder::reads(&column.kind));
        match unreadable {
            Some(column) => Err(column.clone()),
            None => Ok(columns),
        }
    }

    pub(super) const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Empty columns, in which rows without id or time are faults.
    pub(super) fn builders(&self) -> Vec<ColumnBuilder> {
        let (id, time) = (self.schema.id_index(), self.schema.time_index());
        let builders = self.schema.columns.iter().enumerate().map(|(index, column)| {
            let missing = match index {
                _ if index == id => Some(Fault::NoId),
                _ if index == time => Some(Fault::NoTime),
                _ => None,
            };
            ColumnBuilder::new(&column.kind, missing).unwrap_or_else(|| unreachable!("the types were tried before"))
        });
        builders.collect()
    }

    /// The events of full `builders`, of which every one has `rows` rows; `None` when there are no rows. Fails when a
    /// text is not UTF-8.
    pub(super) fn finish(&self, builders: Vec<ColumnBuilder>, rows: usize) -> Result<Option<EventBatch>, Fault> {
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

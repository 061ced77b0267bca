//! Events in columns.

use crate::Schema;
use arrow_array::{
    Array, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray,
    types::TimestampMicrosecondType,
};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// Some events of one month: a record batch that was proven to have its schema's columns, and in which every row has an
/// id and a time.
#[derive(Clone, Debug)]
pub struct EventBatch {
    schema: Arc<Schema>,
    records: RecordBatch,
    id: usize,
    time: usize,
}

/// A record batch that does not fit its schema. It means a bug in a source, never a bad event.
#[derive(Debug, thiserror::Error)]
pub enum SchemaMismatch {
    /// Other columns or other types.
    #[error("the batch has other columns than its schema")]
    Columns,
    /// A row without an id or a time.
    #[error("column {0:?} has rows without a value")]
    MissingKey(String),
    /// A key column of a type that cannot be one.
    #[error("column {0:?} cannot be a key column")]
    KeyType(String),
}

impl EventBatch {
    /// Checks `records` against `schema`.
    pub fn try_new(schema: Arc<Schema>, records: RecordBatch) -> Result<Self, SchemaMismatch> {
        if *records.schema() != *schema.to_arrow() {
            return Err(SchemaMismatch::Columns);
        }
        let (id, time) = (schema.id_index(), schema.time_index());
        for index in [id, time] {
            if records.column(index).null_count() > 0 {
                return Err(SchemaMismatch::MissingKey(schema.columns[index].name.clone()));
            }
        }
        let ids = records.column(id);
        if ids.as_string_opt::<i32>().is_none() && ids.as_fixed_size_binary_opt().is_none() {
            return Err(SchemaMismatch::KeyType(schema.id.clone()));
        }
        if records.column(time).as_primitive_opt::<TimestampMicrosecondType>().is_none() {
            return Err(SchemaMismatch::KeyType(schema.time.clone()));
        }
        Ok(Self { schema, records, id, time })
    }

    /// The columns' names and types.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The events as Arrow sees them.
    pub const fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.records.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The time of each event.
    pub fn times(&self) -> &TimestampMicrosecondArray {
        self.records.column(self.time).as_primitive()
    }

    /// The id of each event.
    pub fn ids(&self) -> Ids<'_> {
        let column = self.records.column(self.id);
        column.as_fixed_size_binary_opt().map_or_else(|| Ids::Text(column.as_string()), Ids::Uuid)
    }

    /// Memory that the events take, whatever they share with others.
    pub fn memory(&self) -> usize {
        let columns = self.records.columns().iter();
        columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
    }

    /// The events in pieces of some `bytes` of memory, and of at least one event.
    pub fn pieces(&self, bytes: u64) -> impl Iterator<Item = Self> {
        let pieces = (self.memory() as u64).div_ceil(bytes.max(1)).max(1);
        let length = usize::try_from((self.len() as u64).div_ceil(pieces)).unwrap_or(usize::MAX).max(1);
        (0..self.len()).step_by(length).map(move |start| {
            let records = self.records.slice(start, length.min(self.len() - start));
            Self { records, schema: Arc::clone(&self.schema), ..*self }
        })
    }

    /// The events for which `keep` is true.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        let records = arrow_select::filter::filter_record_batch(&self.records, keep)?;
        Ok(Self { records, schema: Arc::clone(&self.schema), ..*self })
    }
}

/// The ids of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// As text.
    Text(&'a StringArray),
    /// As sixteen bytes.
    Uuid(&'a FixedSizeBinaryArray),
}

impl<'a> Ids<'a> {
    /// The bytes of the id in `row`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn bytes(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Text(ids) => ids.value(row).as_bytes(),
            Self::Uuid(ids) => ids.value(row),
        }
    }
}

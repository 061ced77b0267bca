//! Batches of events.

use crate::Schema;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, cast::AsArray, types::TimestampMicrosecondType,
};
use arrow_buffer::ToByteSlice;
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

/// Events of one month: a record batch whose columns are those of its schema, with an id and a time in every row.
#[derive(Clone, Debug)]
pub struct EventBatch {
    schema: Arc<Schema>,
    records: RecordBatch,
    id: usize,
    time: usize,
}

/// A record batch that does not fit its schema: a bug in a source, never a bad event.
#[derive(Debug, thiserror::Error)]
pub enum SchemaMismatch {
    /// The columns or their types differ.
    #[error("the batch has other columns than its schema")]
    Columns,
    /// A row has no id or no time.
    #[error("column {0:?} has rows without a value")]
    MissingKey(String),
    /// Ids or times cannot have the type of this column.
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
                return Err(SchemaMismatch::MissingKey(schema.columns()[index].name.clone()));
            }
        }
        if Ids::from_array(records.column(id)).is_none() {
            return Err(SchemaMismatch::KeyType(schema.id().to_owned()));
        }
        if records.column(time).as_primitive_opt::<TimestampMicrosecondType>().is_none() {
            return Err(SchemaMismatch::KeyType(schema.time().to_owned()));
        }
        Ok(Self { schema, records, id, time })
    }

    /// The schema of the columns.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The events as Arrow arrays.
    pub const fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.records.num_rows()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The time of each event.
    pub fn times(&self) -> &TimestampMicrosecondArray {
        self.records.column(self.time).as_primitive()
    }

    /// The id of each event.
    ///
    /// # Panics
    /// Never: the column's type was checked when the batch was made.
    pub fn ids(&self) -> Ids<'_> {
        Ids::from_array(self.records.column(self.id)).unwrap_or_else(|| unreachable!("a batch has ids"))
    }

    /// Bytes of memory of the events, counting buffers that they share with other batches.
    pub fn memory(&self) -> usize {
        memory(&self.records)
    }

    /// The events in batches of about `bytes` of memory and at least one event.
    pub fn pieces(&self, bytes: u64) -> impl Iterator<Item = Self> {
        // A limit beyond the address space is no limit.
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        let pieces = self.memory().div_ceil(bytes).max(1);
        let length = self.len().div_ceil(pieces).max(1);
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

/// Bytes of memory of the values of `rows`, counting buffers that they share with other batches.
pub(crate) fn memory(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

/// The ids of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// As text.
    Text(&'a StringArray),
    /// As sixteen bytes.
    Uuid(&'a FixedSizeBinaryArray),
    /// As numbers of two bytes.
    Int16(&'a Int16Array),
    /// As numbers of four bytes.
    Int32(&'a Int32Array),
    /// As numbers of eight bytes.
    Int64(&'a Int64Array),
}

impl<'a> Ids<'a> {
    /// The ids in `column`; `None` when ids cannot have its type.
    fn from_array(column: &'a ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            DataType::FixedSizeBinary(_) => Self::Uuid(column.as_fixed_size_binary()),
            DataType::Int16 => Self::Int16(column.as_primitive()),
            DataType::Int32 => Self::Int32(column.as_primitive()),
            DataType::Int64 => Self::Int64(column.as_primitive()),
            _ => return None,
        })
    }

    /// The bytes of the id in `row`, in native byte order.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn bytes(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Text(ids) => ids.value(row).as_bytes(),
            Self::Uuid(ids) => ids.value(row),
            Self::Int16(ids) => ids.values()[row..=row].to_byte_slice(),
            Self::Int32(ids) => ids.values()[row..=row].to_byte_slice(),
            Self::Int64(ids) => ids.values()[row..=row].to_byte_slice(),
        }
    }
}

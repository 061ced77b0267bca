//! Batches of events.

use crate::{Schema, Timestamp};
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

/// The earliest and the latest time of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    ends: Option<(i64, i64)>,
}

impl TimeSpan {
    /// Adds the events of `batch`.
    pub fn extend(&mut self, batch: &EventBatch) {
        self.extend_micros(batch.times().values());
    }

    /// Adds events at these times, in microseconds since 1970.
    pub(crate) fn extend_micros(&mut self, times: &[i64]) {
        self.ends = times.iter().fold(self.ends, |ends, &time| {
            let (first, last) = ends.unwrap_or((time, time));
            Some((first.min(time), last.max(time)))
        });
    }

    /// The earliest time; `None` without events.
    pub fn first(self) -> Option<Timestamp> {
        self.ends.map(|(first, _)| Timestamp::from_micros(first))
    }

    /// The latest time; `None` without events.
    pub fn last(self) -> Option<Timestamp> {
        self.ends.map(|(_, last)| Timestamp::from_micros(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, ColumnType};

    fn schema(id: &str, time: &str) -> Arc<Schema> {
        let column = |name: &str, kind: &str| {
            let kind = kind.parse::<ColumnType>().unwrap();
            Column { name: name.to_owned(), kind, source_type: None, nullable: true }
        };
        let columns = vec![column("id", id), column("t", time), column("text", "text")];
        Arc::new(Schema::new(columns, "id", "t").unwrap())
    }

    fn events() -> Arc<Schema> {
        schema("int16", "timestamp(us,UTC)")
    }

    fn times(times: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    }

    fn texts(rows: usize) -> ArrayRef {
        Arc::new(StringArray::from(vec!["some text"; rows]))
    }

    /// Events with the ids and times from 0.
    fn batch(rows: u8) -> EventBatch {
        let ids = Int16Array::from_iter_values((0..rows).map(i16::from));
        let times = TimestampMicrosecondArray::from_iter_values((0..rows).map(i64::from)).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), texts(rows.into())];
        EventBatch::try_new(events(), RecordBatch::try_new(events().to_arrow(), columns).unwrap()).unwrap()
    }

    fn times_of(batch: &EventBatch) -> Vec<i64> {
        assert_eq!(batch.schema(), &events());
        batch.times().values().to_vec()
    }

    mod what_a_batch_holds {
        use super::*;

        fn refused(schema: Arc<Schema>, columns: Vec<ArrayRef>) -> String {
            let records = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
            EventBatch::try_new(schema, records).unwrap_err().to_string()
        }

        #[test]
        fn columns_are_those_of_the_schema() {
            let error = EventBatch::try_new(schema("int32", "timestamp(us,UTC)"), batch(1).records().clone());
            assert!(matches!(error, Err(SchemaMismatch::Columns)));
        }

        #[test]
        fn each_event_has_an_id_and_a_time() {
            let ids = |ids: Vec<Option<i16>>| -> ArrayRef { Arc::new(Int16Array::from(ids)) };
            let without_id = vec![ids(vec![Some(1), None]), times(vec![Some(1), Some(2)]), texts(2)];
            assert_eq!(refused(events(), without_id), "column \"id\" has rows without a value");
            let without_time = vec![ids(vec![Some(1), Some(2)]), times(vec![Some(1), None]), texts(2)];
            assert_eq!(refused(events(), without_time), "column \"t\" has rows without a value");
        }

        #[test]
        fn ids_and_times_have_types_that_compare() {
            let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
            let columns = vec![flags, times(vec![Some(1)]), texts(1)];
            assert_eq!(refused(schema("bool", "timestamp(us,UTC)"), columns), "column \"id\" cannot be a key column");
            let columns = vec![texts(1), texts(1), texts(1)];
            assert_eq!(refused(schema("text", "text"), columns), "column \"t\" cannot be a key column");
        }

        #[test]
        fn ids_of_each_type_are_their_bytes() {
            let uuid = FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].into_iter()).unwrap();
            let cases: [(&str, ArrayRef, &[u8]); 5] = [
                ("text", Arc::new(StringArray::from(vec!["evt"])), b"evt"),
                ("uuid", Arc::new(uuid), &[7; 16]),
                ("int16", Arc::new(Int16Array::from(vec![258])), &258_i16.to_ne_bytes()),
                ("int32", Arc::new(Int32Array::from(vec![258])), &258_i32.to_ne_bytes()),
                ("int64", Arc::new(Int64Array::from(vec![258])), &258_i64.to_ne_bytes()),
            ];
            for (kind, ids, bytes) in cases {
                let schema = schema(kind, "timestamp(us,UTC)");
                let records = RecordBatch::try_new(schema.to_arrow(), vec![ids, times(vec![Some(1)]), texts(1)]);
                let batch = EventBatch::try_new(schema, records.unwrap()).unwrap();
                assert_eq!(batch.ids().bytes(0), bytes, "{kind}");
            }
        }
    }

    mod parts_of_a_batch {
        use super::*;

        #[test]
        fn pieces_hold_each_event_once_and_in_order() {
            let batch = batch(10);
            for (bytes, count) in [(0, 10), (1, 10), (batch.memory() as u64 / 3, 3), (u64::MAX, 1)] {
                let pieces = batch.pieces(bytes).collect::<Vec<_>>();
                assert_eq!(pieces.len(), count, "{bytes}");
                assert_eq!(pieces.iter().flat_map(times_of).collect::<Vec<_>>(), times_of(&batch), "{bytes}");
            }
        }

        #[test]
        fn a_filter_keeps_what_it_names() {
            let keep = BooleanArray::from(vec![true, false, true]);
            assert_eq!(times_of(&batch(3).filter(&keep).unwrap()), [0, 2]);
        }

        #[test]
        fn memory_counts_values_and_offsets() {
            let (ids, times, offsets, texts) = (10 * 2, 10 * 8, 11 * 4, 10 * "some text".len());
            assert_eq!(batch(10).memory(), ids + times + offsets + texts);
            assert_eq!((batch(10).len(), batch(10).is_empty()), (10, false));
            assert_eq!((batch(0).len(), batch(0).is_empty()), (0, true));
        }
    }
}

//! Decodes Parquet files of an archive.

mod columns;
mod footer;
mod positioned_file;

pub use positioned_file::PositionedFile;

use crate::{EventBatch, ParquetRanges, RowGroup, Schema, TimeSpan, Timestamp, Window, batch::SchemaMismatch};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use columns::{ColumnReaders, Selection};
use parquet::{
    arrow::arrow_reader::ArrowReaderMetadata,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
        reader::ChunkReader,
        statistics::Statistics,
    },
};
use std::{
    collections::VecDeque,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

/// Maximum number of events of a batch.
const BATCH_ROWS: usize = 8_192;

/// Target size of a batch in bytes. Batches of large events have fewer of them.
const BATCH_BYTES: u64 = 16 << 20;

/// Why a file cannot be read with the schema of its manifest.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The footer or the metadata is invalid.
    #[error("could not read Parquet")]
    Parquet(#[from] ParquetError),
    /// A page is invalid.
    #[error("could not decode a page")]
    Page(#[from] ArrowError),
    /// The Parquet library panicked on the bytes.
    #[error("the file is not valid Parquet")]
    Invalid,
    /// The columns differ from those of the manifest.
    #[error("the columns differ from those of the manifest")]
    Schema(#[from] SchemaMismatch),
    /// A row group has events that its statistics exclude. Readers of a window do not find them.
    #[error("the statistics of a row group exclude some of its events")]
    Statistics,
    /// The row groups are not those that the manifest names.
    #[error("the row groups are not those that its manifest names")]
    RowGroups,
}

/// Iterator over the batches of a file, in the order in which they were written.
#[derive(Debug)]
pub struct ParquetEvents {
    schema: Arc<Schema>,
    metadata: Arc<ParquetMetaData>,
    /// `None` after an error.
    columns: Option<ColumnReaders>,
    stated: StatedTimes,
}

impl ParquetEvents {
    /// Reads the footer of `file`, which must have the columns of `schema`. All pages will be decoded.
    pub fn open(file: impl ChunkReader + Clone + 'static, schema: Arc<Schema>) -> Result<Self, ReadError> {
        let metadata = footer::read(&file, &schema)?;
        let columns = (0..schema.columns().len()).collect();
        let row_groups = (0..metadata.metadata().num_row_groups()).collect();
        Self::select(file, &metadata, schema, columns, row_groups)
    }

    /// Like [`Self::open`], restricted to the row groups whose statistics overlap `window`, and to the columns that
    /// `wanted` selects and the two keys. The row groups may contain events outside the window.
    pub fn open_within(
        file: impl ChunkReader + Clone + 'static,
        schema: &Schema,
        window: Window,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, ReadError> {
        let metadata = footer::read(&file, schema)?;
        let narrowed = schema.narrowed(wanted);
        let kept = schema.columns().iter().enumerate().filter(|(_, column)| narrowed.columns().contains(column));
        let kept = kept.map(|(index, _)| index).collect();
        let groups = metadata.metadata().row_groups().iter().enumerate();
        let overlapping = groups.filter(|(_, group)| RowGroupTimes::new(group, schema.time()).may_overlap(window));
        let overlapping = overlapping.map(|(index, _)| index).collect();
        Self::select(file, &metadata, Arc::new(narrowed), kept, overlapping)
    }

    /// Reads `columns`, those of `schema`, of `row_groups`.
    fn select(
        file: impl ChunkReader + Clone + 'static,
        metadata: &ArrowReaderMetadata,
        schema: Arc<Schema>,
        columns: Vec<usize>,
        row_groups: Vec<usize>,
    ) -> Result<Self, ReadError> {
        let groups = metadata.metadata().row_groups();
        let stated = StatedTimes::new(row_groups.iter().map(|index| &groups[*index]), schema.time());
        let selection = Selection { columns, row_groups, batch_rows: batch_rows(groups) };
        let columns = Some(ColumnReaders::new(file, metadata, &selection)?);
        Ok(Self { schema, metadata: Arc::clone(metadata.metadata()), columns, stated })
    }

    /// The same reader, if the row groups of the file are those of `ranges`, the ones not read included. A row group
    /// whose events have other times is an error at its end.
    pub fn with_ranges(mut self, ranges: &ParquetRanges) -> Result<Self, ReadError> {
        let (groups, named) = (self.metadata.row_groups(), ranges.row_groups());
        let is_same = |(group, named): (&RowGroupMetaData, &RowGroup)| is_same(group, named, self.schema.time());
        // The library panics at a range with a negative end.
        let all = catch_panics(|| groups.len() == named.len() && groups.iter().zip(named).all(is_same))?;
        self.stated.are_exact = true;
        if all { Ok(self) } else { Err(ReadError::RowGroups) }
    }

    fn batch(&mut self, columns: Vec<ArrayRef>) -> Result<EventBatch, ReadError> {
        let records = RecordBatch::try_new(self.schema.to_arrow(), columns)?;
        let batch = EventBatch::try_new(Arc::clone(&self.schema), records)?;
        if self.stated.admit(batch.times().values()) { Ok(batch) } else { Err(ReadError::Statistics) }
    }
}

impl Iterator for ParquetEvents {
    type Item = Result<EventBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut columns = self.columns.take()?;
        let batch = columns.next()?.and_then(|arrays| self.batch(arrays));
        if batch.is_ok() {
            self.columns = Some(columns);
        }
        Some(batch)
    }
}

/// Whether the metadata of a row group has the place, the number of events and the times that a manifest names.
fn is_same(group: &RowGroupMetaData, named: &RowGroup, time: &str) -> bool {
    let columns = || group.columns().iter().map(ColumnChunkMetaData::byte_range);
    let start = columns().map(|(start, _)| start).min();
    let end = columns().map(|(start, bytes)| start.saturating_add(bytes)).max();
    let RowGroupTimes { rows, first, last } = RowGroupTimes::new(group, time);
    (start, end) == (Some(named.offset), named.offset.checked_add(named.bytes))
        && (rows, first, last) == (named.rows, Some(named.first), Some(named.last))
}

/// Number of events in a batch, by the row group with the largest events. Texts in a dictionary count once for each
/// event.
fn batch_rows(groups: &[RowGroupMetaData]) -> usize {
    let bytes_of_event = groups.iter().map(|group| {
        let bytes = group
            .columns()
            .iter()
            .map(|column| column.unencoded_byte_array_data_bytes().unwrap_or_default().max(column.uncompressed_size()));
        let (bytes, rows) = (bytes.fold(0, i64::saturating_add).unsigned_abs(), group.num_rows().unsigned_abs());
        bytes / rows.max(1)
    });
    let rows = BATCH_BYTES / bytes_of_event.max().unwrap_or(0).max(1);
    usize::try_from(rows).map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS))
}

/// The number of events of a row group, and the times that its statistics allow for.
#[derive(Debug)]
pub(crate) struct RowGroupTimes {
    pub(crate) rows: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

impl RowGroupTimes {
    pub(crate) fn new(group: &RowGroupMetaData, time: &str) -> Self {
        let column = group.columns().iter().find(|column| column.column_path().parts() == [time]);
        let (first, last) = match column.and_then(|column| column.statistics()) {
            Some(Statistics::Int64(times)) => (times.min_opt().copied(), times.max_opt().copied()),
            _ => (None, None),
        };
        let [first, last] = [first, last].map(|time| time.map(Timestamp::from_micros));
        Self { rows: group.num_rows().unsigned_abs(), first, last }
    }

    fn may_overlap(&self, window: Window) -> bool {
        self.first.is_none_or(|first| first < window.to()) && self.last.is_none_or(|last| last >= window.from())
    }

    fn allows(&self, time: Timestamp) -> bool {
        self.first.is_none_or(|first| first <= time) && self.last.is_none_or(|last| time <= last)
    }
}

/// The row groups that are read, to check their events against their statistics.
#[derive(Debug)]
struct StatedTimes {
    groups: VecDeque<RowGroupTimes>,
    /// Whether the statistics are the times of the first and the last event.
    are_exact: bool,
    /// Those of the events so far of the first row group.
    found: TimeSpan,
}

impl StatedTimes {
    fn new<'a>(groups: impl IntoIterator<Item = &'a RowGroupMetaData>, time: &str) -> Self {
        let groups = groups.into_iter().map(|group| RowGroupTimes::new(group, time)).collect();
        Self { groups, are_exact: false, found: TimeSpan::default() }
    }

    /// Takes the next events. Returns whether the statistics allow for all of them.
    fn admit(&mut self, mut times: &[i64]) -> bool {
        while !times.is_empty() {
            let Some(group) = self.groups.front_mut() else { return false };
            let count = usize::try_from(group.rows).map_or(times.len(), |rows| rows.min(times.len()));
            let (of_group, rest) = times.split_at(count);
            self.found.extend_micros(of_group);
            let (first, last) = (self.found.first(), self.found.last());
            if ![first, last].into_iter().flatten().all(|time| group.allows(time)) {
                return false;
            }
            group.rows -= count as u64;
            if group.rows == 0 {
                if self.are_exact && (first, last) != (group.first, group.last) {
                    return false;
                }
                self.found = TimeSpan::default();
                self.groups.pop_front();
            }
            times = rest;
        }
        true
    }
}

/// Turns a panic of the Parquet library into an error. The library trusts counts and offsets of a file, and `verify`
/// reads damaged files.
fn catch_panics<T>(decode: impl FnOnce() -> T) -> Result<T, ReadError> {
    panic::catch_unwind(AssertUnwindSafe(decode)).map_err(|_| ReadError::Invalid)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        catalogue::{KeyColumns, text_schema},
        encode::{
            FileEncoder as _,
            parquet::{Label, ParquetEncoder},
        },
    };
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow_array::{Int64Array, StringArray, TimestampMicrosecondArray};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// A Parquet file of `batches`.
    pub(in crate::decode) fn encoded(batches: &[EventBatch]) -> Bytes {
        let mut file = Vec::new();
        let label =
            Label { archive: "a".to_owned(), dataset: "events".parse().unwrap(), month: "2025-03".parse().unwrap() };
        let mut encoder = Box::new(ParquetEncoder::new(&mut file, label, u64::MAX));
        batches.iter().try_for_each(|batch| encoder.write(batch)).unwrap();
        encoder.finish().unwrap();
        file.into()
    }

    fn schema() -> Arc<Schema> {
        Arc::new(text_schema(&["id", "timestamp", "model", "input_tokens"], &KeyColumns::default()).unwrap())
    }

    /// A file with each encoding that is used for columns of artifacts.
    static FILE: LazyLock<Bytes> = LazyLock::new(|| {
        let ids = StringArray::from_iter_values((0..500).map(|row| format!("evt_{row}")));
        let times = TimestampMicrosecondArray::from_iter_values(0..500).with_timezone("UTC");
        let models = (0..500).map(|row| (row % 5 > 0).then(|| format!("model-{}", row % 5))).collect::<StringArray>();
        let tokens = (0..500).map(|row| (row % 7 > 0).then_some(row * 31)).collect::<Int64Array>();
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), Arc::new(models), Arc::new(tokens)];
        let records = RecordBatch::try_new(schema().to_arrow(), columns).unwrap();
        encoded(&[EventBatch::try_new(schema(), records).unwrap()])
    });

    #[test]
    fn batches_of_large_events_are_small() {
        let schema = Arc::new(text_schema(&["id", "timestamp", "note"], &KeyColumns::default()).unwrap());
        let ids = StringArray::from_iter_values((0..90).map(|row| format!("evt_{row}")));
        let times = TimestampMicrosecondArray::from_iter_values(0..90).with_timezone("UTC");
        // A dictionary stores the text once.
        let notes = StringArray::from_iter_values(std::iter::repeat_n("x".repeat(1 << 20), 90));
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), Arc::new(notes)];
        let records = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        let file = encoded(&[EventBatch::try_new(Arc::clone(&schema), records).unwrap()]);
        let read = ParquetEvents::open(file, schema).unwrap().map(|batch| batch.unwrap().len()).collect::<Vec<_>>();
        assert_eq!(read.iter().sum::<usize>(), 90);
        assert!(read.iter().all(|rows| *rows <= 32), "{read:?}");
    }

    /// Number of events.
    fn read(bytes: Bytes) -> Result<usize, ReadError> {
        ParquetEvents::open(bytes, schema())?.map(|batch| Ok(batch?.len())).sum()
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            near_the_end: bool,
        ) {
            let mut bytes = FILE.to_vec();
            // Half of the damage hits the footer, which has all offsets.
            let start = if near_the_end { bytes.len() / 2 } else { 0 };
            for (index, byte) in changes {
                let length = bytes.len() - start;
                bytes[start + index.index(length)] = byte;
            }
            drop(read(bytes.into()));
        }

        #[test]
        fn random_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read(bytes.clone().into()).is_err());
            let framed = [b"PAR1", bytes.as_slice(), &u32::try_from(bytes.len()).unwrap().to_le_bytes(), b"PAR1"];
            prop_assert!(read(framed.concat().into()).is_err());
        }
    }

    #[test]
    fn row_groups_outside_the_window_are_not_decoded() {
        const ROWS: i64 = 130_000;
        let schema = Arc::new(text_schema(&["id", "timestamp"], &KeyColumns::default()).unwrap());
        let ids = StringArray::from_iter_values((0..ROWS).map(|row| format!("evt_{row}")));
        let times = TimestampMicrosecondArray::from_iter_values(0..ROWS).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times)];
        let records = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        let file = encoded(&[EventBatch::try_new(Arc::clone(&schema), records).unwrap()]);
        let metadata = Arc::clone(ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().metadata());
        let [first, second] = metadata.row_groups() else { panic!("{} row groups", metadata.num_row_groups()) };
        // Decoding the damaged row group fails.
        let mut damaged = file.to_vec();
        for column in first.columns() {
            let (start, length) = column.byte_range();
            let start = usize::try_from(start).unwrap();
            damaged[start..start + usize::try_from(length).unwrap()].fill(0xff);
        }
        let count = |file: Vec<u8>, from, to| -> Result<usize, ReadError> {
            let window = Window::new(Timestamp::from_micros(from), Timestamp::from_micros(to)).unwrap();
            let events = ParquetEvents::open_within(Bytes::from(file), &schema, window, |_| false)?;
            events.map(|batch| Ok(batch?.len())).sum()
        };
        let edge = first.num_rows();
        let behind = usize::try_from(second.num_rows()).unwrap();
        assert_eq!(count(damaged.clone(), edge, edge + 1).unwrap(), behind);
        assert!(count(damaged.clone(), edge - 1, edge).is_err());
        assert_eq!(count(damaged, ROWS, ROWS + 1).unwrap(), 0);
        assert_eq!(count(file.to_vec(), edge - 1, edge + 1).unwrap(), 130_000);
    }

    #[test]
    fn events_that_their_statistics_exclude_are_damage() {
        // The largest time of `FILE`, 499, is in its page, in the page index and in the statistics of its row group.
        let largest = 499_i64.to_le_bytes();
        let places = FILE.windows(largest.len()).enumerate().filter(|(_, bytes)| *bytes == largest);
        let places = places.map(|(place, _)| place).collect::<Vec<_>>();
        let excluded = places.iter().filter(|place| {
            let mut bytes = FILE.to_vec();
            bytes[**place..**place + largest.len()].copy_from_slice(&100_i64.to_le_bytes());
            matches!(read(bytes.into()), Err(ReadError::Statistics))
        });
        assert_eq!(excluded.count(), 1, "in {places:?}");
    }

    #[test]
    fn only_the_wanted_columns_and_the_keys_are_decoded() {
        let window = Window::new(Timestamp::from_micros(0), Timestamp::from_micros(1)).unwrap();
        let mut events =
            ParquetEvents::open_within(FILE.clone(), &schema(), window, |name| name == "input_tokens").unwrap();
        let batch = events.next().unwrap().unwrap();
        let names = batch.schema().columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names, batch.records().num_columns()), (vec!["id", "timestamp", "input_tokens"], 3));
    }

    #[test]
    fn an_undamaged_file_is_read_whole() {
        assert_eq!(read(FILE.clone()).unwrap(), 500);
    }
}

//! Writes the row groups of a Parquet file: all columns side by side, or one after another in tables of many columns.
//!
//! Usually the columns of each batch are encoded and compressed on all cores. That holds a page, an encoder and a
//! compressor for every column of the row group in progress, up to 450 KiB for each column, and for every page of long
//! values a buffer of their size before compression. So in a table of many columns or of long rows the rows of a row group
//! are held instead, and each column is encoded, compressed and written before the next one begins.

use super::EncodeError;
use crate::{
    batch::memory,
    digest::{ByteRange, RangeWriter},
};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_writer::{
            ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
        },
    },
    errors::ParquetError,
    file::{metadata::RowGroupMetaData, properties::WriterProperties, writer::SerializedFileWriter},
};
use rayon::prelude::*;
use std::{fmt, io::Write};

/// Columns up to which all are written side by side.
const MAX_SIDE_BY_SIDE: usize = 64;

/// Columns up to which each may have a dictionary or a delta encoding. The encoders of a row group are made at once, and
/// the library reserves 70 KiB for each dictionary and 1 MiB for each delta encoder: 250 MiB for as many texts.
const MAX_ENCODINGS: usize = 64;

/// Whether the columns of a table are written one after another, whatever its rows are.
pub(super) fn is_one_by_one(schema: &Schema) -> bool {
    schema.fields().len() > MAX_SIDE_BY_SIDE
}

/// How the row groups of a file are written, by the sample of its first rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Whether the columns are written one after another.
    pub(super) is_one_by_one: bool,
    /// Whether all columns have plain encodings.
    pub(super) is_plain: bool,
}

impl Shape {
    /// That of a file which begins with these rows.
    pub(super) fn of(sample: &RecordBatch) -> Self {
        let is_long = memory(sample) / sample.num_rows().max(1) >= LONG_ROW_BYTES;
        let Self { is_one_by_one, is_plain } = Self::of_columns(sample.schema_ref());
        Self { is_one_by_one: is_long || is_one_by_one, is_plain: is_long || is_plain }
    }

    /// That of a file whose rows are not known.
    pub(super) fn of_columns(schema: &Schema) -> Self {
        Self { is_one_by_one: is_one_by_one(schema), is_plain: schema.fields().len() > MAX_ENCODINGS }
    }
}

/// A finished file.
pub(super) struct Finished<W> {
    /// Where it was written.
    pub(super) sink: W,
    /// Its row groups, each with the range of its bytes.
    pub(super) groups: Vec<(RowGroupMetaData, ByteRange)>,
    /// All bytes after the last row group.
    pub(super) footer: ByteRange,
}

/// A Parquet file without its footer.
pub(super) struct RowGroups<W: Write + Send> {
    file: SerializedFileWriter<RangeWriter<W>>,
    /// Those of the row groups.
    ranges: Vec<ByteRange>,
    columns: ArrowRowGroupWriterFactory,
    group: Group,
}

/// The row group in progress.
enum Group {
    SideBySide(SideBySide),
    OneByOne(Held),
}

impl<W: Write + Send> RowGroups<W> {
    /// A file in `sink`.
    pub(super) fn new(
        sink: W,
        schema: SchemaRef,
        properties: WriterProperties,
        shape: Shape,
    ) -> Result<Self, EncodeError> {
        let mut writer = ArrowWriter::try_new(RangeWriter::new(sink), schema, Some(properties))?;
        // The magic number is a range of its own.
        writer.sync()?;
        writer.inner_mut().end_range();
        let (file, columns) = writer.into_serialized_writer()?;
        let group = if shape.is_one_by_one {
            Group::OneByOne(Held::default())
        } else {
            Group::SideBySide(SideBySide::default())
        };
        Ok(Self { file, ranges: Vec::new(), columns, group })
    }

    /// Appends rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        match &mut self.group {
            Group::OneByOne(held) => {
                held.push(rows.clone())?;
                if held.bytes >= GROUP_BYTES { self.end_group() } else { Ok(()) }
            }
            Group::SideBySide(group) => {
                let count = rows.num_rows().min(ROW_GROUP_ROWS - group.rows);
                if group.writers.is_empty() {
                    group.writers = self.columns.create_column_writers(self.file.flushed_row_groups().len())?;
                }
                group.write(&rows.slice(0, count))?;
                if group.is_full() {
                    self.end_group()?;
                }
                self.write(&rows.slice(count, rows.num_rows() - count))
            }
        }
    }

    /// Bytes written and waiting. Rows that are held are not counted.
    pub(super) fn bytes(&self) -> usize {
        let waiting = match &self.group {
            Group::SideBySide(group) => group.encoded_bytes(),
            Group::OneByOne(_) => 0,
        };
        self.file.bytes_written() + waiting
    }

    /// Writes the last row group and the footer.
    pub(super) fn finish(mut self) -> Result<Finished<W>, EncodeError> {
        self.end_group()?;
        let groups = self.file.flushed_row_groups().to_vec();
        let (sink, footer) = self.file.into_inner()?.finish();
        Ok(Finished { sink, groups: groups.into_iter().zip(self.ranges).collect(), footer })
    }

    fn end_group(&mut self) -> Result<(), EncodeError> {
        match &mut self.group {
            Group::SideBySide(group) => {
                let writers = std::mem::take(group).writers;
                if writers.is_empty() {
                    return Ok(());
                }
                let chunks = writers.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<Vec<_>, _>>()?;
                let mut group = self.file.next_row_group()?;
                chunks.into_iter().try_for_each(|chunk: ArrowColumnChunk| chunk.append_to_row_group(&mut group))?;
                group.close()?;
            }
            Group::OneByOne(held) => {
                let Some(rows) = std::mem::take(held).merge()? else { return Ok(()) };
                let writers = self.columns.create_column_writers(self.file.flushed_row_groups().len())?;
                let mut group = self.file.next_row_group()?;
                for (leaf, mut writer) in leaves(&rows)?.into_iter().zip(writers) {
                    writer.write(&leaf)?;
                    writer.close()?.append_to_row_group(&mut group)?;
                }
                group.close()?;
            }
        }
        self.file.flush()?;
        self.ranges.push(self.file.inner_mut().end_range());
        Ok(())
    }
}

/// The columns of `rows` as the writers of a row group take them, in the same order.
fn leaves(rows: &RecordBatch) -> Result<Vec<ArrowLeafColumn>, ParquetError> {
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let leaves = columns.map(|(field, column)| compute_leaves(field, column)).collect::<Result<Vec<_>, _>>()?;
    Ok(leaves.into_iter().flatten().collect())
}

impl<W: Write + Send> fmt::Debug for RowGroups<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RowGroups").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// Events of a row group, the unit in which readers skip and parallelise; DuckDB's default.
const ROW_GROUP_ROWS: usize = 122_880;

/// Encoded bytes after which a row group ends early, since it is kept in memory until then.
const ROW_GROUP_BYTES: usize = 48 << 20;

/// Bytes of the values of a row group of long rows. The library keeps a buffer of the size before compression for every
/// page of the row group in progress.
const LONG_GROUP_BYTES: usize = 48 << 20;

/// Bytes of a row on average from which on rows are long: some ten times those of usual events.
const LONG_ROW_BYTES: usize = 8 << 10;

/// A row group whose columns are encoded on all cores. Its bytes do not depend on how the columns are divided among them.
#[derive(Default)]
struct SideBySide {
    /// One for each column; none before the first row.
    writers: Vec<ArrowColumnWriter>,
    rows: usize,
    /// The size of the values.
    bytes: usize,
}

impl SideBySide {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += rows.num_rows();
        self.bytes += memory(rows);
        let columns = self.writers.par_iter_mut().zip(leaves(rows)?);
        // Columns differ in their cost, so that each is taken by itself.
        columns.with_max_len(1).try_for_each(|(writer, leaf)| writer.write(&leaf))
    }

    /// Bytes of the row group, were it ended now.
    fn encoded_bytes(&self) -> usize {
        self.writers.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    fn is_full(&self) -> bool {
        let is_long = self.bytes >= LONG_GROUP_BYTES && self.bytes / self.rows.max(1) >= LONG_ROW_BYTES;
        self.rows >= ROW_GROUP_ROWS || is_long || self.encoded_bytes() >= ROW_GROUP_BYTES
    }
}

/// Bytes of the values of a row group whose columns are written one by one. They are held twice for a moment.
pub(super) const GROUP_BYTES: usize = 8 << 20;

/// Arrays of the rows held before they are merged into one batch: each takes some 1 KiB besides its values.
const HELD_ARRAYS: usize = 16_384;

/// Rows that wait, in few batches.
#[derive(Debug, Default)]
pub(super) struct Held {
    batches: Vec<RecordBatch>,
    /// The size of their values.
    pub(super) bytes: usize,
    /// Their number.
    pub(super) rows: usize,
}

impl Held {
    /// Appends rows, which have the columns of those before.
    pub(super) fn push(&mut self, rows: RecordBatch) -> Result<(), ArrowError> {
        self.rows += rows.num_rows();
        self.bytes += memory(&rows);
        self.batches.push(rows);
        if self.batches.len() * self.batches[0].num_columns() > HELD_ARRAYS {
            self.batches = vec![concat_batches(self.batches[0].schema_ref(), &self.batches)?];
        }
        Ok(())
    }

    /// All rows in one batch; `None` if there are none.
    pub(super) fn merge(self) -> Result<Option<RecordBatch>, ArrowError> {
        let merged = self.batches.first().map(|first| concat_batches(first.schema_ref(), &self.batches));
        merged.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::parquet::properties;
    use arrow_array::{ArrayRef, Int64Array, ListArray, types::Int32Type};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::sync::Arc;

    /// Three rows from `start` on, in a column of lists and others of numbers.
    fn rows(columns: usize, start: i64) -> RecordBatch {
        let lists = [Some(vec![Some(1), None]), None, Some(Vec::new())];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        let numbers = || -> ArrayRef { Arc::new(Int64Array::from(vec![Some(start), None, Some(-start)])) };
        let columns =
            (0..columns).map(|column| (format!("c{column}"), if column == 1 { lists.clone() } else { numbers() }));
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn rows_round_trip_with_any_number_of_columns() {
        for columns in [2, 64, 65, 257] {
            let written = [rows(columns, 1), rows(columns, 2), rows(columns, 3)];
            let schema = written[0].schema();
            let shape = Shape::of(&written[0]);
            let settings = properties(&schema, shape).unwrap().build();
            let mut groups = RowGroups::new(Vec::new(), Arc::clone(&schema), settings, shape).unwrap();
            written.iter().try_for_each(|rows| groups.write(rows)).unwrap();
            let file = Bytes::from(groups.finish().unwrap().sink);
            let read = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            let read = read.map(Result::unwrap).collect::<Vec<_>>();
            assert_eq!(concat_batches(&schema, &read).unwrap(), concat_batches(&schema, &written).unwrap());
        }
    }

    #[test]
    fn columns_side_by_side_make_the_bytes_of_columns_together() {
        let columns = (0_i64..7).map(|seed| {
            let values = (0_i64..).map(|row| (row % 9 > 0).then_some(row * (seed + 1) % 1_009));
            let values = values.take(ROW_GROUP_ROWS + 1_000);
            (format!("c{seed}"), Arc::new(values.collect::<Int64Array>()) as ArrayRef, true)
        });
        let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let batches = (0..rows.num_rows()).step_by(8_192).map(|at| rows.slice(at, 8_192.min(rows.num_rows() - at)));
        let settings =
            || properties(&rows.schema(), Shape::of(&rows)).unwrap().set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        let mut together = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(settings().build())).unwrap();
        let shape = Shape::of(&rows);
        let mut groups = RowGroups::new(Vec::new(), rows.schema(), settings().build(), shape).unwrap();
        for batch in batches {
            together.write(&batch).unwrap();
            groups.write(&batch).unwrap();
        }
        assert!(groups.finish().unwrap().sink == together.into_inner().unwrap(), "the files differ");
    }

    #[test]
    fn a_row_group_of_long_rows_ends_at_its_size() {
        let long: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(1 << 20); 4]));
        let rows = RecordBatch::try_from_iter([("long", long)]).unwrap();
        let shape = Shape::of(&rows);
        assert!(shape.is_one_by_one && shape.is_plain, "{shape:?}");
        // Rows may become long after the sample.
        let side_by_side = Shape { is_one_by_one: false, is_plain: false };
        let mut groups = RowGroups::new(Vec::new(), rows.schema(), WriterProperties::default(), side_by_side).unwrap();
        (0..LONG_GROUP_BYTES / memory(&rows) + 2).for_each(|_| groups.write(&rows).unwrap());
        let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(groups.finish().unwrap().sink)).unwrap();
        assert_eq!(file.metadata().num_row_groups(), 2);
    }

    #[test]
    fn a_row_group_of_one_column_after_another_ends_at_its_size() {
        let rows = rows(100, 1);
        let shape = Shape::of(&rows);
        let mut groups = RowGroups::new(Vec::new(), rows.schema(), WriterProperties::default(), shape).unwrap();
        let count = GROUP_BYTES / memory(&rows) + 2;
        (0..count).try_for_each(|_| groups.write(&rows)).unwrap();
        let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(groups.finish().unwrap().sink)).unwrap();
        assert_eq!(file.metadata().num_row_groups(), 2);
    }
}

//! The Parquet encoder.

use super::{
    EncodeError, EncodedFile, FileEncoder, column_encoding,
    row_groups::{Finished, GROUP_BYTES, Held, RowGroups, Shape, is_one_by_one},
};
use crate::{
    Dataset, EventBatch, Month, ParquetRanges, RowGroup, Schema, TimeSpan,
    decode::parquet::RowGroupTimes,
    digest::{ByteRange, DigestWriter},
    manifest::FORMAT,
};
use arrow_array::RecordBatch;
use parquet::{
    arrow::ArrowSchemaConverter,
    basic::{Compression, Encoding, Type, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::{KeyValue, RowGroupMetaData},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion},
    },
};
use std::{io::Write, sync::Arc};

/// The sample from which the encodings are chosen ends at this many bytes when events are large.
const SAMPLE_BYTES: usize = 24 * 1024 * 1024;

/// The settings of every file with columns of `schema`.
///
/// Floating-point columns have no statistics. The bounds that the library writes leave NaN out, and readers that sort
/// NaN after all numbers would skip it: a comparison with a number above the maximum would not find it.
pub(super) fn properties(schema: &arrow_schema::Schema, shape: Shape) -> Result<WriterPropertiesBuilder, ParquetError> {
    let mut properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    if shape.is_plain {
        properties = properties.set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
    }
    let leaves = ArrowSchemaConverter::new().convert(schema)?;
    let floats = leaves.columns().iter().filter(|leaf| matches!(leaf.physical_type(), Type::FLOAT | Type::DOUBLE));
    Ok(floats.fold(properties, |properties, leaf| {
        properties.set_column_statistics_enabled(leaf.path().clone(), EnabledStatistics::None)
    }))
}

/// The key-value metadata of every archived Parquet file, which identifies files that were copied out of an archive.
#[derive(Clone, Debug)]
pub struct Label {
    /// The archive's UUID.
    pub archive: String,
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
}

/// Writes a Parquet file with zstd, an encoding chosen for each column, statistics and a page index.
#[derive(Debug)]
pub struct ParquetEncoder<W: Write + Send> {
    label: Label,
    state: State<W>,
    sample_bytes: usize,
    floats: Encoding,
    rows: u64,
    span: TimeSpan,
}

#[derive(Debug)]
enum State<W: Write + Send> {
    /// Events are held until there are enough to choose the encodings.
    Sampling {
        sink: W,
        held: Held,
        /// The schema of the first batch.
        schema: Option<Arc<Schema>>,
    },
    Writing {
        groups: Box<RowGroups<DigestWriter<W>>>,
        schema: Arc<Schema>,
    },
    /// After an error.
    Broken,
}

impl<W: Write + Send> ParquetEncoder<W> {
    /// An encoder that writes to `sink`. The file should end at about `target` bytes, so the sample, which
    /// [`FileEncoder::bytes_written`] does not count, has at most that many.
    pub fn new(sink: W, label: Label, target: u64) -> Self {
        let state = State::Sampling { sink, held: Held::default(), schema: None };
        let sample_bytes = usize::try_from(target).map_or(SAMPLE_BYTES, |target| target.min(SAMPLE_BYTES));
        let floats = Encoding::BYTE_STREAM_SPLIT;
        Self { label, state, sample_bytes, floats, rows: 0, span: TimeSpan::default() }
    }

    /// The same encoder without `BYTE_STREAM_SPLIT`, which Spark up to 4.0 does not read.
    #[must_use]
    pub fn with_plain_floats(self) -> Self {
        Self { floats: Encoding::PLAIN, ..self }
    }

    /// Chooses the encodings and writes the sample.
    fn start(&mut self) -> Result<&mut RowGroups<DigestWriter<W>>, EncodeError> {
        if let State::Sampling { .. } = self.state
            && let State::Sampling { sink, held, schema } = std::mem::replace(&mut self.state, State::Broken)
        {
            // As one batch, so that the pages do not depend on the batches of the source.
            let (Some(schema), Some(sample)) = (schema, held.merge()?) else { return Err(EncodeError::Empty) };
            let shape = Shape::of(&sample);
            let properties = self.properties(&schema, &sample, shape)?;
            let groups = RowGroups::new(DigestWriter::new(sink), sample.schema(), properties, shape)?;
            let mut groups = Box::new(groups);
            groups.write(&sample)?;
            self.state = State::Writing { groups, schema };
        }
        match &mut self.state {
            State::Writing { groups, .. } => Ok(groups),
            State::Sampling { .. } | State::Broken => Err(EncodeError::Broken),
        }
    }

    fn properties(
        &self,
        schema: &Schema,
        sample: &RecordBatch,
        shape: Shape,
    ) -> Result<WriterProperties, ParquetError> {
        let Label { archive, dataset, month } = &self.label;
        let label = [
            ("keeptrusts.format", FORMAT.to_owned()),
            ("keeptrusts.archive", archive.clone()),
            ("keeptrusts.dataset", dataset.to_string()),
            ("keeptrusts.month", month.to_string()),
            ("keeptrusts.schema_sha256", schema.sha256().to_string()),
        ];
        let label = label.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
        let properties = properties(sample.schema_ref(), shape)?
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_key_value_metadata(Some(label));
        let properties =
            if shape.is_plain { properties } else { column_encoding::choose(sample, self.floats, properties) };
        Ok(properties.build())
    }
}

impl<W: Write + Send> FileEncoder for ParquetEncoder<W> {
    fn write(&mut self, batch: &EventBatch) -> Result<(), EncodeError> {
        self.span.extend(batch);
        self.rows += batch.len() as u64;
        if let State::Sampling { held, schema, .. } = &mut self.state {
            schema.get_or_insert_with(|| Arc::clone(batch.schema()));
            held.push(batch.records().clone())?;
            let is_one_by_one = is_one_by_one(batch.records().schema_ref());
            let sample_bytes = if is_one_by_one { self.sample_bytes.min(GROUP_BYTES) } else { self.sample_bytes };
            if held.rows >= column_encoding::SAMPLE_ROWS || held.bytes >= sample_bytes {
                self.start()?;
            }
            return Ok(());
        }
        self.start()?.write(batch.records())
    }

    fn bytes_written(&self) -> u64 {
        match &self.state {
            State::Writing { groups, .. } => groups.bytes() as u64,
            State::Sampling { .. } | State::Broken => 0,
        }
    }

    fn finish(mut self: Box<Self>) -> Result<EncodedFile, EncodeError> {
        self.start()?;
        let State::Writing { groups, schema } = self.state else { return Err(EncodeError::Broken) };
        let Finished { sink, groups, footer } = groups.finish()?;
        let (mut sink, bytes, sha256) = sink.finish();
        sink.flush()?;
        let groups = groups.iter().map(|(group, range)| row_group(group, *range, schema.time()));
        let groups = groups.collect::<Option<Vec<_>>>().ok_or(EncodeError::Ranges)?;
        let ranges = Some(ParquetRanges::new(groups, footer, bytes).map_err(|_| EncodeError::Ranges)?);
        Ok(EncodedFile { rows: self.rows, bytes, sha256, first: self.span.first(), last: self.span.last(), ranges })
    }
}

/// The manifest's entry of a row group; `None` if the library wrote no statistics of its times.
fn row_group(group: &RowGroupMetaData, range: ByteRange, time: &str) -> Option<RowGroup> {
    let RowGroupTimes { rows, first, last } = RowGroupTimes::new(group, time);
    let ByteRange { offset, bytes, sha256 } = range;
    Some(RowGroup { offset, bytes, rows, first: first?, last: last?, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Column, ColumnType, Sha256,
        catalogue::{KeyColumns, text_schema},
        decode::parquet::{ParquetEvents, ReadError},
    };
    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow_select::concat::concat_batches;
    use bytes::Bytes;
    use parquet::file::{
        metadata::ColumnChunkMetaData,
        reader::{FileReader as _, SerializedFileReader},
    };
    use std::sync::Mutex;

    /// A sink that the test can look into after the encoder took it.
    #[derive(Clone, Debug, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn schema() -> Arc<Schema> {
        Arc::new(text_schema(&["id", "timestamp", "note"], &KeyColumns::default()).unwrap())
    }

    fn batch(rows: std::ops::Range<i64>) -> EventBatch {
        let ids = StringArray::from_iter_values(rows.clone().map(|row| format!("evt_{row}")));
        let times = TimestampMicrosecondArray::from_iter_values(rows.clone()).with_timezone("UTC");
        let notes = rows.map(|row| (row % 3 > 0).then(|| "é".repeat(usize::try_from(row % 3).unwrap())));
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), Arc::new(notes.collect::<StringArray>())];
        EventBatch::try_new(schema(), RecordBatch::try_new(schema().to_arrow(), columns).unwrap()).unwrap()
    }

    fn label() -> Label {
        Label { archive: "a".to_owned(), dataset: "events".parse().unwrap(), month: "2025-03".parse().unwrap() }
    }

    fn encode(batches: &[EventBatch]) -> (EncodedFile, Vec<u8>) {
        let sink = Shared::default();
        let mut encoder = Box::new(ParquetEncoder::new(sink.clone(), label(), u64::MAX));
        for batch in batches {
            encoder.write(batch).unwrap();
        }
        let file = encoder.finish().unwrap();
        let bytes = sink.0.lock().unwrap().clone();
        (file, bytes)
    }

    #[test]
    fn events_round_trip() {
        let batches = [batch(0..15_000), batch(15_000..30_000)];
        let (file, bytes) = encode(&batches);
        assert_eq!((file.rows, file.bytes, file.sha256), (30_000, bytes.len() as u64, Sha256::digest(&bytes)));
        assert_eq!(file.last.unwrap().as_micros(), 29_999);
        let read = ParquetEvents::open(Bytes::from(bytes), schema()).unwrap().map(Result::unwrap);
        let read =
            concat_batches(&schema().to_arrow(), read.map(|batch| batch.records().clone()).collect::<Vec<_>>().iter());
        let written = concat_batches(&schema().to_arrow(), batches.iter().map(EventBatch::records));
        assert_eq!(read.unwrap(), written.unwrap());
    }

    /// A table with more columns than are written together.
    fn wide(rows: std::ops::Range<i64>) -> EventBatch {
        let numbers = (0..80).map(|number| format!("c{number}"));
        let names = ["id".to_owned(), "timestamp".to_owned()].into_iter().chain(numbers).collect::<Vec<_>>();
        let schema = text_schema(&names.iter().map(String::as_str).collect::<Vec<_>>(), &KeyColumns::default());
        let schema = Arc::new(schema.unwrap());
        let batch = batch(rows);
        let (id, time, note) = (batch.records().column(0), batch.records().column(1), batch.records().column(2));
        let columns = [id, time].into_iter().chain(std::iter::repeat_n(note, 80)).map(Arc::clone).collect();
        EventBatch::try_new(Arc::clone(&schema), RecordBatch::try_new(schema.to_arrow(), columns).unwrap()).unwrap()
    }

    #[test]
    fn every_row_group_has_its_range_and_digest() {
        for batches in [
            &[batch(0..15_000), batch(15_000..130_000), batch(130_000..250_000)][..],
            &[wide(0..20_000), wide(20_000..40_000)],
        ] {
            let (file, bytes) = encode(batches);
            let ranges = file.ranges.unwrap();
            let metadata = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap().metadata().clone();
            assert!(metadata.num_row_groups() > 1);
            assert_eq!(ranges.row_groups().len(), metadata.num_row_groups());
            assert_eq!(ranges.counts(), (file.rows, file.first, file.last));
            let mut rows = 0;
            for (group, written) in ranges.row_groups().iter().zip(metadata.row_groups()) {
                let columns = written.columns().iter().map(ColumnChunkMetaData::byte_range);
                let columns = columns.map(|(start, bytes)| (start, start + bytes)).collect::<Vec<_>>();
                let end = columns.iter().map(|(_, end)| *end).max();
                assert_eq!(
                    (Some(group.offset), Some(group.offset + group.bytes)),
                    (columns.iter().map(|(start, _)| *start).min(), end)
                );
                assert_eq!((group.first.as_micros(), group.rows), (rows, written.num_rows().unsigned_abs()));
                rows += written.num_rows();
                assert_eq!(group.last.as_micros(), rows - 1);
            }
            for range in ranges.row_groups().iter().map(RowGroup::range).chain([ranges.footer()]) {
                let [start, end] = [range.offset, range.offset + range.bytes].map(|at| usize::try_from(at).unwrap());
                assert_eq!(Sha256::digest(&bytes[start..end]), range.sha256);
            }
        }
    }

    #[test]
    fn the_same_events_make_the_same_bytes() {
        assert_eq!(encode(&[batch(0..30_000)]).1, encode(&[batch(0..30_000)]).1);
    }

    /// The encodings of the values of a column of unique floats.
    fn float_encodings(change: fn(ParquetEncoder<Shared>) -> ParquetEncoder<Shared>) -> Vec<Encoding> {
        let column =
            |name: &str, kind: ColumnType| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns = vec![
            column("id", ColumnType::Int64),
            column("time", ColumnType::TimestampUtc),
            column("float", ColumnType::Float64),
        ];
        let schema = Arc::new(Schema::new(columns, "id", "time").unwrap());
        let times = TimestampMicrosecondArray::from_iter_values(0..1_000).with_timezone("UTC");
        let floats = Float64Array::from_iter_values((0..1_000).map(f64::from));
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from_iter_values(0..1_000)), Arc::new(times), Arc::new(floats)];
        let batch = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        let sink = Shared::default();
        let mut encoder = Box::new(change(ParquetEncoder::new(sink.clone(), label(), u64::MAX)));
        encoder.write(&EventBatch::try_new(schema, batch).unwrap()).unwrap();
        encoder.finish().unwrap();
        let bytes = Bytes::from(sink.0.lock().unwrap().clone());
        let file = SerializedFileReader::new(bytes).unwrap();
        file.metadata().row_group(0).column(2).encodings().collect()
    }

    #[test]
    fn floats_are_plain_if_asked_for() {
        let usual = float_encodings(|encoder| encoder);
        assert!(usual.contains(&Encoding::BYTE_STREAM_SPLIT), "{usual:?}");
        let plain = float_encodings(ParquetEncoder::with_plain_floats);
        assert!(plain.contains(&Encoding::PLAIN) && !plain.contains(&Encoding::BYTE_STREAM_SPLIT), "{plain:?}");
    }

    #[test]
    fn refuses_a_truncated_file() {
        let (_, mut bytes) = encode(&[batch(0..1_000)]);
        bytes.truncate(bytes.len() - 1);
        assert!(matches!(ParquetEvents::open(Bytes::from(bytes), schema()), Err(ReadError::Parquet(_))));
    }

    #[test]
    fn refuses_a_file_with_other_columns() {
        let other = Arc::new(text_schema(&["id", "timestamp"], &KeyColumns::default()).unwrap());
        assert!(matches!(ParquetEvents::open(Bytes::from(encode(&[batch(0..9)]).1), other), Err(ReadError::Schema(_))));
    }
}

//! Events out of a Parquet file of an archive.

use crate::{EventBatch, Schema, batch::SchemaMismatch};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
    file::reader::ChunkReader,
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

/// Events of a batch.
const BATCH_ROWS: usize = 8_192;

/// Why a file cannot be read as what its manifest says it is.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is no Parquet file, or is damaged.
    #[error("could not read Parquet")]
    Parquet(#[from] ParquetError),
    /// A page is damaged.
    #[error("could not decode a page")]
    Page(#[from] ArrowError),
    /// The decoder gave up on bytes that no writer made.
    #[error("the bytes are no Parquet that a writer makes")]
    Nonsense,
    /// Its columns are not those of the manifest.
    #[error("other columns than the manifest names")]
    Schema(#[from] SchemaMismatch),
}

/// The events of a file, batch by batch, in the order in which they were written. Every page is decoded.
#[derive(Debug)]
pub struct ParquetEvents {
    schema: Arc<Schema>,
    /// None once the decoder gave up.
    batches: Option<ParquetRecordBatchReader>,
}

impl ParquetEvents {
    /// Reads the footer of `file`, which must have the columns of `schema`.
    pub fn open(file: impl ChunkReader + 'static, schema: Arc<Schema>) -> Result<Self, ReadError> {
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file))??;
        if builder.schema().fields() != schema.to_arrow().fields() {
            return Err(SchemaMismatch::Columns.into());
        }
        let batches = guarded(|| builder.with_batch_size(BATCH_ROWS).build())??;
        Ok(Self { schema, batches: Some(batches) })
    }

    fn batch(&self, records: RecordBatch) -> Result<EventBatch, ReadError> {
        // The schema of a file carries the file's metadata; the events' schema has none.
        let records = records.with_schema(self.schema.to_arrow())?;
        Ok(EventBatch::try_new(Arc::clone(&self.schema), records)?)
    }
}

impl Iterator for ParquetEvents {
    type Item = Result<EventBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batches = self.batches.take()?;
        let records = match guarded(|| batches.next()) {
            Ok(records) => records?,
            Err(error) => return Some(Err(error)),
        };
        self.batches = Some(batches);
        Some(records.map_err(ReadError::from).and_then(|records| self.batch(records)))
    }
}

/// The decoder trusts the counts and offsets of a file, and some that no writer makes are beyond it. That must not end a
/// verification, which looks at such files on purpose.
fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, ReadError> {
    panic::catch_unwind(AssertUnwindSafe(decode)).map_err(|_| ReadError::Nonsense)
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
    use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// A Parquet file with these events.
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

    /// A file with every encoding that a column of an artifact gets.
    static FILE: LazyLock<Bytes> = LazyLock::new(|| {
        let ids = StringArray::from_iter_values((0..500).map(|row| format!("evt_{row}")));
        let times = TimestampMicrosecondArray::from_iter_values(0..500).with_timezone("UTC");
        let models = (0..500).map(|row| (row % 5 > 0).then(|| format!("model-{}", row % 5))).collect::<StringArray>();
        let tokens = (0..500).map(|row| (row % 7 > 0).then_some(row * 31)).collect::<Int64Array>();
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), Arc::new(models), Arc::new(tokens)];
        let records = RecordBatch::try_new(schema().to_arrow(), columns).unwrap();
        encoded(&[EventBatch::try_new(schema(), records).unwrap()])
    });

    /// Reads all that can be read.
    fn read(bytes: Bytes) -> Result<usize, ReadError> {
        ParquetEvents::open(bytes, schema())?.map(|batch| Ok(batch?.len())).sum()
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            near_the_end: bool,
        ) {
            let mut bytes = FILE.to_vec();
            // Half of the damage is done to the footer, which says where everything is.
            let start = if near_the_end { bytes.len() / 2 } else { 0 };
            for (index, byte) in changes {
                let length = bytes.len() - start;
                bytes[start + index.index(length)] = byte;
            }
            drop(read(bytes.into()));
        }

        #[test]
        fn bytes_that_nobody_wrote_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(read(bytes.clone().into()).is_err());
            let framed = [b"PAR1", bytes.as_slice(), &u32::try_from(bytes.len()).unwrap().to_le_bytes(), b"PAR1"];
            prop_assert!(read(framed.concat().into()).is_err());
        }
    }

    #[test]
    fn an_undamaged_file_is_read_whole() {
        assert_eq!(read(FILE.clone()).unwrap(), 500);
    }
}

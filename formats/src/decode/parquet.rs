//! Events out of a Parquet file of an archive.

use crate::{EventBatch, Schema, batch::SchemaMismatch};
use arrow_schema::ArrowError;
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
    file::reader::ChunkReader,
};
use std::sync::Arc;

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
    /// Its columns are not those of the manifest.
    #[error("other columns than the manifest names")]
    Schema(#[from] SchemaMismatch),
}

/// The events of a file, batch by batch, in the order in which they were written. Every page is decoded.
#[derive(Debug)]
pub struct ParquetEvents {
    schema: Arc<Schema>,
    batches: ParquetRecordBatchReader,
}

impl ParquetEvents {
    /// Reads the footer of `file`, which must have the columns of `schema`.
    pub fn open(file: impl ChunkReader + 'static, schema: Arc<Schema>) -> Result<Self, ReadError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        if builder.schema().fields() != schema.to_arrow().fields() {
            return Err(SchemaMismatch::Columns.into());
        }
        Ok(Self { schema, batches: builder.with_batch_size(BATCH_ROWS).build()? })
    }
}

impl Iterator for ParquetEvents {
    type Item = Result<EventBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.batches.next()? {
            // The schema of a file carries the file's metadata; the events' schema has none.
            Ok(records) => records.with_schema(self.schema.to_arrow()),
            Err(error) => Err(error),
        };
        Some(
            batch
                .map_err(ReadError::from)
                .and_then(|records| Ok(EventBatch::try_new(Arc::clone(&self.schema), records)?)),
        )
    }
}

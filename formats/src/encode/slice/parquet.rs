//! Slices as Parquet.

use super::{EncodedSlice, SliceEncoder};
use crate::{
    Column,
    digest::DigestWriter,
    encode::{
        EncodeError,
        parquet::{ROW_GROUP_BYTES, ROW_GROUP_ROWS},
    },
    schema::arrow_columns,
};
use arrow_array::RecordBatch;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use std::{fmt::Debug, io::Write};

/// The columns with their types, compressed with zstd.
#[derive(Debug)]
pub(super) struct ParquetSlice<W: Write + Send> {
    writer: ArrowWriter<DigestWriter<W>>,
    rows: u64,
}

impl<W: Write + Send> ParquetSlice<W> {
    pub(super) fn new(sink: W, columns: &[Column]) -> Result<Self, EncodeError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(DigestWriter::new(sink), arrow_columns(columns), Some(properties))?;
        Ok(Self { writer, rows: 0 })
    }
}

impl<W: Write + Send + Debug> SliceEncoder for ParquetSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        self.rows += rows.num_rows() as u64;
        Ok(self.writer.write(rows)?)
    }

    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError> {
        // Writes the last row group and the footer.
        let (mut sink, bytes, sha256) = self.writer.into_inner()?.finish();
        sink.flush()?;
        Ok(EncodedSlice { rows: self.rows, bytes, sha256 })
    }
}

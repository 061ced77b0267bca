//! Gzipped CSV, as RFC 4180 has it, with line feeds as line ends.

mod calendar;
mod cell;
mod json;
mod number;
mod texts;

#[cfg(test)]
mod tests;

pub use texts::Texts;

use super::{EncodeError, EncodedFile, FileEncoder, TimeSpan, gzip::GzipWriter};
use crate::{EventBatch, Schema};
use cell::Cells;
use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

/// Text that is collected before it is compressed.
const BUFFER: usize = 128 << 10;

/// The byte-order mark, which readers take off a file's first bytes.
const BOM: &str = "\u{feff}";

/// Writes a header and one record per event. NULL is an empty field, and empty text is `""`.
pub struct CsvEncoder<W: Write> {
    gzip: GzipWriter<W>,
    /// Records that are not yet in `gzip`.
    buffer: Vec<u8>,
    /// The first batch's.
    schema: Option<Arc<Schema>>,
    rows: u64,
    span: TimeSpan,
}

impl<W: Write> CsvEncoder<W> {
    /// A file whose bytes go to `sink`. Without any batch it stays empty, for the columns are not known.
    pub fn new(sink: W) -> Self {
        let gzip = GzipWriter::new(sink);
        Self { gzip, buffer: Vec::with_capacity(BUFFER), schema: None, rows: 0, span: TimeSpan::default() }
    }

    fn write_header(&mut self, schema: &Arc<Schema>) -> Result<(), EncodeError> {
        match &self.schema {
            Some(ours) if Arc::ptr_eq(ours, schema) || ours == schema => return Ok(()),
            Some(_) => return Err(EncodeError::OtherSchema),
            None => self.schema = Some(Arc::clone(schema)),
        }
        for (index, column) in schema.columns.iter().enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            if column.name.starts_with(BOM) {
                cell::write_quoted(column.name.as_bytes(), &mut self.buffer);
            } else {
                cell::write_text(column.name.as_bytes(), &mut self.buffer);
            }
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn compress_buffer(&mut self) -> io::Result<()> {
        self.gzip.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write + Send> FileEncoder for CsvEncoder<W> {
    fn write(&mut self, batch: &EventBatch) -> Result<(), EncodeError> {
        self.write_header(batch.schema())?;
        let columns = batch.schema().columns.iter().zip(batch.records().columns());
        let columns = columns.map(|(column, array)| Cells::of_column(column, array)).collect::<Vec<_>>();
        for row in 0..batch.len() {
            for (index, cells) in columns.iter().enumerate() {
                if index > 0 {
                    self.buffer.push(b',');
                }
                cells.write_field(row, &mut self.buffer)?;
            }
            self.buffer.push(b'\n');
            if self.buffer.len() >= BUFFER {
                self.compress_buffer()?;
            }
        }
        self.rows += batch.len() as u64;
        self.span.extend(batch);
        Ok(())
    }

    fn bytes_written(&self) -> u64 {
        self.gzip.bytes()
    }

    fn finish(mut self: Box<Self>) -> Result<EncodedFile, EncodeError> {
        self.compress_buffer()?;
        let Self { gzip, rows, span, .. } = *self;
        let (bytes, sha256) = gzip.finish()?;
        Ok(EncodedFile { rows, bytes, sha256, first: span.first(), last: span.last() })
    }
}

impl<W: Write> fmt::Debug for CsvEncoder<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CsvEncoder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

//! Gzipped CSV, as RFC 4180 has it, with line feeds as line ends.

mod field;
mod safe;

#[cfg(test)]
mod tests;

use super::{EncodeError, EncodedFile, FileEncoder, TimeSpan, text::Cells, text_file::TextFile};
use crate::{Column, EventBatch, Schema};
pub(crate) use field::{is_plain, write_text};
pub(super) use safe::{write_safe_field, write_safe_text};
use std::{fmt, io::Write, sync::Arc};

/// The byte-order mark, which readers take off a file's first bytes.
const BOM: &str = "\u{feff}";

/// Writes a header and one record per event. NULL is an empty field, and empty text is `""`.
pub struct CsvEncoder<W: Write> {
    file: TextFile<W>,
    /// The first batch's.
    schema: Option<Arc<Schema>>,
    rows: u64,
    span: TimeSpan,
}

impl<W: Write> CsvEncoder<W> {
    /// A file whose bytes go to `sink`. Without any batch it stays empty, for the columns are not known.
    pub fn new(sink: W) -> Self {
        Self { file: TextFile::gzipped(sink), schema: None, rows: 0, span: TimeSpan::default() }
    }

    fn write_header(&mut self, schema: &Arc<Schema>) -> Result<(), EncodeError> {
        match &self.schema {
            Some(ours) if Arc::ptr_eq(ours, schema) || ours == schema => return Ok(()),
            Some(_) => return Err(EncodeError::OtherSchema),
            None => self.schema = Some(Arc::clone(schema)),
        }
        write_names(&schema.columns, self.file.buffer(), write_text);
        Ok(self.file.end_line()?)
    }
}

impl<W: Write + Send> FileEncoder for CsvEncoder<W> {
    fn write(&mut self, batch: &EventBatch) -> Result<(), EncodeError> {
        self.write_header(batch.schema())?;
        let columns = batch.schema().columns.iter().zip(batch.records().columns());
        let columns = columns.map(|(column, array)| Cells::of_column(column, array)).collect::<Vec<_>>();
        for row in 0..batch.len() {
            let line = self.file.buffer();
            for (index, cells) in columns.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                cells.write_field(row, line)?;
            }
            self.file.end_line()?;
        }
        self.rows += batch.len() as u64;
        self.span.extend(batch);
        Ok(())
    }

    fn bytes_written(&self) -> u64 {
        self.file.bytes()
    }

    fn finish(self: Box<Self>) -> Result<EncodedFile, EncodeError> {
        let Self { file, rows, span, .. } = *self;
        let (bytes, sha256) = file.finish()?;
        Ok(EncodedFile { rows, bytes, sha256, first: span.first(), last: span.last() })
    }
}

/// The header, without its line end; `write` makes a field of each name.
pub(crate) fn write_names(columns: &[Column], line: &mut Vec<u8>, write: fn(&[u8], &mut Vec<u8>)) {
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        if column.name.starts_with(BOM) {
            field::write_quoted(column.name.as_bytes(), line);
        } else {
            write(column.name.as_bytes(), line);
        }
    }
}

impl<W: Write> fmt::Debug for CsvEncoder<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CsvEncoder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

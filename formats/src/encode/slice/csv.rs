//! Slices as CSV.

use super::{EncodedSlice, SliceEncoder, SliceStyle};
use crate::{
    Column,
    encode::{
        EncodeError,
        csv::{write_names, write_safe_field, write_safe_text, write_text},
        text::Cells,
        text_file::TextFile,
    },
};
use arrow_array::RecordBatch;
use std::{
    fmt::Debug,
    io::{self, Write},
};

/// A header, and one record per row.
#[derive(Debug)]
pub(super) struct CsvSlice<W: Write> {
    file: TextFile<W>,
    columns: Vec<Column>,
    safe: bool,
    rows: u64,
}

impl<W: Write> CsvSlice<W> {
    pub(super) fn new(sink: W, columns: Vec<Column>, style: SliceStyle) -> io::Result<Self> {
        let mut file = if style.gzip { TextFile::gzipped(sink) } else { TextFile::plain(sink) };
        write_names(&columns, file.buffer(), if style.csv_safe { write_safe_text } else { write_text });
        file.end_line()?;
        Ok(Self { file, columns, safe: style.csv_safe, rows: 0 })
    }
}

impl<W: Write + Send + Debug> SliceEncoder for CsvSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        let columns = self.columns.iter().zip(rows.columns());
        let columns = columns.map(|(column, array)| Cells::of_column(column, array)).collect::<Vec<_>>();
        for row in 0..rows.num_rows() {
            let line = self.file.buffer();
            for (index, cells) in columns.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                if self.safe { write_safe_field(cells, row, line)? } else { cells.write_field(row, line)? }
            }
            self.file.end_line()?;
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError> {
        let (bytes, sha256) = self.file.finish()?;
        Ok(EncodedSlice { rows: self.rows, bytes, sha256 })
    }
}

//! Slices as JSON lines.

use super::{EncodedSlice, SliceEncoder};
use crate::{
    Column, ColumnType,
    encode::{EncodeError, text::Cells, text_file::TextFile},
};
use arrow_array::RecordBatch;
use std::{
    fmt::Debug,
    io::{self, Write},
};

/// An object per row, with its keys in the order of the columns.
#[derive(Debug)]
pub(super) struct JsonlSlice<W: Write> {
    file: TextFile<W>,
    columns: Vec<(Column, Key)>,
    rows: u64,
}

#[derive(Debug)]
struct Key {
    /// The name as JSON, and the colon behind it.
    text: Vec<u8>,
    /// Whether values may be documents that somebody else printed.
    holds_json: bool,
}

impl<W: Write> JsonlSlice<W> {
    pub(super) fn new(sink: W, columns: Vec<Column>, gzip: bool) -> io::Result<Self> {
        let file = if gzip { TextFile::gzipped(sink) } else { TextFile::plain(sink) };
        let columns = columns.into_iter().map(|column| {
            let mut text = serde_json::to_vec(&column.name)?;
            text.push(b':');
            let key = Key { text, holds_json: holds_json(&column.kind) };
            Ok((column, key))
        });
        Ok(Self { file, columns: columns.collect::<io::Result<_>>()?, rows: 0 })
    }
}

impl<W: Write + Send + Debug> SliceEncoder for JsonlSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        let columns = self.columns.iter().zip(rows.columns());
        let columns = columns.map(|((column, key), array)| (key, Cells::of_column(column, array)));
        let columns = columns.collect::<Vec<_>>();
        for row in 0..rows.num_rows() {
            let line = self.file.buffer();
            let mut separator = b'{';
            for (key, cells) in &columns {
                line.push(separator);
                separator = b',';
                line.extend_from_slice(&key.text);
                let start = line.len();
                cells.write_json(row, line)?;
                if key.holds_json {
                    onto_one_line(&mut line[start..]);
                }
            }
            line.push(b'}');
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

fn holds_json(kind: &ColumnType) -> bool {
    match kind {
        ColumnType::Json => true,
        ColumnType::List(element) => holds_json(element),
        _ => false,
    }
}

/// A document that was printed over several lines would end the line of its object. In JSON, a line end is never part
/// of a value, so a blank in its place changes nothing.
fn onto_one_line(json: &mut [u8]) {
    for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

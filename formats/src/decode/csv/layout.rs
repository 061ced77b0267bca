//! What a header says about the rows under it.

use super::{
    CsvError, header,
    rows::{Rows, Utf8},
};
use crate::{
    Schema,
    catalogue::{KeyColumns, text_schema},
    decode::{Decoded, columns::Columns},
};
use std::sync::Arc;

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded in parallel.
#[derive(Debug)]
pub struct CsvLayout {
    columns: Columns,
}

impl CsvLayout {
    /// Reads the header at the start of the first chunk. Also returns how many bytes it took, a byte-order mark and the
    /// line end included; the rows begin after them.
    pub fn from_header(chunk: &[u8], keys: &KeyColumns) -> Result<(Self, usize), CsvError> {
        let (names, bytes) = header::read(chunk)?;
        let schema = text_schema(&names, keys)?;
        if schema.id == schema.time {
            return Err(CsvError::OneKey(schema.id));
        }
        let columns =
            Columns::new(schema).map_err(|column| CsvError::UnreadableType { name: column.name, kind: column.kind })?;
        Ok((Self { columns }, bytes))
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Decodes a chunk of whole records, without the header.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        // Text is nearly always UTF-8, and checking it by the column is much cheaper than by the value. When the
        // check fails, the chunk is read again and every row looked at.
        self.decode_with(chunk, Utf8::ByColumn)
            .or_else(|| self.decode_with(chunk, Utf8::ByRow))
            .unwrap_or_else(|| unreachable!("rows that were checked to be UTF-8 make columns that are UTF-8"))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8) -> Option<Decoded> {
        let rows = Rows::read(chunk, self.schema(), self.columns.builders(), utf8);
        let Rows { columns, good, rejects, line_feeds, .. } = rows;
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }
}

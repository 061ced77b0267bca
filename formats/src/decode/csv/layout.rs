//! What a header says about the rows under it.

use super::{CsvError, header, rows::Rows};
use crate::{
    Schema,
    catalogue::{KeyColumns, text_schema},
    decode::{
        Decoded,
        column::ColumnBuilder,
        columns::Columns,
        utf8::{Utf8, checked},
    },
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
        Ok((Self::new(text_schema(&names, keys)?)?, bytes))
    }

    fn new(schema: Schema) -> Result<Self, CsvError> {
        if schema.id() == schema.time() {
            return Err(CsvError::OneKey(schema.id().to_owned()));
        }
        Ok(Self { columns: Columns::new(Arc::new(schema)) })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Decodes a chunk of whole records, without the header.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8) -> Option<Decoded> {
        let builders = self.columns.builders(|column, missing| ColumnBuilder::new(&column.kind, missing));
        let rows = Rows::read(chunk, self.schema(), builders, utf8);
        let Rows { columns, good, rejects, line_feeds, .. } = rows;
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }
}

//! What a header says about the rows under it.

use super::{CsvError, header, rows::Rows};
use crate::{
    Column, ColumnType, Schema,
    catalogue::{HeaderError, KeyColumns, text_schema},
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

    /// Reads the header of a file of an archive, whose manifest says that it has the columns of `archived`. Values are
    /// read as their types, and those of types that no artifact has as the texts that they are.
    pub fn of_archived(chunk: &[u8], archived: &Schema) -> Result<(Self, usize), CsvError> {
        let (names, bytes) = header::read(chunk)?;
        if !archived.columns.iter().map(|column| &column.name).eq(&names) {
            return Err(CsvError::OtherColumns);
        }
        let columns = archived.columns.iter().map(|column| {
            let kind = match &column.kind {
                _ if column.name == archived.id => ColumnType::Text,
                _ if column.name == archived.time => ColumnType::TimestampUtc,
                kind if ColumnBuilder::reads(kind) => kind.clone(),
                _ => ColumnType::Text,
            };
            // Whether the file keeps to it shows only when it is read.
            let nullable = column.name != archived.id && column.name != archived.time;
            Column { kind, nullable, ..column.clone() }
        });
        let schema = Schema::new(columns.collect(), &archived.id, &archived.time).map_err(HeaderError::from)?;
        Ok((Self::new(schema)?, bytes))
    }

    fn new(schema: Schema) -> Result<Self, CsvError> {
        if schema.id == schema.time {
            return Err(CsvError::OneKey(schema.id));
        }
        let columns =
            Columns::new(schema).map_err(|column| CsvError::UnreadableType { name: column.name, kind: column.kind })?;
        Ok(Self { columns })
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
        let rows = Rows::read(chunk, self.schema(), self.columns.builders(), utf8);
        let Rows { columns, good, rejects, line_feeds, .. } = rows;
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }
}

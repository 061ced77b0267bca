//! What a header says about the rows under it.

use super::{
    CsvError,
    column::ColumnBuilder,
    fault::Fault,
    header,
    rows::{Rows, Utf8},
};
use crate::{
    Column, ColumnType, EventBatch, Schema,
    catalogue::{HeaderError, KeyColumns, text_schema},
    decode::Decoded,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use std::sync::Arc;

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded in parallel.
#[derive(Debug)]
pub struct CsvLayout {
    schema: Arc<Schema>,
    arrow: SchemaRef,
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
    pub fn from_archived(chunk: &[u8], archived: &Schema) -> Result<(Self, usize), CsvError> {
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
        let layout = Self { arrow: schema.to_arrow(), schema: Arc::new(schema) };
        layout.columns()?;
        Ok(layout)
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
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
        let columns = self.columns().unwrap_or_else(|_| unreachable!("the same columns were made with the header"));
        let Rows { columns, good, rejects, line_feeds, .. } = Rows::read(chunk, &self.schema, columns, utf8);
        let rows = good as u64 + rejects.len() as u64;
        let arrays = columns.into_iter().map(ColumnBuilder::finish).collect::<Option<Vec<_>>>()?;
        let batch = (good > 0).then(|| self.batch(arrays));
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }

    fn batch(&self, arrays: Vec<ArrayRef>) -> EventBatch {
        let records = RecordBatch::try_new(Arc::clone(&self.arrow), arrays)
            .unwrap_or_else(|_| unreachable!("every column was built from its field and has one value per row"));
        EventBatch::try_new(Arc::clone(&self.schema), records)
            .unwrap_or_else(|_| unreachable!("rows without id or time are rejects, and the types are the schema's"))
    }

    fn columns(&self) -> Result<Vec<ColumnBuilder>, CsvError> {
        let (id, time) = (self.schema.id_index(), self.schema.time_index());
        let fields = self.arrow.fields().iter().zip(&self.schema.columns).enumerate();
        let builders = fields.map(|(index, (field, column))| {
            let missing = match index {
                _ if index == id => Some(Fault::NoId),
                _ if index == time => Some(Fault::NoTime),
                _ => None,
            };
            ColumnBuilder::new(&column.kind, field.data_type().clone(), missing)
                .ok_or_else(|| CsvError::UnreadableType { name: column.name.clone(), kind: column.kind.clone() })
        });
        builders.collect()
    }
}

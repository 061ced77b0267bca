//! What a header says about the rows under it.

use super::{
    CsvError,
    column::ColumnBuilder,
    fault::Fault,
    header,
    rows::{Rows, Utf8},
};
use crate::{
    EventBatch, Schema,
    catalogue::{KeyColumns, text_schema},
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
        let schema = text_schema(&names, keys)?;
        Ok((Self::new(schema)?, bytes))
    }

    /// Reads the header like [`Self::from_header`], which must be the one of a file of the archive with the columns of
    /// `schema`: they have its types, whatever their names say.
    pub fn of_archived(chunk: &[u8], schema: &Schema) -> Result<(Self, usize), CsvError> {
        let (names, bytes) = header::read(chunk)?;
        if !names.iter().eq(schema.columns.iter().map(|column| &column.name)) {
            return Err(CsvError::OtherColumns);
        }
        let mut schema = schema.clone();
        for column in &mut schema.columns {
            // An empty text reads as NULL.
            column.nullable = column.name != schema.id && column.name != schema.time;
        }
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

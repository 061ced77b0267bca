//! Decodes CSV files of an archive.

use super::{CsvError, records::Records, rows::RowDecoder};
use crate::{
    EventBatch, Reject, Schema,
    decode::{
        columns::{Columns, Utf8Check},
        row_error::RowErrorKind,
        typed::{Builders, TypedColumn},
    },
    encode::csv::{write_names, write_text},
};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// The columns of a CSV file of an archive. Only the bytes that [`CsvEncoder`](crate::encode::csv::CsvEncoder) writes are
/// accepted: encoding the decoded events again gives the same bytes.
#[derive(Debug)]
pub struct ArchivedLayout {
    columns: Columns,
}

impl ArchivedLayout {
    /// The layout of files with the columns of `archived`, the schema of the manifest.
    pub fn new(archived: &Arc<Schema>) -> Result<Self, CsvError> {
        EventBatch::try_new(Arc::clone(archived), RecordBatch::new_empty(archived.to_arrow()))?;
        Ok(Self { columns: Columns::new(Arc::clone(archived)) })
    }

    /// Checks the header at the start of the first chunk against `archived`, the schema of the manifest. Also returns the
    /// length of the header in bytes.
    pub fn from_header(chunk: &[u8], archived: &Arc<Schema>) -> Result<(Self, usize), CsvError> {
        let layout = Self::new(archived)?;
        let header = layout.header(chunk)?;
        Ok((layout, header))
    }

    /// The length of the header at the start of the first chunk, which must have the columns of the layout.
    pub fn header(&self, chunk: &[u8]) -> Result<usize, CsvError> {
        let mut header = Vec::new();
        write_names(self.columns.schema().columns(), &mut header, write_text);
        header.push(b'\n');
        if chunk.starts_with(&header) { Ok(header.len()) } else { Err(CsvError::OtherColumns) }
    }

    /// Decodes a chunk of whole records, without the header; `None` if it has none.
    pub fn decode(&self, chunk: &[u8]) -> Result<Option<EventBatch>, CsvError> {
        let schema = self.columns.schema();
        let builders = self.columns.builders(|column, missing| TypedColumn::of_column(column, &Builders { missing }));
        let rows = RowDecoder::read(chunk, schema, builders, Utf8Check::ByColumn);
        if let Some(Reject { column, reason, .. }) = rows.rejects.into_iter().next() {
            let column = column.map_or_else(String::new, |name| format!("column {name:?}: "));
            return Err(CsvError::NotArchived(format!("{column}{reason}")));
        }
        let damaged = |kind: RowErrorKind| CsvError::NotArchived(kind.to_string());
        // The row decoder skips empty lines and carriage returns before line feeds.
        if rows.bytes != chunk.len() {
            return Err(damaged(RowErrorKind::LineEnds));
        }
        if has_bare_return(chunk, schema.columns().len()) {
            return Err(damaged(RowErrorKind::MissingQuotes));
        }
        self.columns.finish(rows.columns, rows.good).map_err(damaged)
    }
}

/// Whether an unquoted field contains a carriage return. The other bytes that need quotes would end the field or be
/// stray quotes.
fn has_bare_return(chunk: &[u8], columns: usize) -> bool {
    if memchr::memchr(b'\r', chunk).is_none() {
        return false;
    }
    let mut records = Records::new(chunk, columns);
    while let Some(record) = records.next_record() {
        if record.fields().any(|field| !field.starts_with(b"\"") && field.contains(&b'\r')) {
            return true;
        }
    }
    false
}

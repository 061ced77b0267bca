//! CSV files of an archive.

use super::{CsvError, records::Records, rows::Rows};
use crate::{
    EventBatch, Reject, Schema,
    decode::{
        columns::{Columns, Utf8},
        columns_by_type::ArchivedColumn,
        fault::Fault,
    },
    encode::csv::{write_names, write_text},
};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// The columns of a CSV file of an archive. Its bytes are read as [`CsvEncoder`](crate::encode::csv::CsvEncoder) writes
/// them, and no others: what was decoded would be encoded to the same bytes again.
#[derive(Debug)]
pub struct ArchivedLayout {
    columns: Columns,
}

impl ArchivedLayout {
    /// Reads the header at the start of the first chunk of a file, whose manifest says that it has the columns of
    /// `archived`. Also returns how many bytes the header took.
    pub fn from_header(chunk: &[u8], archived: &Arc<Schema>) -> Result<(Self, usize), CsvError> {
        EventBatch::try_new(Arc::clone(archived), RecordBatch::new_empty(archived.to_arrow()))?;
        let mut header = Vec::new();
        write_names(archived.columns(), &mut header, write_text);
        header.push(b'\n');
        if !chunk.starts_with(&header) {
            return Err(CsvError::OtherColumns);
        }
        Ok((Self { columns: Columns::new(Arc::clone(archived)) }, header.len()))
    }

    /// Decodes a chunk of whole records, without the header; `None` when there are none.
    pub fn decode(&self, chunk: &[u8]) -> Result<Option<EventBatch>, CsvError> {
        let schema = self.columns.schema();
        let rows = Rows::read(chunk, schema, self.columns.builders(ArchivedColumn::new), Utf8::ByColumn);
        if let Some(Reject { column, reason, .. }) = rows.rejects.into_iter().next() {
            let column = column.map_or_else(String::new, |name| format!("column {name:?}: "));
            return Err(CsvError::NotArchived(format!("{column}{reason}")));
        }
        let damaged = |fault: Fault| CsvError::NotArchived(fault.to_string());
        // Empty lines and carriage returns are passed over where rows are read.
        if rows.bytes != chunk.len() {
            return Err(damaged(Fault::LineEnds));
        }
        if has_bare_return(chunk, schema.columns().len()) {
            return Err(damaged(Fault::MissingQuotes));
        }
        self.columns.finish(rows.columns, rows.good).map_err(damaged)
    }
}

/// Whether there is a carriage return in a field without quotes. The other bytes that need quotes cannot be there: they
/// would end the field, or be a quote where none may be.
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

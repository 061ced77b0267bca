//! The names of the columns.

use super::{CsvError, field::unquote, records::Records};
use crate::decode::BOM;

/// Ten times what a PostgreSQL table can have. A page of something else can look like a header of millions of names.
const MAX_COLUMNS: usize = 16_000;

/// The fields of the first record, and how many bytes came before the second one.
pub(super) fn read(chunk: &[u8]) -> Result<(Vec<String>, usize), CsvError> {
    let bom = if chunk.starts_with(&BOM) { BOM.len() } else { 0 };
    let mut records = Records::new(&chunk[bom..], MAX_COLUMNS);
    let names = match records.next_record() {
        None => Vec::new(),
        Some(record) if record.field_count > MAX_COLUMNS => return Err(CsvError::TooManyColumns(record.field_count)),
        Some(record) if record.has_stray_quote => return Err(CsvError::HeaderQuotes),
        Some(record) => record.fields().map(name).collect::<Result<_, _>>()?,
    };
    Ok((names, bom + records.position()))
}

fn name(field: &[u8]) -> Result<String, CsvError> {
    let mut name = Vec::new();
    match field {
        [b'"', quoted @ ..] => unquote(quoted, &mut name).map_err(|_| CsvError::HeaderQuotes)?,
        plain => name.extend_from_slice(plain),
    }
    String::from_utf8(name).map_err(|_| CsvError::HeaderNotUtf8)
}

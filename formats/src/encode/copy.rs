//! Rows of PostgreSQL's binary COPY.
//!
//! Every value has the binary form of the type that [`server_type`] names: columns of those types take them as they are.

mod array;
mod calendar;
mod numeric;
mod value;

use crate::{Column, ColumnType, EventBatch};
use array::element_oid;
use value::Values;

/// Signature, no flags, no extension of the header.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What ends the rows.
pub const TRAILER: &[u8] = b"\xff\xff";

/// The server's type whose binary form the values of `kind` get; `None` for lists of lists, which it does not have.
pub fn server_type(kind: &ColumnType) -> Option<String> {
    Some(match kind {
        ColumnType::Text => "text".to_owned(),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Bool => "boolean".to_owned(),
        ColumnType::Int16 => "smallint".to_owned(),
        ColumnType::Int32 => "integer".to_owned(),
        ColumnType::Int64 => "bigint".to_owned(),
        ColumnType::Float32 => "real".to_owned(),
        ColumnType::Float64 => "double precision".to_owned(),
        ColumnType::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        ColumnType::TimestampUtc => "timestamp with time zone".to_owned(),
        ColumnType::Timestamp => "timestamp without time zone".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time => "time without time zone".to_owned(),
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Binary => "bytea".to_owned(),
        ColumnType::List(element) => {
            element_oid(element)?;
            format!("{}[]", server_type(element)?)
        }
    })
}

/// Appends the rows of `batch` to `out`, and shows `out` to `spill` after each of them, which may take what is there.
pub fn write_rows<E>(
    batch: &EventBatch,
    out: &mut Vec<u8>,
    mut spill: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let columns = batch.schema().columns.iter().zip(batch.records().columns());
    let columns = columns.map(|(Column { kind, .. }, array)| Values::of(kind, array)).collect::<Vec<_>>();
    let fields = i16::try_from(columns.len()).unwrap_or(i16::MAX);
    for row in 0..batch.len() {
        out.extend(fields.to_be_bytes());
        for column in &columns {
            column.write_field(row, out);
        }
        spill(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! The columns of a COPY.

use super::{CopyError, CopyLayoutError, column::CopyColumn, rows::CopyRows, stream::Stream};
use crate::{
    Column, ColumnType, Schema,
    decode::{Decoded, fault::Fault, utf8::checked},
};
use arrow_schema::SchemaRef;
use std::sync::Arc;

/// The columns of a binary COPY. Decoding changes nothing in it, so that rows can be decoded in parallel.
#[derive(Debug)]
pub struct CopyLayout {
    schema: Arc<Schema>,
    arrow: SchemaRef,
}

impl CopyLayout {
    /// A layout of rows that have the columns of `schema` in its order, each sent by the server as its type is: as text
    /// where the archive's type is text, whatever the type of the source.
    pub fn new(schema: Schema) -> Result<Self, CopyLayoutError> {
        if schema.id() == schema.time() {
            return Err(CopyLayoutError::OneKey(schema.id().to_owned()));
        }
        let unreadable = schema.columns().iter().find(|column| CopyColumn::new(&column.kind, None).is_none());
        if let Some(Column { name, kind, .. }) = unreadable {
            return Err(CopyLayoutError::UnreadableType { name: name.clone(), kind: kind.clone() });
        }
        check_key(&schema.columns()[schema.id_index()], is_id)?;
        check_key(&schema.columns()[schema.time_index()], is_time)?;
        Ok(Self { arrow: schema.to_arrow(), schema: Arc::new(schema) })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Decodes rows. The rejects' lines are ordinals, the first row's being 0.
    pub fn decode(&self, rows: &CopyRows) -> Result<Decoded, CopyError> {
        checked(|utf8| Stream::of(self, utf8).read(rows).transpose())
    }

    pub(super) const fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Empty columns, in which rows without a value that they must have are faults.
    pub(super) fn columns(&self) -> Vec<CopyColumn> {
        let columns = self.schema.columns().iter().map(|column| {
            let missing = match column.name.as_str() {
                name if name == self.schema.id() => Some(Fault::NoId),
                name if name == self.schema.time() => Some(Fault::NoTime),
                _ => (!column.nullable).then_some(Fault::NoValue),
            };
            CopyColumn::new(&column.kind, missing).unwrap_or_else(|| unreachable!("the types were tried before"))
        });
        columns.collect()
    }
}

fn check_key(Column { name, kind, .. }: &Column, can_be: fn(&ColumnType) -> bool) -> Result<(), CopyLayoutError> {
    if can_be(kind) { Ok(()) } else { Err(CopyLayoutError::KeyType { name: name.clone(), kind: kind.clone() }) }
}

const fn is_id(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Text | ColumnType::Uuid | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64)
}

const fn is_time(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::TimestampUtc | ColumnType::Timestamp)
}

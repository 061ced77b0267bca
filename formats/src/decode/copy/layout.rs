//! The columns of a COPY, and its rows into them.

use super::{
    CopyError, CopyLayoutError, Failure,
    column::CopyColumn,
    rows::{BLOCK, CopyRows, Fields},
};
use crate::{
    Column, ColumnType, EventBatch, Reject, Schema,
    decode::{
        Decoded,
        columns::{Utf8, checked},
        fault::Fault,
    },
};
use arrow_array::RecordBatch;
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

    const fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Empty columns, in which rows without a value that they must have are faults.
    fn columns(&self) -> Vec<CopyColumn> {
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

/// Rows that are being decoded.
struct Stream<'a> {
    layout: &'a CopyLayout,
    utf8: Utf8,
    /// The good rows.
    columns: Vec<CopyColumn>,
    /// How many rows every column has.
    good: usize,
    fields: Fields<'a>,
    rejects: Vec<Reject>,
}

impl<'a> Stream<'a> {
    fn of(layout: &'a CopyLayout, utf8: Utf8) -> Self {
        let columns = layout.columns();
        Self { layout, utf8, fields: Fields::new(columns.len()), columns, good: 0, rejects: Vec::new() }
    }

    /// Decodes all of `rows`, or returns nothing when a column has text that is not UTF-8.
    fn read(mut self, rows: &'a CopyRows) -> Result<Option<Decoded>, CopyError> {
        for start in (0..rows.len()).step_by(BLOCK) {
            let block = start..rows.len().min(start + BLOCK);
            self.fields.clear();
            block.clone().try_for_each(|ordinal| self.fields.push(rows.get(ordinal)))?;
            if self.push().is_ok() {
                self.good += block.len();
            } else {
                self.columns.iter_mut().for_each(|column| column.truncate(self.good));
                block.clone().try_for_each(|ordinal| self.push_alone(ordinal, rows.get(ordinal)))?;
            }
            if start == 0 {
                let factor = rows.bytes() / rows.end(block.end - 1).max(1);
                self.columns.iter_mut().for_each(|column| column.reserve(factor));
            }
        }
        Ok(self.finish(rows.len() as u64))
    }

    /// Takes the rows of `fields` into all columns, or fails with the column to blame and leaves some of them longer than
    /// the others.
    fn push(&mut self) -> Result<(), (usize, Failure)> {
        let columns = self.columns.iter_mut().zip(self.fields.columns()).enumerate();
        for (index, (column, fields)) in columns {
            column.extend(fields, self.utf8).map_err(|failure| (index, failure))?;
        }
        Ok(())
    }

    /// Takes a row of a block that failed: another one of the block may be to blame.
    #[cold]
    fn push_alone(&mut self, ordinal: usize, row: &'a [u8]) -> Result<(), CopyError> {
        self.fields.clear();
        self.fields.push(row)?;
        let Err((index, failure)) = self.push() else {
            self.good += 1;
            return Ok(());
        };
        let column = self.layout.schema().columns()[index].name.clone();
        match failure {
            Failure::Broken(what) => return Err(CopyError::Value { column, what }),
            Failure::Nested => return Err(CopyError::Nested { column }),
            Failure::Rejected(fault) => self.reject(ordinal, column, fault, row),
        }
        Ok(())
    }

    /// Removes what is left of a row that failed, and keeps its bytes.
    fn reject(&mut self, ordinal: usize, column: String, fault: Fault, row: &[u8]) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        self.rejects.push(Reject {
            file: None,
            line: ordinal as u64,
            column: Some(column),
            reason: fault.to_string(),
            row: row.to_vec(),
        });
    }

    fn finish(self, rows: u64) -> Option<Decoded> {
        let fields = self.layout.arrow().fields().iter();
        let arrays = self.columns.into_iter().zip(fields).map(|(column, field)| column.finish(field.data_type()));
        let arrays = arrays.collect::<Option<Vec<_>>>()?;
        let batch = (self.good > 0).then(|| {
            let records = RecordBatch::try_new(Arc::clone(self.layout.arrow()), arrays)
                .unwrap_or_else(|_| unreachable!("every column was built from its field and has one value per row"));
            EventBatch::try_new(Arc::clone(self.layout.schema()), records)
                .unwrap_or_else(|_| unreachable!("rows without id or time are rejects, and the types were tried"))
        });
        Some(Decoded { batch, rejects: self.rejects, rows, lines: rows })
    }
}

//! The columns of a COPY, and the decoding of its rows.

use super::{
    CopyError, CopyLayoutError, ValueError,
    rows::{BLOCK, CopyRows, Fields},
};
use crate::{
    Column, ColumnType, Reject, Schema,
    decode::{
        Decoded,
        columns::{ColumnBuilder as _, Columns, Utf8Check, decode_checked},
        row_error::RowErrorKind,
        typed::{Builders, TypedColumn},
    },
};
use arrow_schema::DECIMAL128_MAX_PRECISION;
use std::sync::Arc;

/// The columns of a binary COPY. Rows can be decoded in parallel.
#[derive(Debug)]
pub struct CopyLayout {
    columns: Columns,
}

impl CopyLayout {
    /// A layout of rows with the columns of `schema`, in its order. The query must convert columns of type text to text;
    /// the others are sent in the binary form of their type.
    pub fn new(schema: Schema) -> Result<Self, CopyLayoutError> {
        if schema.id() == schema.time() {
            return Err(CopyLayoutError::OneKey(schema.id().to_owned()));
        }
        let unreadable = schema.columns().iter().find(|column| !is_readable(&column.kind));
        if let Some(Column { name, kind, .. }) = unreadable {
            return Err(CopyLayoutError::UnreadableType { name: name.clone(), kind: kind.clone() });
        }
        check_key(&schema.columns()[schema.id_index()], is_id)?;
        check_key(&schema.columns()[schema.time_index()], is_time)?;
        Ok(Self { columns: Columns::new(Arc::new(schema)) })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Decodes rows. The lines of rejects are ordinals of rows, from 0.
    pub fn decode(&self, rows: &CopyRows) -> Result<Decoded, CopyError> {
        decode_checked(|utf8| RowDecoder::new(self, utf8).read(rows).transpose())
    }
}

/// Whether the type has a binary form: PostgreSQL has no lists of lists, and a decimal fits into its precision.
fn is_readable(kind: &ColumnType) -> bool {
    match kind {
        ColumnType::List(element) => !matches!(**element, ColumnType::List(_)) && is_readable(element),
        ColumnType::Decimal { precision, scale } => scale <= precision && *precision <= DECIMAL128_MAX_PRECISION,
        _ => true,
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

/// Decoder of one collection of rows.
struct RowDecoder<'a> {
    layout: &'a CopyLayout,
    utf8: Utf8Check,
    /// Values of the accepted rows.
    columns: Vec<TypedColumn>,
    /// Number of accepted rows.
    good: usize,
    fields: Fields<'a>,
    rejects: Vec<Reject>,
}

impl<'a> RowDecoder<'a> {
    fn new(layout: &'a CopyLayout, utf8: Utf8Check) -> Self {
        let columns = layout.columns.builders(|column, missing| TypedColumn::of_column(column, &Builders { missing }));
        Self { layout, utf8, fields: Fields::new(columns.len()), columns, good: 0, rejects: Vec::new() }
    }

    /// Decodes all of `rows`; `None` if a column has text that is not UTF-8.
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
                let seen = block.map(|ordinal| rows.get(ordinal).len()).sum::<usize>();
                let factor = rows.bytes() / seen.max(1);
                self.columns.iter_mut().for_each(|column| column.reserve(factor));
            }
        }
        Ok(self.finish(rows.len() as u64))
    }

    /// Appends the rows of `fields` to all columns. An error has the index of the column, and leaves some columns longer
    /// than others.
    fn push(&mut self) -> Result<(), (usize, ValueError)> {
        let id = self.layout.schema().id_index();
        let columns = self.columns.iter_mut().zip(self.fields.columns()).enumerate();
        for (index, (column, fields)) in columns {
            if index == id && matches!(column, TypedColumn::Text(_)) && fields.contains(&Some(&[])) {
                return Err((index, RowErrorKind::NoId.into()));
            }
            column.extend(fields, self.utf8).map_err(|failure| (index, failure))?;
        }
        Ok(())
    }

    /// Appends one row of a block that failed, which may be valid itself.
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
            ValueError::Broken(what) => return Err(CopyError::Value { column, what }),
            ValueError::Nested => return Err(CopyError::Nested { column }),
            ValueError::Rejected(kind) => self.reject(ordinal, column, kind, row),
        }
        Ok(())
    }

    /// Truncates the columns after an error, and keeps the bytes of the row.
    fn reject(&mut self, ordinal: usize, column: String, kind: RowErrorKind, row: &[u8]) {
        self.columns.iter_mut().for_each(|column| column.truncate(self.good));
        self.rejects.push(Reject {
            file: None,
            line: ordinal as u64,
            column: Some(column),
            reason: kind.to_string(),
            row: row.to_vec(),
        });
    }

    fn finish(self, rows: u64) -> Option<Decoded> {
        let batch = self.layout.columns.finish(self.columns, self.good).ok()?;
        Some(Decoded { batch, rejects: self.rejects, rows, lines: rows })
    }
}

//! What the names of the records say about their columns.

use super::{JsonError, JsonNames, members::Names, rows::Rows};
use crate::{
    ColumnType, Schema,
    catalogue::{self, KeyColumns, json_schema},
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
pub struct JsonLayout {
    columns: Columns,
    id: usize,
    time: usize,
    pub(super) names: Names,
    /// The column of each name; `None` for those that share one.
    pub(super) targets: Vec<Option<usize>>,
    /// The column of the members that have none of their own.
    pub(super) extra: Option<usize>,
}

impl JsonLayout {
    /// The columns of records with these `names`. Fails when no record has an id or a time; so an artifact without any
    /// records has no layout, and needs none.
    pub fn new(names: &JsonNames, keys: &KeyColumns) -> Result<Self, JsonError> {
        let list = names.iter().map(|(name, _)| name).collect::<Vec<_>>();
        let has_nested_text =
            names.iter().any(|(name, nested)| nested && catalogue::json_type(name) == Some(ColumnType::Text));
        let schema = json_schema(&list, has_nested_text || names.is_incomplete(), keys)?;
        if schema.id() == schema.time() {
            return Err(JsonError::OneKey(schema.id().to_owned()));
        }
        let extra = schema.columns().iter().position(|column| column.name == catalogue::EXTRA);
        let target = |name: &&str| schema.columns().iter().position(|column| column.name == *name);
        let targets = list.iter().map(|name| target(name).filter(|column| Some(*column) != extra)).collect();
        let mut table = Names::default();
        for name in &list {
            table.add(name);
        }
        let (id, time) = (schema.id_index(), schema.time_index());
        Ok(Self { columns: Columns::new(Arc::new(schema)), id, time, names: table, targets, extra })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Whether the column says what an event is called or when it happened.
    pub(super) const fn is_key(&self, column: usize) -> bool {
        column == self.id || column == self.time
    }

    /// Decodes a chunk of whole records. The lines of rejects are those of the chunk, or, where the records are a
    /// list's elements, the number of elements before; [`Decoded::lines`] counts the same.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8) -> Option<Decoded> {
        let builders = self.columns.builders(|column, missing| ColumnBuilder::new(&column.kind, missing));
        let Rows { columns, good, rejects, lines, .. } = Rows::read(chunk, self, builders, utf8);
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines })
    }
}

//! One schema for a month that lies in several CSV files: their columns change over the years, and a month's do not.

use super::index::Indexed;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    EventBatch, Schema,
    catalogue::{KeyColumns, text_schema},
};
use arrow_array::{RecordBatch, new_null_array};
use std::sync::Arc;

/// The columns of all `files`, in the order in which they come up first.
pub(super) fn unified(files: &[Arc<Indexed>]) -> Result<Option<Arc<Schema>>> {
    let mut schemas = files.iter().filter_map(|file| Some((file, file.opening.as_ref()?.schema())));
    let Some((first, schema)) = schemas.next() else { return Ok(None) };
    let mut names = schema.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    for (file, other) in schemas {
        if (&other.id, &other.time) != (&schema.id, &schema.time) {
            return Err(Error::new(ErrorKind::Source, "the files of the month have their ids or times in other columns")
                .with_context("files", format!("{}, {}", first.named.name, file.named.name))
                .with_hint("name the columns with --id-column and --time-column, or make the pattern narrower"));
        }
        for column in &other.columns {
            if !names.contains(&column.name.as_str()) {
                names.push(&column.name);
            }
        }
    }
    if names.len() == schema.columns.len() {
        return Ok(Some(Arc::clone(schema)));
    }
    let keys = KeyColumns { id: Some(schema.id.clone()), time: Some(schema.time.clone()) };
    let united = text_schema(&names, &keys).map_err(|error| {
        Error::new(ErrorKind::Source, "the files of the month have columns that exclude each other").with_source(error)
    })?;
    Ok(Some(Arc::new(united)))
}

/// The same events with the columns of `schema`, which has all of theirs. Columns that they do not have are NULL.
pub(super) fn with_columns_of(schema: &Arc<Schema>, batch: EventBatch) -> Result<EventBatch> {
    if batch.schema().sha256 == schema.sha256 {
        return Ok(batch);
    }
    let (records, arrow) = (batch.records(), schema.to_arrow());
    let column = |field: &arrow_schema::FieldRef| match records.column_by_name(field.name()) {
        Some(values) => Arc::clone(values),
        None => new_null_array(field.data_type(), records.num_rows()),
    };
    let columns = arrow.fields().iter().map(column).collect();
    let bug = || Error::new(ErrorKind::Internal, "the columns of two files do not fit together");
    let records = RecordBatch::try_new(Arc::clone(&arrow), columns).map_err(|error| bug().with_source(error))?;
    EventBatch::try_new(Arc::clone(schema), records).map_err(|error| bug().with_source(error))
}

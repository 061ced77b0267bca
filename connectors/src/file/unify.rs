//! One schema for a month that lies in several files: their columns change over the years, and a month's do not.

use super::index::Indexed;
use crate::{Error, ErrorKind, Result, artifact::Opening};
use archive_formats::{
    EventBatch, Schema,
    catalogue::{KeyColumns, text_schema},
};
use arrow_array::{RecordBatch, new_null_array};
use std::sync::Arc;

/// The columns of a month.
#[derive(Debug)]
pub(super) enum Columns {
    /// Each file is decoded by its own header, and then brought to these.
    Csv(Arc<Schema>),
    /// All files are decoded by the names of all.
    Json(Arc<Opening>),
}

impl Columns {
    pub(super) fn schema(&self) -> &Arc<Schema> {
        match self {
            Self::Csv(schema) => schema,
            Self::Json(opening) => opening.schema(),
        }
    }
}

/// The columns of all `files`, which are of one kind, in the order in which they come up first.
pub(super) fn unified(files: &[Arc<Indexed>]) -> Result<Option<Columns>> {
    let openings = files.iter().filter_map(|file| Some((file, file.opening.as_ref()?))).collect::<Vec<_>>();
    let [(first, opening), others @ ..] = openings.as_slice() else { return Ok(None) };
    let schema = opening.schema();
    let is_other = |other: &Schema| (&other.id, &other.time) != (&schema.id, &schema.time);
    if let Some((other, _)) = others.iter().find(|(_, other)| is_other(other.schema())) {
        return Err(Error::new(ErrorKind::Source, "the files of the month have their ids or times in other columns")
            .with_context("files", format!("{}, {}", first.named.name, other.named.name))
            .with_hint("name the columns with --id-column and --time-column, or make the pattern narrower"));
    }
    let keys = KeyColumns { id: Some(schema.id.clone()), time: Some(schema.time.clone()) };
    if let Some(names) = opening.names().filter(|_| !others.is_empty()) {
        let mut names = names.clone();
        others.iter().filter_map(|(_, other)| other.names()).for_each(|more| names.merge(more.clone()));
        return Ok(Some(Columns::Json(Arc::new(Opening::json(names, &keys)?))));
    }
    if opening.names().is_some() {
        return Ok(Some(Columns::Json(Arc::clone(opening))));
    }
    let schemas = others.iter().map(|(_, other)| other.schema());
    united(schema, schemas, &keys).map(Columns::Csv).map(Some)
}

/// `first` with the columns of `others` that it does not have.
fn united<'a>(
    first: &'a Arc<Schema>,
    others: impl Iterator<Item = &'a Arc<Schema>>,
    keys: &KeyColumns,
) -> Result<Arc<Schema>> {
    let mut names = first.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    for column in others.flat_map(|other| &other.columns) {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    if names.len() == first.columns.len() {
        return Ok(Arc::clone(first));
    }
    text_schema(&names, keys).map(Arc::new).map_err(|error| {
        Error::new(ErrorKind::Source, "the files of the month have columns that exclude each other").with_source(error)
    })
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

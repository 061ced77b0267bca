//! Which chunks of which files a month is read from, and with which columns. Refuses files that cannot be a whole month.

use super::index::{IndexedChunk, IndexedFile};
use crate::{ArtifactRules, Error, ErrorKind, Result, artifact::ArtifactSchema};
use archive_formats::{
    EventBatch, Month, Schema, Window,
    catalogue::{KeyColumns, text_schema},
    decode::MonthTimes,
};
use arrow_array::{RecordBatch, new_null_array};
use std::sync::Arc;

/// A read of a window.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) files: Vec<FilePlan>,
    /// The columns of the month; `None` if it has no rows.
    pub(super) schema: Option<Arc<Schema>>,
}

/// A read of one file.
#[derive(Debug)]
pub(super) struct FilePlan {
    pub(super) file: Arc<IndexedFile>,
    pub(super) schema: Arc<ArtifactSchema>,
    /// In order.
    pub(super) chunks: Vec<IndexedChunk>,
}

impl Plan {
    /// The read of `window` from all `files` of the source.
    pub(super) fn new(files: &[Arc<IndexedFile>], window: Window, rules: &ArtifactRules) -> Result<Self> {
        let month = Month::containing(window.from()).ok();
        let tally = |file: &Arc<IndexedFile>| Some((Arc::clone(file), *file.times.months.get(&month?)?));
        let holders = files.iter().filter_map(tally).collect::<Vec<_>>();
        refuse_first_instant_alone(&holders, window)?;
        let holders = holders.into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        refuse_mixed_syntax(&holders)?;
        let columns = common_columns(&holders, rules)?;
        let plan = |file: &Arc<IndexedFile>| {
            let chunks = file.chunks_of(window).cloned().collect::<Vec<_>>();
            let own = file.schema.as_ref().filter(|_| !chunks.is_empty())?;
            let is_holder = holders.iter().any(|holder| Arc::ptr_eq(holder, file));
            let schema = match &columns {
                Some(Columns::Json(schema)) if is_holder => schema,
                _ => own,
            };
            Some(FilePlan { schema: Arc::clone(schema), file: Arc::clone(file), chunks })
        };
        let schema = columns.as_ref().map(|columns| Arc::clone(columns.schema()));
        Ok(Self { files: files.iter().filter_map(plan).collect(), schema })
    }

    /// How many bytes of unpacked content it decodes.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().flat_map(|plan| &plan.chunks).map(|chunk| chunk.length as u64).sum()
    }
}

/// Refuses a month of which only the first instant is there.
///
/// The script of the platform's backup guide requests windows up to the first instant of the next month, which servers may
/// include: a file of April can end with an event of May.
fn refuse_first_instant_alone(holders: &[(Arc<IndexedFile>, MonthTimes)], window: Window) -> Result<()> {
    let first = window.from();
    let is_end_alone = |(file, tally): &(Arc<IndexedFile>, MonthTimes)| {
        let ends_here = file.times.last() == Some(first);
        ends_here && tally.last == first && file.times.first().is_some_and(|earliest| earliest < first)
    };
    match holders {
        [(file, _), ..] if holders.iter().all(is_end_alone) => Err(Error::new(
            ErrorKind::Incomplete,
            "only the first instant of the month is there, at the end of a file of an earlier month",
        )
        .with_context("file", &file.found.name)
        .with_hint("the file of this month is missing: add it to the source, then run again")),
        _ => Ok(()),
    }
}

fn refuse_mixed_syntax(holders: &[Arc<IndexedFile>]) -> Result<()> {
    let Some(first) = holders.first() else { return Ok(()) };
    match holders.iter().find(|file| file.found.syntax != first.found.syntax) {
        None => Ok(()),
        Some(other) => {
            Err(Error::new(ErrorKind::Source, "the month is in CSV files and in JSON files, whose columns differ")
                .with_context("files", format!("{}, {}", first.found.name, other.found.name))
                .with_hint("make the pattern narrower, so that it matches files of one kind"))
        }
    }
}

/// The columns of a month, the same in all files although columns change over the years.
#[derive(Debug)]
enum Columns {
    /// Each file is decoded by its own header, and its batches get these columns.
    Csv(Arc<Schema>),
    /// All files are decoded by the names of all.
    Json(Arc<ArtifactSchema>),
}

impl Columns {
    fn schema(&self) -> &Arc<Schema> {
        match self {
            Self::Csv(schema) => schema,
            Self::Json(schema) => schema.schema(),
        }
    }
}

/// The columns of all `files`, which are of one syntax, in the order of their first occurrence.
fn common_columns(files: &[Arc<IndexedFile>], rules: &ArtifactRules) -> Result<Option<Columns>> {
    let schemas = files.iter().filter_map(|file| Some((file, file.schema.as_ref()?))).collect::<Vec<_>>();
    let [(first, own), others @ ..] = schemas.as_slice() else { return Ok(None) };
    let schema = own.schema();
    let is_other = |other: &Schema| (other.id(), other.time()) != (schema.id(), schema.time());
    if let Some((other, _)) = others.iter().find(|(_, other)| is_other(other.schema())) {
        return Err(Error::new(ErrorKind::Source, "the files of the month have their ids or times in other columns")
            .with_context("files", format!("{}, {}", first.found.name, other.found.name))
            .with_hint("name the columns with --id-column and --time-column, or make the pattern narrower"));
    }
    let keys = KeyColumns { id: Some(schema.id().to_owned()), time: Some(schema.time().to_owned()) };
    if let Some(names) = own.names().filter(|_| !others.is_empty()) {
        let mut names = names.clone();
        others.iter().filter_map(|(_, other)| other.names()).for_each(|more| names.merge(more.clone()));
        return Ok(Some(Columns::Json(Arc::new(ArtifactSchema::from_names(
            names,
            &ArtifactRules { keys, ..rules.clone() },
        )?))));
    }
    if own.names().is_some() {
        return Ok(Some(Columns::Json(Arc::clone(own))));
    }
    let schemas = others.iter().map(|(_, other)| other.schema());
    union(schema, schemas, &keys).map(Columns::Csv).map(Some)
}

/// The columns of `first`, then those of `others` that it does not have.
fn union<'a>(
    first: &'a Arc<Schema>,
    others: impl Iterator<Item = &'a Arc<Schema>>,
    keys: &KeyColumns,
) -> Result<Arc<Schema>> {
    let mut names = first.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    for column in others.flat_map(|other| other.columns()) {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    if names.len() == first.columns().len() {
        return Ok(Arc::clone(first));
    }
    text_schema(&names, keys).map(Arc::new).map_err(|error| {
        Error::new(ErrorKind::Source, "the files of the month have conflicting columns").with_source(error)
    })
}

/// The events with all columns of `schema`, a superset of theirs. The columns that they lack are NULL.
pub(super) fn with_columns_of(schema: &Arc<Schema>, batch: EventBatch) -> Result<EventBatch> {
    if batch.schema().sha256() == schema.sha256() {
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

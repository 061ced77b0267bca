//! Which chunks of which files a month is read from, and whether that can be the whole month.

use super::index::{Indexed, Place};
use crate::{Error, ErrorKind, Result, artifact::Opening};
use archive_formats::{
    EventBatch, Month, Schema, Window,
    catalogue::{KeyColumns, text_schema},
    decode::survey::Tally,
};
use arrow_array::{RecordBatch, new_null_array};
use std::sync::Arc;

/// What is to be read.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) files: Vec<Share>,
    /// The columns of the month; none when it has no rows.
    pub(super) schema: Option<Arc<Schema>>,
}

/// What is to be read of one file.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) file: Arc<Indexed>,
    pub(super) opening: Arc<Opening>,
    /// In their order.
    pub(super) places: Vec<Place>,
}

impl Plan {
    /// The read of `window` out of `files`, all there are.
    pub(super) fn new(files: &[Arc<Indexed>], window: Window) -> Result<Self> {
        let month = Month::containing(window.from()).ok();
        let tally = |file: &Arc<Indexed>| Some((Arc::clone(file), *file.survey.months.get(&month?)?));
        let holders = files.iter().filter_map(tally).collect::<Vec<_>>();
        refuse_stragglers(&holders, window)?;
        let holders = holders.into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        refuse_mixture(&holders)?;
        let columns = unified(&holders)?;
        let share = |file: &Arc<Indexed>| {
            let places = file.places(window).cloned().collect::<Vec<_>>();
            let own = file.opening.as_ref().filter(|_| !places.is_empty())?;
            let is_holder = holders.iter().any(|holder| Arc::ptr_eq(holder, file));
            let opening = match &columns {
                Some(Columns::Json(opening)) if is_holder => opening,
                _ => own,
            };
            Some(Share { opening: Arc::clone(opening), file: Arc::clone(file), places })
        };
        let schema = columns.as_ref().map(|columns| Arc::clone(columns.schema()));
        Ok(Self { files: files.iter().filter_map(share).collect(), schema })
    }

    /// How many bytes of content it reads.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().flat_map(|share| &share.places).map(|place| place.length as u64).sum()
    }
}

/// The backup guide's script asks for windows up to the first instant of the next month, which servers may include: its
/// file of April can end with an event of May. Where nothing else of May is there, that is no month of May.
fn refuse_stragglers(holders: &[(Arc<Indexed>, Tally)], window: Window) -> Result<()> {
    let first = window.from();
    let straggles = |(file, tally): &(Arc<Indexed>, Tally)| {
        let ends_here = file.survey.last() == Some(first);
        ends_here && tally.last == first && file.survey.first().is_some_and(|earliest| earliest < first)
    };
    match holders {
        [(file, _), ..] if holders.iter().all(straggles) => Err(Error::new(
            ErrorKind::Incomplete,
            "all that is there of the month is its first instant, where a file of an earlier month ends",
        )
        .with_context("file", &file.named.name)
        .with_hint("the file of this month is missing: add it to the source, then run again")),
        _ => Ok(()),
    }
}

/// The columns of a month are those of one kind of files.
fn refuse_mixture(holders: &[Arc<Indexed>]) -> Result<()> {
    let Some(first) = holders.first() else { return Ok(()) };
    match holders.iter().find(|file| file.named.syntax != first.named.syntax) {
        None => Ok(()),
        Some(other) => {
            Err(Error::new(ErrorKind::Source, "the month is in CSV files and in JSON files, whose columns differ")
                .with_context("files", format!("{}, {}", first.named.name, other.named.name))
                .with_hint("archive it from files of one kind: make the pattern narrower"))
        }
    }
}

/// The columns of a month.
#[derive(Debug)]
enum Columns {
    /// Each file is decoded by its own header, and then brought to these.
    Csv(Arc<Schema>),
    /// All files are decoded by the names of all.
    Json(Arc<Opening>),
}

impl Columns {
    fn schema(&self) -> &Arc<Schema> {
        match self {
            Self::Csv(schema) => schema,
            Self::Json(opening) => opening.schema(),
        }
    }
}

/// The columns of all `files`, which are of one kind, in the order in which they come up first.
fn unified(files: &[Arc<Indexed>]) -> Result<Option<Columns>> {
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

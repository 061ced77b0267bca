//! Which chunks of which files a month is read from, and whether that can be the whole month.

use super::{
    index::{Indexed, Place},
    unify::{Columns, unified},
};
use crate::{Error, ErrorKind, Result, artifact::Opening};
use archive_formats::{Month, Schema, Window, decode::survey::Tally};
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

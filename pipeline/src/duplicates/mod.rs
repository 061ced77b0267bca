//! Events of a month that share an id.
//!
//! Exports repeat events: at page boundaries, after retries, in overlapping queries. A repetition is dropped and
//! counted; two events with one id but different content are a conflict for an operator.
//!
//! Months have no maximum size, so nothing here holds a month in memory. The first read only indexes ids ([`IdIndex`]),
//! 24 bytes per event, spilled to disk. For almost every month that is enough. If ids are shared, the month is read
//! again to compare those events ([`Comparison`]), and once more to drop the repetitions ([`Repetitions`]).

mod id_index;
#[cfg(test)]
mod tests;

use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{EventBatch, Sha256};
use arrow_array::BooleanArray;
use arrow_row::{RowConverter, SortField};
use id_index::Suspect;
pub(crate) use id_index::{IdIndex, Suspects};

/// Compares the events of [`Suspects`] in a second read of the month.
#[derive(Debug)]
pub(crate) struct Comparison {
    suspects: std::iter::Peekable<std::vec::IntoIter<Suspect>>,
    ordinal: u64,
    seen: Vec<Seen>,
    converter: Option<RowConverter>,
}

/// Sorted by group, content, ordinal: equal contents of a group are adjacent, the earliest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    group: u64,
    content: Sha256,
    ordinal: u64,
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Exact repetitions, except the first event of each.
    pub repetitions: Repetitions,
    /// Remaining events that share an id with one of different content.
    pub conflicts: u64,
    /// Ordinals of the first few of them.
    pub examples: Vec<u64>,
}

const EXAMPLES: usize = 5;

impl Comparison {
    /// Creates a comparison of `suspects`.
    pub(crate) fn new(suspects: Suspects) -> Self {
        // Reserved at once: growing to millions of entries would take half as much memory again.
        let seen = Vec::with_capacity(suspects.events.len());
        Self { suspects: suspects.events.into_iter().peekable(), ordinal: 0, seen, converter: None }
    }

    /// Adds the next events, in the order of the first read.
    pub(crate) fn add(&mut self, batch: &EventBatch) -> Result<()> {
        let end = self.ordinal + batch.len() as u64;
        let here = std::iter::from_fn(|| self.suspects.next_if(|suspect| suspect.ordinal < end)).collect::<Vec<_>>();
        let start = std::mem::replace(&mut self.ordinal, end);
        if here.is_empty() {
            return Ok(());
        }
        let mut wanted = vec![false; batch.len()];
        for suspect in &here {
            let row = usize::try_from(suspect.ordinal - start).ok().and_then(|row| wanted.get_mut(row));
            *row.ok_or_else(|| Error::new(ErrorKind::Internal, "a suspect is outside its batch"))? = true;
        }
        let events = batch.filter(&BooleanArray::from(wanted)).map_err(failed)?;
        let rows = self.converter(&events)?.convert_columns(events.records().columns()).map_err(failed)?;
        self.seen.extend(here.iter().zip(&rows).map(|(suspect, row)| Seen {
            group: suspect.group,
            content: Sha256::digest(row.as_ref()),
            ordinal: suspect.ordinal,
        }));
        Ok(())
    }

    /// Returns repetitions and conflicts.
    pub(crate) fn finish(mut self) -> Verdict {
        self.seen.sort_unstable();
        let mut verdict = Verdict::default();
        let mut repetitions = Vec::new();
        for group in self.seen.chunk_by(|left, right| left.group == right.group) {
            let contents = || group.chunk_by(|left, right| left.content == right.content);
            repetitions.extend(contents().flat_map(|same| same.iter().skip(1)).map(|seen| seen.ordinal));
            let kept = contents().filter_map(|same| same.first()).map(|seen| seen.ordinal).collect::<Vec<_>>();
            if kept.len() > 1 {
                verdict.conflicts += kept.len() as u64;
                verdict.examples.extend(kept);
            }
        }
        verdict.examples.sort_unstable();
        verdict.examples.truncate(EXAMPLES);
        verdict.repetitions = Repetitions::new(repetitions);
        verdict
    }

    fn converter(&mut self, events: &EventBatch) -> Result<&RowConverter> {
        if self.converter.is_none() {
            let types = events.records().columns().iter().map(|column| SortField::new(column.data_type().clone()));
            self.converter = Some(RowConverter::new(types.collect()).map_err(failed)?);
        }
        self.converter.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "there is no row converter"))
    }
}

fn failed(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "could not compare events").with_source(error)
}

/// Ordinals of the events that the last read of a month drops.
#[derive(Clone, Debug, Default)]
pub struct Repetitions {
    ordinals: Vec<u64>,
    next: usize,
    ordinal: u64,
}

impl Repetitions {
    /// Creates the set of these ordinals.
    pub fn new(mut ordinals: Vec<u64>) -> Self {
        ordinals.sort_unstable();
        Self { ordinals, next: 0, ordinal: 0 }
    }

    /// Number of dropped events.
    pub fn len(&self) -> u64 {
        self.ordinals.len() as u64
    }

    /// Returns whether all events are kept.
    pub fn is_empty(&self) -> bool {
        self.ordinals.is_empty()
    }

    /// Drops the repetitions from the next events.
    pub fn leave_out(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let start = self.ordinal;
        self.ordinal += batch.len() as u64;
        let here = self.ordinals[self.next..].partition_point(|ordinal| *ordinal < self.ordinal);
        if here == 0 {
            return Ok(batch);
        }
        let mut keep = vec![true; batch.len()];
        for ordinal in &self.ordinals[self.next..self.next + here] {
            if let Some(keep) = usize::try_from(ordinal - start).ok().and_then(|row| keep.get_mut(row)) {
                *keep = false;
            }
        }
        self.next += here;
        let kept = batch.filter(&BooleanArray::from(keep));
        kept.map_err(|error| Error::new(ErrorKind::Internal, "could not leave repetitions out").with_source(error))
    }
}

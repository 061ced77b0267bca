//! Which commits and which of their files a slice is cut from.

use crate::month_ranges;
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, Entry, FileFormat, Manifest, Month, Schema, Timestamp, Window,
    manifest::{CommitKind, DataFile},
};
use std::{collections::BTreeSet, time::Duration};

/// The formats that a slice can be cut from, the better one first: CSV does not tell empty text from NULL when it is read.
const READABLE: [FileFormat; 2] = [FileFormat::Parquet, FileFormat::Csv];

/// The months of a window.
#[derive(Debug)]
pub(super) struct Months<'a> {
    /// Their commits, oldest month first.
    pub entries: Vec<&'a Entry>,
    /// Those that were never committed.
    pub gaps: Vec<Month>,
}

impl<'a> Months<'a> {
    pub(super) fn of(chain: &'a Chain, dataset: &Dataset, window: Window) -> Result<Self> {
        let month = |at: Timestamp| {
            Month::containing(at).map_err(|error| {
                Error::new(ErrorKind::Configuration, "the range leaves the calendar").with_source(error)
            })
        };
        let (first, last) = (month(window.from())?, month(window.to().minus(Duration::from_micros(1)))?);
        let of_range =
            |entry: &&Entry| entry.manifest.dataset == *dataset && (first..=last).contains(&entry.manifest.month);
        let mut entries = chain.entries().iter().filter(of_range).collect::<Vec<_>>();
        entries.sort_by_key(|entry| entry.manifest.month);
        let whole = entries.iter().filter(|entry| entry.manifest.kind == CommitKind::Month);
        let committed = whole.map(|entry| entry.manifest.month).collect::<BTreeSet<_>>();
        let gaps = Month::range(first, last).filter(|month| !committed.contains(month)).collect();
        Ok(Self { entries, gaps })
    }

    /// Refuses gaps.
    pub(super) fn whole(&self, dataset: &Dataset) -> Result<()> {
        let (Some(first), Some(last)) = (self.gaps.first(), self.gaps.last()) else { return Ok(()) };
        let gaps = month_ranges::spell(self.gaps.iter().copied());
        Err(Error::new(ErrorKind::Incomplete, format!("{dataset} is not archived in all of the range"))
            .with_context("missing", gaps)
            .with_hint(format!(
                "archive it with `kt-archive backfill --from {first} --to {last}`, or take what there is with --allow-gaps"
            )))
    }

    /// The columns of the months; of a range without any, those that the dataset had last.
    pub(super) fn schemas(&self, chain: &'a Chain, dataset: &Dataset) -> Result<Vec<&'a Schema>> {
        let schemas = self.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref()).collect::<Vec<_>>();
        if !schemas.is_empty() {
            return Ok(schemas);
        }
        chain.last_schema(dataset).map(|schema| vec![schema]).ok_or_else(|| {
            Error::new(ErrorKind::Incomplete, format!("the archive has no event of {dataset}"))
                .with_hint("`kt-archive status` shows what there is")
        })
    }
}

/// The files of a commit that may hold events of `window`, all of one format.
pub(super) fn files(manifest: &Manifest, window: Window) -> Result<Vec<&DataFile>> {
    let Manifest { dataset, month, .. } = manifest;
    let damaged = |message: String| {
        Error::new(ErrorKind::BrokenChain, message)
            .with_context("month", format!("{dataset} {month}"))
            .with_hint("run `kt-archive verify` to see all that is damaged")
    };
    manifest.check_balance().map_err(|imbalance| damaged(format!("a manifest contradicts itself: {imbalance}")))?;
    let formats = manifest.formats();
    let Some(format) = READABLE.into_iter().find(|format| formats.contains(format)) else {
        return if manifest.events.archived == 0 { Ok(Vec::new()) } else { Err(unreadable(manifest)) };
    };
    if manifest.schema.is_none() {
        return Err(damaged("a manifest names event files and no columns".to_owned()));
    }
    let overlaps = |file: &&DataFile| {
        file.first.is_none_or(|first| first < window.to()) && file.last.is_none_or(|last| last >= window.from())
    };
    Ok(manifest.files.iter().filter(|file| file.format == format).filter(overlaps).collect())
}

fn unreadable(manifest: &Manifest) -> Error {
    let Manifest { dataset, month, .. } = manifest;
    let formats = manifest.formats().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Incomplete, format!("{dataset} {month} is archived neither as parquet nor as csv"))
        .with_context("it has", formats)
        .with_hint("archive the month as parquet into another place, from its artifacts or from the source")
}

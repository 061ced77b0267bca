//! What an archive has of a month: all commits of it together.

use crate::pull::columns::SliceColumns;
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Chain, Dataset, Entry, Month, Schema, manifest::CommitKind};

/// The commits of a month.
pub(super) struct ArchivedMonth<'a> {
    pub(super) entries: Vec<&'a Entry>,
    dataset: &'a Dataset,
}

impl<'a> ArchivedMonth<'a> {
    pub(super) fn of(chain: &'a Chain, dataset: &'a Dataset, month: Month) -> Result<Self> {
        let of_month = |entry: &&Entry| entry.manifest.dataset == *dataset && entry.manifest.month == month;
        let entries = chain.entries().iter().filter(of_month).collect::<Vec<_>>();
        if entries.iter().any(|entry| entry.manifest.kind == CommitKind::Month) {
            return Ok(Self { entries, dataset });
        }
        Err(Error::new(ErrorKind::Incomplete, format!("{dataset} {month} is not archived"))
            .with_hint("`kt-archive status` shows which months are"))
    }

    /// Events of the month.
    pub(super) fn rows(&self) -> u64 {
        self.entries.iter().map(|entry| entry.manifest.events.archived).sum()
    }

    /// The table that the events came from, or one that has the name of the dataset.
    pub(super) fn table(&self) -> String {
        let named = self.entries.iter().find_map(|entry| entry.manifest.source.detail.get("table")?.as_str());
        named.map_or_else(|| self.dataset.as_str().replace('-', "_"), str::to_owned)
    }

    /// The columns of all commits, united by name; none when there is no event.
    pub(super) fn schema(&self) -> Result<Option<Schema>> {
        let schemas = || self.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref());
        let Some(first) = schemas().next() else { return Ok(None) };
        let contradiction = |message: String| Error::new(ErrorKind::Incomplete, message);
        if schemas().any(|other| (&other.id, &other.time) != (&first.id, &first.time)) {
            return Err(contradiction("the commits of the month have other id or time columns".to_owned()));
        }
        let mut columns = SliceColumns::new(schemas(), None, [])?.columns().to_vec();
        for column in &mut columns {
            let is_given = |schema: &Schema| schema.columns.iter().any(|it| it.name == column.name && !it.nullable);
            column.nullable = !schemas().all(is_given);
        }
        let schema = Schema::new(columns, &first.id, &first.time);
        schema.map(Some).map_err(|error| contradiction(error.to_string()))
    }
}

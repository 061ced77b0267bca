//! Events a day by verdict, counted from the files that manifests name.
//!
//! Each file is read once, and only after its bytes were compared with its digest; of Parquet only the columns that are
//! needed are decoded. What was counted is kept by the file's digest, so that a report of years reads the new month
//! alone.

mod cache;
mod column;
mod counts;
mod tally;

pub use counts::{DAYS, DayCounts, Days, Verdict};

use crate::{
    contents::{self, ContentsError, Part},
    fetch::{damaged, fetch_committed},
    pull::months,
    report::Failure,
    settings::Settings,
    state::Scratch,
};
use archive_connectors::{
    Error, ErrorKind, Progress, Result, Sink,
    progress::{Coverage, Step},
};
use archive_formats::{Chain, Dataset, Entry, EventBatch, Manifest, Month, Schema, manifest::DataFile};
use cache::Cache;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};
use tally::Tally;

/// What happened in a dataset.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The columns that the verdicts come from: none, one, or several where months differ.
    pub columns: BTreeSet<String>,
    /// The months that were counted.
    pub months: BTreeMap<Month, DayCounts>,
    /// The months that could not be counted, and why. A month is here or there, never in both.
    pub unread: BTreeMap<Month, Failure>,
}

/// What counting works with.
#[derive(Debug)]
pub struct Counter {
    sink: Sink,
    cache: Cache,
    /// For the file that is being read. It vanishes with this value.
    scratch: Scratch,
    progress: Arc<dyn Progress>,
}

impl Counter {
    /// Counts in the archive of `sink`.
    pub fn new(sink: Sink, settings: &Settings, progress: Arc<dyn Progress>) -> Result<Self> {
        let scratch = Scratch::new(&settings.state_dir, "report")?;
        Ok(Self { sink, cache: Cache::new(&settings.state_dir), scratch, progress })
    }

    /// Counts the events of `dataset` in the months from `first` to `last`. What is damaged is said of its month and
    /// stops nothing; an error means that nobody knows what is there.
    pub async fn count(&self, chain: &Chain, dataset: &Dataset, first: Month, last: Month) -> Result<Activity> {
        let mut activity = Activity::default();
        let range = first..=last;
        let wanted = |entry: &&Entry| entry.manifest.dataset == *dataset && range.contains(&entry.manifest.month);
        for Entry { manifest, .. } in chain.entries().iter().filter(wanted) {
            let month = manifest.month;
            match self.month(manifest).await {
                Ok((column, counts)) => {
                    activity.columns.extend(column);
                    activity.months.entry(month).or_default().merge(&counts);
                }
                Err(error) if matches!(error.kind(), ErrorKind::BrokenChain | ErrorKind::Incomplete) => {
                    activity.unread.insert(month, Failure::from(&error));
                }
                Err(error) => return Err(error),
            }
        }
        activity.months.retain(|month, _| !activity.unread.contains_key(month));
        Ok(activity)
    }

    async fn month(&self, manifest: &Manifest) -> Result<(Option<String>, DayCounts)> {
        let files = months::files(manifest, manifest.month.window())?;
        let mut counts = DayCounts::default();
        // Where there are files, there is a schema.
        let Some(schema) = manifest.schema.clone().map(Arc::new) else { return Ok((None, counts)) };
        let column = column::verdict(&schema);
        let coverage = Coverage { dataset: manifest.dataset.clone(), month: manifest.month };
        self.progress.step(&coverage, Step::Check, Some(files.iter().map(|file| file.bytes).sum()));
        for file in files {
            counts.merge(&self.file(file, &schema, manifest.month).await?);
            self.progress.advance(&coverage, file.bytes);
        }
        self.progress.finish(&coverage);
        Ok((column.map(str::to_owned), counts))
    }

    async fn file(&self, file: &DataFile, schema: &Arc<Schema>, month: Month) -> Result<DayCounts> {
        let column = column::verdict(schema);
        if let Some(known) = self.cache.get(file, column) {
            return Ok(known);
        }
        let local_path = self.scratch.path().join("file");
        fetch_committed(&self.sink, file, &local_path).await?;
        let (format, schema) = (file.format, Arc::clone(schema));
        let reading = tokio::task::spawn_blocking(move || {
            let column = column::verdict(&schema);
            let columns = column.into_iter().collect::<HashSet<_>>();
            let part = Part { window: month.window(), columns: &columns };
            let mut tally = Tally::new(month, column);
            let mut visit = |batch: &EventBatch| {
                tally.add(batch);
                Ok(())
            };
            contents::part_of_events(&local_path, format, &schema, part, &mut visit)?;
            Ok(tally.finish())
        });
        let stopped =
            |error| Error::new(ErrorKind::Internal, "counting the events of a file stopped").with_source(error);
        let counts = match reading.await.map_err(stopped)? {
            Ok(counts) if counts.events() == file.rows => counts,
            Ok(_) => {
                return Err(damaged(&self.sink, file, "holds events of another month, or not as many as it should"));
            }
            Err(ContentsError::Failed(error)) => return Err(error),
            Err(error) => {
                return Err(damaged(&self.sink, file, "does not hold what its manifest says").with_source(error));
            }
        };
        if let Err(error) = self.cache.put(file, column, &counts) {
            tracing::debug!(%error, "what was counted will be counted again");
        }
        Ok(counts)
    }
}

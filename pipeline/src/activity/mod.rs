//! Events per day by verdict, counted from the files that manifests name.
//!
//! A file is read once, after a check of its digest; of Parquet only the needed columns are decoded. Counts are cached by
//! the file's digest, so that a report of years reads the new month only. For all other files only existence and size
//! are checked; `verify` checks their bytes.

mod cache;
mod counts;
mod tally;

pub use counts::{DayCounts, Days, Verdict};

use crate::{
    archive::ArchiveRecord as _,
    pull::months,
    reader::{Reader, Scan, damaged},
    report::Failure,
    state::{self, Scratch},
};
use archive_connectors::{
    ErrorKind, Progress, Result, Sink,
    progress::{Step, Subject},
    sink::Location,
};
use archive_formats::{Chain, Dataset, Entry, Manifest, Month, Schema, manifest::DataFile};
use cache::Cache;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    pin::pin,
    sync::Arc,
};
use tally::Tally;

/// Number of concurrent size requests.
const CONCURRENT_HEADS: usize = 16;

/// The counted events of a dataset.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The verdict columns: several if months differ. Excludes columns with too many values.
    pub columns: BTreeSet<String>,
    /// The counts of the months.
    pub months: BTreeMap<Month, DayCounts>,
    /// The months that could not be counted, with the reason. Disjoint from `months`.
    pub unread: BTreeMap<Month, Failure>,
}

/// Counts events of an archive, with a cache in the state folder.
#[derive(Debug)]
pub struct Counter {
    reader: Reader,
    cache: Cache,
    /// The folder of the reader, removed on drop.
    _scratch: Scratch,
    progress: Arc<dyn Progress>,
}

impl Counter {
    /// Creates a counter of the archive at `location`, with its cache in the folder `state`.
    pub fn new(location: &Location, state: &Path, progress: Arc<dyn Progress>) -> Result<Self> {
        let scratch = Scratch::new(state, "report")?;
        let reader = Reader::new(Sink::open(location)?, scratch.path().to_owned());
        let cache = Cache::new(state, &state::place(location));
        Ok(Self { reader, cache, _scratch: scratch, progress })
    }

    /// Counts the events of `dataset` in the months from `first` to `last`. Damaged months are returned as unread; other
    /// errors end the count.
    pub async fn count(&self, chain: &Chain, dataset: &Dataset, first: Month, last: Month) -> Result<Activity> {
        let mut activity = Activity::default();
        let mut columns = BTreeMap::<Month, BTreeSet<String>>::new();
        let range = first..=last;
        let wanted = |entry: &&Entry| entry.manifest.dataset == *dataset && range.contains(&entry.manifest.month);
        for Entry { manifest, .. } in chain.entries().iter().filter(wanted) {
            let month = manifest.month;
            match self.month(manifest).await {
                Ok(counts) => {
                    let column = manifest.schema.as_ref().and_then(counts::verdict_column);
                    columns.entry(month).or_default().extend(column.map(str::to_owned));
                    activity.months.entry(month).or_default().merge(&counts);
                }
                Err(error) if matches!(error.kind(), ErrorKind::BrokenChain | ErrorKind::Incomplete) => {
                    activity.unread.insert(month, Failure::from(&error));
                }
                Err(error) => return Err(error),
            }
        }
        activity.months.retain(|month, _| !activity.unread.contains_key(month));
        let is_split = |month: &Month| activity.months.get(month).is_some_and(|counts| !counts.is_unsplit());
        activity.columns =
            columns.into_iter().filter(|(month, _)| is_split(month)).flat_map(|(_, names)| names).collect();
        Ok(activity)
    }

    async fn month(&self, manifest: &Manifest) -> Result<DayCounts> {
        let files = months::files(manifest, manifest.month.window())?;
        let subject = manifest.subject();
        self.progress.step(&subject, Step::Check, Some(files.iter().map(|file| file.bytes).sum()));
        let counted = self.files(manifest, &files, &subject).await;
        self.progress.finish(&subject);
        counted
    }

    async fn files(&self, manifest: &Manifest, files: &[&DataFile], subject: &Subject) -> Result<DayCounts> {
        self.check_sizes(&manifest.files).await?;
        let mut counts = DayCounts::default();
        // A manifest without a schema has no files of events.
        let Some(schema) = manifest.schema.clone().map(Arc::new) else { return Ok(counts) };
        for file in files {
            counts.merge(&self.file(file, &schema, manifest.month).await?);
            self.progress.advance(subject, file.bytes);
        }
        Ok(counts)
    }

    /// Checks that `files` exist with their sizes, also those of other formats and those with cached counts.
    async fn check_sizes(&self, files: &[DataFile]) -> Result<()> {
        let checks = files.iter().map(|file| async move {
            let is_there = self.reader.sink().head(&file.path).await? == Some(file.bytes);
            if is_there { Ok(()) } else { Err(damaged(self.reader.sink(), file, "is missing, or has another size")) }
        });
        stream::iter(checks).buffered(CONCURRENT_HEADS).try_collect().await
    }

    async fn file(&self, file: &DataFile, schema: &Arc<Schema>, month: Month) -> Result<DayCounts> {
        let column = counts::verdict_column(schema);
        if let Some(known) = self.cache.get(file, column) {
            return Ok(known);
        }
        let sink = self.reader.sink();
        let scan = Scan { window: month.window(), columns: column.into_iter().map(str::to_owned).collect() };
        let mut tally = Tally::new(month, column);
        let mut batches = pin!(self.reader.events(file, schema, Some(scan)));
        while let Some(batch) = batches.try_next().await.map_err(|error| error.into_error(sink, file))? {
            tally.add(&batch);
        }
        let counts = tally.finish();
        if counts.events() != file.rows {
            return Err(damaged(sink, file, "holds events of another month, or not as many as it should"));
        }
        if let Err(error) = self.cache.put(file, column, &counts) {
            tracing::debug!(%error, "could not cache the counts of a file");
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use archive_formats::{Sha256, manifest::SourceIdentity};
    use serde_json::json;
    use std::{fs, sync::Mutex};

    /// The bars that were started and those that were finished.
    #[derive(Debug, Default)]
    struct Bars(Mutex<(Vec<Subject>, Vec<Subject>)>);

    impl Progress for Bars {
        fn step(&self, subject: &Subject, _: Step, _: Option<u64>) {
            self.0.lock().unwrap().0.push(subject.clone());
        }

        fn advance(&self, _: &Subject, _: u64) {}

        fn finish(&self, subject: &Subject) {
            self.0.lock().unwrap().1.push(subject.clone());
        }
    }

    /// Adds a commit without events but with a file of rejected rows.
    fn commit(chain: &mut Chain, month: &str) {
        let file = json!({"path": format!("events/rejects/month={month}/part"), "format": "rejects", "rows": 0, "bytes": 3,
            "sha256": Sha256::digest(b"abc"), "first": null, "last": null});
        let demo = SourceIdentity { kind: "demo".to_owned(), url: "demo:".to_owned(), organisation: None };
        testing::commit(chain, month, &demo, &json!([file]));
    }

    #[tokio::test]
    async fn progress_of_a_damaged_month_is_finished() {
        let (place, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut chain = Chain::new("a".to_owned());
        for month in ["2025-01", "2025-02"] {
            commit(&mut chain, month);
        }
        let [lost, whole] = [0, 1].map(|index| &chain.entries()[index].manifest);
        let path = place.path().join(&whole.files[0].path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "abc").unwrap();
        let location = Location::parse(place.path().to_str().unwrap(), &BTreeMap::new()).unwrap();
        let bars = Arc::new(Bars::default());
        let counter = Counter::new(&location, state.path(), Arc::clone(&bars) as _).unwrap();
        for (manifest, is_damaged) in [(lost, true), (whole, false)] {
            let error = counter.month(manifest).await.map_err(|error| error.kind()).err();
            assert_eq!(error, is_damaged.then_some(ErrorKind::BrokenChain));
        }
        let (appeared, gone) = bars.0.lock().unwrap().clone();
        assert_eq!((appeared.len(), &appeared), (2, &gone));
    }
}

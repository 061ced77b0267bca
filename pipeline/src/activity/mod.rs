//! Events a day by verdict, counted from the files that manifests name.
//!
//! Each file is read once, and only after its bytes were compared with its digest; of Parquet only the columns that are
//! needed are decoded. What was counted is kept by the file's digest, so that a report of years reads the new month
//! alone. Of all other files it is only seen that they are there with their sizes: proving their bytes is for `verify`.

mod cache;
mod counts;
mod tally;

pub use counts::{DayCounts, Days, Verdict};

use crate::{
    pull::months,
    reader::{Reader, Scan, damaged},
    report::Failure,
    state::Scratch,
};
use archive_connectors::{
    ErrorKind, Progress, Result, Sink,
    progress::{DatasetMonth, Step},
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

/// Files that are looked at at once.
const LOOKS: usize = 16;

/// What happened in a dataset.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The columns that the verdicts come from: none, one, or several where months differ. One whose values are too many
    /// to be verdicts is none.
    pub columns: BTreeSet<String>,
    /// The months that were counted.
    pub months: BTreeMap<Month, DayCounts>,
    /// The months that could not be counted, and why. A month is here or there, never in both.
    pub unread: BTreeMap<Month, Failure>,
}

/// What counting works with.
#[derive(Debug)]
pub struct Counter {
    reader: Reader,
    cache: Cache,
    /// The folder of the reader. It vanishes with this value.
    _scratch: Scratch,
    progress: Arc<dyn Progress>,
}

impl Counter {
    /// Counts in the archive of `sink`; what was counted is kept in the folder `state`.
    pub fn new(sink: Sink, state: &Path, progress: Arc<dyn Progress>) -> Result<Self> {
        let scratch = Scratch::new(state, "report")?;
        let reader = Reader::new(sink, scratch.path().to_owned());
        Ok(Self { reader, cache: Cache::new(state), _scratch: scratch, progress })
    }

    /// Counts the events of `dataset` in the months from `first` to `last`. What is damaged is said of its month and
    /// stops nothing; other errors stop the count.
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
        let coverage = DatasetMonth { dataset: manifest.dataset.clone(), month: manifest.month };
        self.progress.step(&coverage, Step::Check, Some(files.iter().map(|file| file.bytes).sum()));
        let counted = self.files(manifest, &files, &coverage).await;
        self.progress.finish(&coverage);
        counted
    }

    async fn files(&self, manifest: &Manifest, files: &[&DataFile], coverage: &DatasetMonth) -> Result<DayCounts> {
        self.look(&manifest.files).await?;
        let mut counts = DayCounts::default();
        // Where there are files, there is a schema.
        let Some(schema) = manifest.schema.clone().map(Arc::new) else { return Ok(counts) };
        for file in files {
            counts.merge(&self.file(file, &schema, manifest.month).await?);
            self.progress.advance(coverage, file.bytes);
        }
        Ok(counts)
    }

    /// Looks whether `files` are there with their sizes, also those of other formats and those that were counted before.
    async fn look(&self, files: &[DataFile]) -> Result<()> {
        let looks = files.iter().map(|file| async move {
            let is_there = self.reader.sink().head(&file.path).await? == Some(file.bytes);
            if is_there { Ok(()) } else { Err(damaged(self.reader.sink(), file, "is missing, or has another size")) }
        });
        stream::iter(looks).buffered(LOOKS).try_collect().await
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
            tracing::debug!(%error, "what was counted will be counted again");
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::sink::Location;
    use archive_formats::Sha256;
    use serde_json::json;
    use std::{fs, sync::Mutex};

    /// Every bar that appeared, and every one that went.
    #[derive(Debug, Default)]
    struct Bars(Mutex<(Vec<DatasetMonth>, Vec<DatasetMonth>)>);

    impl Progress for Bars {
        fn step(&self, coverage: &DatasetMonth, _: Step, _: Option<u64>) {
            self.0.lock().unwrap().0.push(coverage.clone());
        }

        fn advance(&self, _: &DatasetMonth, _: u64) {}

        fn finish(&self, coverage: &DatasetMonth) {
            self.0.lock().unwrap().1.push(coverage.clone());
        }
    }

    /// A commit without events, which names a file of rejected rows all the same.
    fn commit(chain: &mut Chain, month: &str) {
        let file = json!({"path": format!("events/rejects/month={month}/part"), "format": "rejects", "rows": 0, "bytes": 3,
            "sha256": Sha256::digest(b"abc"), "first": null, "last": null});
        let document = json!({
            "format": "keeptrusts-archive/1", "archive": "a", "sequence": chain.next_sequence(),
            "previous": chain.head(), "kind": "month", "dataset": "events", "month": month,
            "window": {"from": format!("{month}-01T00:00:00Z"), "to": format!("{month}-28T00:00:00Z")},
            "committed_at": "2025-04-01T00:00:00Z", "source_clock": null,
            "tool": {"name": "kt-archive", "version": "0"},
            "source": {"type": "demo", "url": "demo:", "detail": null}, "schema": null, "transforms": [],
            "events": {"read": 0, "archived": 0, "outside_window": 0, "duplicates": 0, "conflicts": 0,
                "rejected": 0, "source_count": null, "first": null, "last": null},
            "files": [file],
        });
        let manifest = Manifest::from_bytes(document.to_string().as_bytes()).unwrap();
        chain.push(Entry { sha256: Sha256::digest(&manifest.to_bytes()), manifest }).unwrap();
    }

    #[tokio::test]
    async fn the_bar_of_a_damaged_month_goes_too() {
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
        let counter = Counter::new(Sink::open(&location).unwrap(), state.path(), Arc::clone(&bars) as _).unwrap();
        for (manifest, is_damaged) in [(lost, true), (whole, false)] {
            let error = counter.month(manifest).await.map_err(|error| error.kind()).err();
            assert_eq!(error, is_damaged.then_some(ErrorKind::BrokenChain));
        }
        let (appeared, gone) = bars.0.lock().unwrap().clone();
        assert_eq!((appeared.len(), &appeared), (2, &gone));
    }
}

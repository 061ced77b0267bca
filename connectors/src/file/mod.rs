//! Events out of files that were exported earlier.
//!
//! `paths` finds the files. The first read looks through all of them once (`index`): which months they hold, and where.
//! Every read then decodes only the chunks that can hold events of its window: `plan` chooses them, `load` brings their
//! bytes, and `stream` makes events of them. The files are the user's, and nothing here writes to them.

mod index;
mod load;
mod paths;
mod plan;
mod stream;

use crate::{
    EventStream, Progress, Result, Source,
    progress::{Meter, Step},
};
use archive_formats::{Dataset, Window, catalogue::KeyColumns};
use index::Indexed;
use paths::Named;
use std::{path::Path, sync::Arc};
use tokio::sync::OnceCell;

/// Files of events, named by a path or a pattern.
#[derive(Clone, Debug)]
pub struct Files {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What the user typed.
    address: String,
    files: Vec<File>,
    keys: KeyColumns,
    progress: Arc<dyn Progress>,
}

#[derive(Debug)]
struct File {
    named: Named,
    indexed: OnceCell<Arc<Indexed>>,
}

impl Files {
    /// The files that `path` names, which may be a pattern; `address` is what the user typed, and what manifests say.
    ///
    /// They are looked for here, and opened at the first read.
    pub fn new(address: String, path: &Path, keys: KeyColumns, progress: Arc<dyn Progress>) -> Result<Self> {
        let named = paths::find(path)?;
        let files = named.into_iter().map(|named| File { named, indexed: OnceCell::new() }).collect();
        Ok(Self { inner: Arc::new(Inner { address, files, keys, progress }) })
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.inner.files.len()
    }
}

impl Inner {
    /// What is in the files. The first caller has them read, once.
    async fn index(&self, meter: &Meter) -> Result<Vec<Arc<Indexed>>> {
        if self.files.iter().any(|file| !file.indexed.initialized()) {
            meter.step(Step::Index, Some(self.files.iter().map(|file| file.named.stamp.bytes).sum()));
        }
        let mut all = Vec::new();
        for file in &self.files {
            let named = &file.named;
            let indexed = file.indexed.get_or_try_init(|| async {
                named.unchanged()?;
                let indexed = index::index(named, &self.keys, meter).await;
                let indexed = indexed.map_err(|error| error.with_context("file", &named.name))?;
                named.unchanged()?;
                Ok(Arc::new(indexed))
            });
            all.push(Arc::clone(indexed.await?));
        }
        Ok(all)
    }
}

impl Source for Files {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn url(&self) -> String {
        self.inner.address.clone()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.inner.progress), dataset, window);
        stream::stream(Arc::clone(&self.inner), window, meter)
    }

    fn settle(&self, _: &Dataset, _: Window) {}
}

#[cfg(test)]
mod tests;

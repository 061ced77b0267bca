//! Events from files that were exported earlier.
//!
//! `paths` finds the files. The first read scans all of them once (`index`): which months they hold, and in which chunks.
//! Every read then decodes only the chunks that can hold events of its window: `plan` chooses them, `load` reads their
//! bytes, and `stream` decodes them. The files belong to the user, and nothing here writes to them.

mod index;
mod load;
mod paths;
mod plan;
mod stream;

use crate::{ArtifactRules, EventStream, Progress, Result, Source, progress::Meter};
use archive_formats::{Dataset, Window};
use index::FileSet;
use std::{path::PathBuf, sync::Arc};

/// Its name in manifests.
pub const KIND: &str = "file";

/// Settings of [`Files`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The address as the user wrote it, which manifests record.
    pub address: String,
    /// The path of a file, or a pattern of paths with `*`, `?`, `[…]` and `**`.
    pub path: PathBuf,
    /// How they are read.
    pub rules: ArtifactRules,
}

/// Files of events, named by a path or a pattern.
#[derive(Clone, Debug)]
pub struct Files {
    address: Arc<str>,
    set: Arc<FileSet>,
    progress: Arc<dyn Progress>,
}

impl Files {
    /// Finds the files that `config` names. They are read when the first stream is.
    pub fn new(config: Config, progress: Arc<dyn Progress>) -> Result<Self> {
        let Config { address, path, rules } = config;
        Ok(Self { address: address.into(), set: Arc::new(FileSet::new(paths::find(&path)?, rules)), progress })
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.set.len()
    }
}

impl Source for Files {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn url(&self) -> String {
        self.address.as_ref().to_owned()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.progress), dataset, window);
        stream::stream(Arc::clone(&self.set), window, meter)
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}

#[cfg(test)]
mod tests;

//! Events from the exports API of Keeptrusts.
//!
//! A read asks for an export job (`job`), downloads its artifact into the spool (`download`) and decodes it from there
//! (`artifact`), so that a broken connection, a crash or a second read costs neither another job nor another download.
//! A later run finds the jobs in the `journal`. The platform documents several shapes of the same responses: `wire`
//! parses all of them, and nothing else looks at JSON.

mod artifact;
mod client;
mod config;
mod download;
mod fetch;
mod job;
mod journal;
mod probe;
mod representation;
mod response;
mod stream;
mod wire;

pub use config::{ArtifactFormat, Config, Credentials, Layout};
pub use probe::probe;
#[cfg(feature = "testing")]
pub use wire::{ReadJob, read_job};

use crate::{Clock, EventStream, Progress, Result, Source, progress::Meter};
use archive_formats::{Dataset, Window};
use fetch::Fetcher;
use std::{path::Path, sync::Arc};
use uuid::Uuid;

/// Its name in manifests.
pub const KIND: &str = "exports-api";

/// The exports API of one server, for one archive.
#[derive(Clone, Debug)]
pub struct ExportsApi {
    fetcher: Arc<Fetcher>,
    progress: Arc<dyn Progress>,
}

impl ExportsApi {
    /// The API that `config` describes. Journal and spool are in `state`; jobs are kept apart by `archive`.
    ///
    /// Sends nothing: a wrong address or token shows at the first read. Fails if there is no token.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        progress: Arc<dyn Progress>,
        state: &Path,
        archive: Uuid,
    ) -> Result<Self> {
        let fetcher = Fetcher::new(config, clock, &state.join("exports-api"), archive)?;
        Ok(Self { fetcher: Arc::new(fetcher), progress })
    }
}

impl Source for ExportsApi {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn url(&self) -> String {
        self.fetcher.url.clone()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.progress), dataset, window);
        stream::stream(Arc::clone(&self.fetcher), dataset.clone(), window, meter)
    }

    fn on_committed(&self, dataset: &Dataset, window: Window) {
        self.fetcher.remove_window(dataset, window);
        self.fetcher.remove_abandoned();
    }
}

#[cfg(test)]
mod tests;

//! Events out of the Keeptrusts exports API.
//!
//! A read asks for an export job (`job`), downloads its artifact into the spool (`download`) and decodes it from
//! there (`artifact`), so that a broken connection, a crash or a second read costs neither another job nor another
//! download. `journal` is what a later run finds jobs by. The platform documents several shapes of the same answers;
//! `wire` reads them all, and nothing else looks at JSON.

mod artifact;
mod client;
mod config;
mod download;
mod fetch;
mod job;
mod journal;
mod probe;
mod response;
mod stream;
mod wire;

pub use config::{ArtifactFormat, Config, Credentials, Endpoints, Layout};
pub use probe::probe;

use crate::{Clock, EventStream, Progress, Result, Source, progress::Meter, spool::Spool};
use archive_formats::{Dataset, Window, catalogue::KeyColumns};
use fetch::Slots;
use journal::Journal;
use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};
use url::Url;
use uuid::Uuid;

/// The exports API of one server, for one archive.
#[derive(Clone, Debug)]
pub struct ExportsApi {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: client::Client,
    journal: Journal,
    spool: Spool,
    slots: Slots,
    clock: Arc<dyn Clock>,
    progress: Arc<dyn Progress>,
    archive: Uuid,
    base: Url,
    /// The base as it is shown and recorded.
    url: String,
    layout: Layout,
    known: OnceLock<Endpoints>,
    format: ArtifactFormat,
    margin: Duration,
    job_timeout: Duration,
    allow_http: bool,
    keys: KeyColumns,
}

impl ExportsApi {
    /// The API that `config` describes. Journal and spool lie in `state`; jobs are kept apart by `archive`.
    ///
    /// Nothing is sent yet, so a wrong address or token shows at the first read.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        progress: Arc<dyn Progress>,
        state: &Path,
        archive: Uuid,
    ) -> Result<Self> {
        let Config { base, layout, format, margin, job_timeout, allow_http, keys, credentials } = config.validated()?;
        let state = state.join("exports-api");
        let inner = Inner {
            client: client::Client::new(base.clone(), credentials, allow_http, Arc::clone(&clock))?,
            journal: Journal::new(state.join("journal")),
            spool: Spool::new(state.join("spool")),
            slots: Slots::default(),
            clock,
            progress,
            archive,
            url: config::printable(&base),
            base,
            layout,
            known: OnceLock::new(),
            format,
            margin,
            job_timeout,
            allow_http,
            keys,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Source for ExportsApi {
    fn kind(&self) -> &'static str {
        "exports-api"
    }

    fn url(&self) -> String {
        self.inner.url.clone()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.inner.progress), dataset, window);
        stream::stream(Arc::clone(&self.inner), dataset.clone(), window, meter)
    }

    fn settle(&self, dataset: &Dataset, window: Window) {
        self.inner.settle(dataset, window);
        self.inner.sweep();
    }
}

#[cfg(test)]
mod tests;

//! Events straight from a PostgreSQL database.
//!
//! A window is read in one snapshot, which one connection takes and holds (`snapshot`). The catalogue says what is in the
//! table (`catalogue`, `types`) and how it is best cut (`partition`); several connections join the snapshot and copy the
//! slices out, and `stream` puts what they bring in order again.

mod catalogue;
mod config;
mod connect;
mod connection;
mod conninfo;
mod copy;
mod failure;
mod open_transactions;
mod partition;
mod password_file;
mod probe;
pub mod restore;
mod snapshot;
mod stream;
mod tls;
mod types;

pub use config::{Config, Server, Table};
pub use probe::probe;

use crate::{Clock, EventStream, Progress, Result, Source, progress::Meter};
use archive_formats::{Dataset, Window};
use catalogue::Nested;
use snapshot::Snapshot;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// A PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    clock: Arc<dyn Clock>,
    progress: Arc<dyn Progress>,
    /// One permit for each connection that may read.
    readers: Semaphore,
    nested: Nested,
    /// Snapshots that a window may be read in again.
    snapshots: Mutex<HashMap<(Dataset, Window), Arc<Snapshot>>>,
}

impl Postgres {
    /// The database that `config` describes. Nothing is contacted yet.
    pub fn new(config: Config, clock: Arc<dyn Clock>, progress: Arc<dyn Progress>) -> Self {
        let readers = Semaphore::new(config.connections);
        let (nested, snapshots) = (Nested::default(), Mutex::default());
        Self { inner: Arc::new(Inner { config, clock, progress, readers, nested, snapshots }) }
    }
}

impl Source for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn url(&self) -> String {
        self.inner.config.server.url().to_owned()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.inner.progress), dataset, window);
        stream::stream(Arc::clone(&self.inner), dataset.clone(), window, meter)
    }

    fn release(&self, dataset: &Dataset, window: Window) {
        self.inner.forget(dataset, window);
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}

impl Inner {
    /// The snapshot that `window` is read in: the one of an earlier read, unless that failed or was released.
    async fn snapshot(&self, dataset: &Dataset, window: Window) -> Result<Arc<Snapshot>> {
        let key = (dataset.clone(), window);
        let kept = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let taken = Arc::new(Snapshot::take(self, dataset, window).await?);
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&taken));
        Ok(taken)
    }

    fn forget(&self, dataset: &Dataset, window: Window) {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).remove(&(dataset.clone(), window));
    }
}

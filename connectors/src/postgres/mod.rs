//! Events read directly from a PostgreSQL database.
//!
//! A window is read in one snapshot, which one connection takes and holds (`snapshot`). The catalogue gives the columns of
//! the table (`catalogue`, `types`), `partition` divides its rows, and several connections join the snapshot and copy the
//! partitions out (`copy`). `stream` puts their rows in order again. Sessions are used for one month after the other (`pool`).
//!
//! The contents of a whole database, for backups, are in [`contents`], and the platform's configurations in
//! [`configurations`].

mod catalogue;
mod config;
pub mod configurations;
mod connect;
mod connection;
mod conninfo;
pub mod contents;
mod copy;
mod copy_sum;
pub mod databases;
mod failure;
pub mod index_check;
mod open_transactions;
mod partition;
mod password_file;
mod pool;
mod probe;
pub mod programs;
mod quote;
pub mod restore;
pub mod scratch;
mod silence;
mod snapshot;
mod stream;
mod table_lock;
mod tls;
mod types;

pub use config::{Config, Server, Table};
pub use probe::probe;

use crate::{Clock, EventStream, Progress, Source, progress::Meter};
use archive_formats::{Dataset, Window};
use std::sync::Arc;
use stream::Shared;

/// Its name in manifests.
pub const KIND: &str = "postgres";

/// A PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    shared: Arc<Shared>,
}

impl Postgres {
    /// The database that `config` describes. Nothing is contacted yet.
    pub fn new(config: Config, clock: Arc<dyn Clock>, progress: Arc<dyn Progress>) -> Self {
        Self { shared: Arc::new(Shared::new(config, clock, progress)) }
    }
}

impl Source for Postgres {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn url(&self) -> String {
        self.shared.pool.config.server.url().to_owned()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let meter = Meter::new(Arc::clone(&self.shared.progress), dataset, window);
        stream::stream(Arc::clone(&self.shared), dataset.clone(), window, meter)
    }

    fn release(&self, dataset: &Dataset, window: Window) {
        self.shared.release(dataset, window);
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}

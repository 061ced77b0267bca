//! How a PostgreSQL database is read.

use crate::{config::Config, environment::Environment};
use archive_connectors::{
    Result,
    postgres::{self, Server},
};
use std::{collections::BTreeMap, thread, time::Duration};

/// Whatever the host has: more would weigh on a server that others use.
const MOST_DEFAULT_CONNECTIONS: usize = 16;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3_600);
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked of the server at `url`.
pub(super) fn config(url: &str, _: &Config, environment: &Environment) -> Result<postgres::Config> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Ok(postgres::Config {
        server: Server::new(url, &|name| environment.get(name).map(str::to_owned))?,
        connections: cores.min(MOST_DEFAULT_CONNECTIONS),
        tables: BTreeMap::new(),
        org: None,
        statement_timeout: STATEMENT_TIMEOUT,
        lock_timeout: LOCK_TIMEOUT,
    })
}

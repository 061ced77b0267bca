//! Sessions that read a whole database. Short: they are those of any reader, with a few more settings.

use super::super::{
    config::Server,
    connect::connect,
    connection::{Connection, Session},
    failure::lost,
};
use crate::{
    Result,
    retry::{Policy, retry},
};
use std::time::Duration;

/// How a database is read.
#[derive(Clone, Debug)]
pub struct Access {
    /// The server, the database and the credentials.
    pub server: Server,
    /// Connections that read contents at the same time, beside the one that holds the snapshot; at least one.
    pub connections: usize,
    /// The server's `statement_timeout`; zero means no limit.
    pub statement_timeout: Duration,
    /// The server's `lock_timeout`; zero means no limit.
    pub lock_timeout: Duration,
}

/// The settings of values' text that [`Session`] leaves to the server, since archived months depend on them.
const SETTINGS: &str = "select pg_catalog.set_config('lc_monetary', 'C', false), \
    pg_catalog.set_config('quote_all_identifiers', 'off', false)";

/// Begins a transaction that has one snapshot.
pub(in super::super) const BEGIN: &str = "begin isolation level repeatable read read only";

impl Access {
    /// Opens a read-only session with pinned settings.
    pub(in super::super) async fn open(&self) -> Result<Connection> {
        let Self { statement_timeout, lock_timeout, .. } = *self;
        let session = Session { read_only: true, statement_timeout, lock_timeout };
        let connection = retry(Policy::per_call(), || connect(&self.server, &session)).await?;
        connection.client().batch_execute(SETTINGS).await.map_err(|error| lost("prepare the session", error))?;
        Ok(connection)
    }
}

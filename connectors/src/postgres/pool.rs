//! Read-only sessions that outlive a month: opening one costs the server as much as it costs to send thousands of rows.

use super::{config::Config, connect::connect_read_only, connection::Connection};
use crate::Result;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};

/// Idle sessions, outside a transaction and with the settings of [`connect_read_only`]. One on which anything failed is
/// not given back, and so closed.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) config: Config,
    /// Each task ends the transaction of a session; `None` if that failed.
    idle: Mutex<JoinSet<Option<Connection>>>,
}

impl Pool {
    /// A pool without sessions.
    pub(super) fn new(config: Config) -> Self {
        Self { config, idle: Mutex::default() }
    }

    /// Takes an idle session, or opens one.
    pub(super) async fn take(&self) -> Result<Connection> {
        /// How long an idle session may take to answer: a firewall may have forgotten it.
        const TIMEOUT: Duration = Duration::from_secs(5);
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).try_join_next();
            let Some(idle) = idle else { return connect_read_only(&self.config).await };
            if let Ok(Some(connection)) = idle
                && timeout(TIMEOUT, connection.is_unchanged()).await.unwrap_or(false)
            {
                return Ok(connection);
            }
            tracing::debug!("an idle session is lost, or its server changed");
        }
    }

    /// Ends the transaction of `connection` and keeps the session, without waiting for either.
    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.spawn(async move {
            // Also takes back what the transaction changed of the session's settings.
            connection.client().batch_execute("rollback").await.is_ok().then_some(connection)
        });
    }
}

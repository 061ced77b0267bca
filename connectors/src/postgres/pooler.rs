//! Poolers that give the sessions of several clients one backend.

use super::{Server, connect::open, connection::Connection};
use crate::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::time::timeout;

/// Refuses a way to `server` on which transactions of one session run in several backends. `first` must be outside a
/// transaction, and nothing may be set in it yet: in a pool by transaction, what we set would stay set for the backend's
/// next client, who may be somebody that wants to write.
pub(super) async fn refuse_transaction_pooler(first: &Connection, server: &Server) -> Result<()> {
    if first.announced_backend().await? == first.backend() || server.pooled_by_session.get().is_some() {
        return Ok(());
    }
    let second = second(server).await?;
    let shared = shares_backends(first, &second).await?;
    second.close().await;
    if shared {
        return Err(Error::new(ErrorKind::Configuration, "the server is behind a pooler that hands out transactions")
            .with_context("url", server.url())
            .with_hint("snapshots need sessions: connect to the server itself, or to a pool in session mode"));
    }
    // Fails only if another connection found out the same.
    let _ = server.pooled_by_session.set(());
    Ok(())
}

async fn second(server: &Server) -> Result<Connection> {
    const PATIENCE: Duration = Duration::from_secs(20);
    timeout(PATIENCE, open(server)).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::SourceUnavailable, "the server is behind a pooler that has no second connection")
            .with_hint("connect to the server itself, or make the pool larger"))
    })
}

/// Whether two idle sessions meet in a backend, or move between backends. Others use the pool as well, so that a meeting
/// may take more than one look.
async fn shares_backends(first: &Connection, second: &Connection) -> Result<bool> {
    const LOOKS: usize = 4;
    let (ours, theirs) = (first.backend(), second.backend());
    let mut shared = ours == theirs;
    for _ in 0..LOOKS {
        shared |= backend(first).await? != ours || backend(second).await? != theirs;
    }
    Ok(shared)
}

async fn backend(connection: &Connection) -> Result<i32> {
    connection.ask("process", "select pg_catalog.pg_backend_pid()").await
}

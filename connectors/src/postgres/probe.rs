//! Whether a run would get on with the server.

use super::{Config, connect::connect, connection::Connection, session::Session};
use crate::{Clock, Probe, Result, skew};
use archive_formats::Timestamp;
use std::sync::Arc;

/// Opens a session as a run would, and compares the server's clock with ours. Poolers by transaction are refused.
pub async fn probe(config: Config, clock: Arc<dyn Clock>) -> Vec<Probe> {
    let Config { server, statement_timeout, lock_timeout, .. } = config;
    let session = Session { read_only: true, statement_timeout, lock_timeout };
    let connection = match connect(&server, &session).await {
        Ok(connection) => connection,
        Err(error) => return vec![Probe::failed("source", error)],
    };
    let probes = vec![
        Probe::passed("source", described(&connection)),
        Probe::passed("source: TLS", protection(&connection)),
        Probe::new("source: clock", apart(&connection, clock).await),
    ];
    connection.close().await;
    probes
}

fn described(connection: &Connection) -> String {
    let role = if connection.is_standby() { "a standby" } else { "a primary" };
    format!("PostgreSQL {}, {role}", connection.version().1)
}

fn protection(connection: &Connection) -> String {
    connection.tls().map_or_else(|| "none: the way to the server is not protected".to_owned(), str::to_owned)
}

async fn apart(connection: &Connection, clock: Arc<dyn Clock>) -> Result<String> {
    const NOW: &str = "select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8";
    let server = connection.ask("time", NOW).await?;
    skew::compare(Some(Timestamp::from_micros(server)), clock.now())
}

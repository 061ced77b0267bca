//! Whether a run would get on with the server.

use super::{
    catalogue::Relation,
    config::Config,
    connect::connect,
    connection::{Connection, Session},
    snapshot,
};
use crate::{Clock, Probe, Result, clock::compare_clocks};
use archive_formats::{Dataset, Timestamp};
use std::sync::Arc;

/// Opens a session as a run would, compares the server's clock with ours, and looks for the tables of `datasets`, of
/// which no row is read. Poolers by transaction are refused.
pub async fn probe(config: Config, datasets: &[Dataset], clock: Arc<dyn Clock>) -> Vec<Probe> {
    let Config { server, statement_timeout, lock_timeout, .. } = &config;
    let session = Session { read_only: true, statement_timeout: *statement_timeout, lock_timeout: *lock_timeout };
    let connection = match connect(server, &session).await {
        Ok(connection) => connection,
        Err(error) => return vec![Probe::failed("source", error)],
    };
    let mut probes = vec![
        Probe::passed("source", described(&connection)),
        Probe::passed("source: TLS", protection(&connection)),
        Probe::new("source: clock", apart(&connection, clock).await),
    ];
    for dataset in datasets {
        probes.push(Probe::new("source: table", table(&connection, &config, dataset).await));
    }
    connection.close().await;
    probes
}

/// What a run would read of a dataset.
async fn table(connection: &Connection, config: &Config, dataset: &Dataset) -> Result<String> {
    let table = config.tables.get(dataset).cloned().unwrap_or_default();
    let relation = Relation::find(connection.client(), dataset, &table).await?;
    let columns = snapshot::may_read(connection, config, &relation, &table).await?;
    let (name, schema) = (&relation.name, &columns.schema);
    Ok(format!("{name}: {} columns, id {:?}, time {:?}", schema.columns().len(), schema.id(), schema.time()))
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
    compare_clocks(Some(Timestamp::from_micros(server)), clock.now())
}

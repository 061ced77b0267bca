//! Checks whether a run could read from the server. Short, since the checks are those of a run.

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

/// Opens a session as a run would, compares the server's clock with `clock`, and finds the tables of `datasets` without
/// reading rows. Poolers in transaction mode fail.
pub async fn probe(config: Config, datasets: &[Dataset], clock: Arc<dyn Clock>) -> Vec<Probe> {
    let connection = match connect(&config.server, &Session::reading(&config)).await {
        Ok(connection) => connection,
        Err(error) => return vec![Probe::failed("source", error)],
    };
    let mut probes = vec![
        Probe::passed("source", describe(&connection)),
        Probe::passed("source: TLS", tls(&connection)),
        Probe::new("source: clock", clock_difference(&connection, clock).await),
    ];
    for dataset in datasets {
        probes.push(Probe::new("source: table", table(&connection, &config, dataset).await));
    }
    connection.close().await;
    probes
}

/// The table, the number of columns and the key columns that a run would read.
async fn table(connection: &Connection, config: &Config, dataset: &Dataset) -> Result<String> {
    let table = config.tables.get(dataset).cloned().unwrap_or_default();
    let relation = Relation::find(connection.client(), dataset, &table).await?;
    let columns = snapshot::may_read(connection, config, &relation, &table).await?;
    let (name, schema) = (&relation.name, &columns.schema);
    Ok(format!("{name}: {} columns, id {:?}, time {:?}", schema.columns().len(), schema.id(), schema.time()))
}

fn describe(connection: &Connection) -> String {
    let role = if connection.is_standby() { "a standby" } else { "a primary" };
    format!("PostgreSQL {}, {role}", connection.version().1)
}

fn tls(connection: &Connection) -> String {
    connection.tls().map_or_else(|| "none: the connection is not encrypted".to_owned(), str::to_owned)
}

async fn clock_difference(connection: &Connection, clock: Arc<dyn Clock>) -> Result<String> {
    const NOW: &str = "select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8";
    let server = connection.ask("time", NOW).await?;
    compare_clocks(Some(Timestamp::from_micros(server)), clock.now())
}

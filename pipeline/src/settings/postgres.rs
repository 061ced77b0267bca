//! Settings of the PostgreSQL source.

use super::{HOUR, invalid, transforms::names};
use crate::{
    config::{Config, DatasetEntry},
    environment::Environment,
};
use archive_connectors::{
    Result,
    postgres::{self, Server, Table},
};
use archive_formats::{Dataset, catalogue::KeyColumns};
use std::{collections::BTreeMap, thread, time::Duration};

/// Regardless of the number of cores: the server has other clients.
const MAX_DEFAULT_CONNECTIONS: usize = 16;
/// Above this, a server with default settings may refuse connections.
const MAX_CONNECTIONS: u32 = 64;
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Validates the settings of the source at `url`.
pub(super) fn config(url: &str, config: &Config, environment: &Environment) -> Result<postgres::Config> {
    Ok(postgres::Config {
        server: Server::new(url, &|name| environment.get(name).map(str::to_owned))?,
        connections: connections(config)?,
        tables: tables(config)?,
        org: not_empty("--where-org", config.where_org.as_ref())?,
        statement_timeout: config.statement_timeout.map_or(HOUR, |span| span.0),
        lock_timeout: config.lock_timeout.map_or(LOCK_TIMEOUT, |span| span.0),
    })
}

pub(super) fn connections(config: &Config) -> Result<usize> {
    match config.connections.map(|count| count.0) {
        None => Ok(thread::available_parallelism().map_or(1, usize::from).min(MAX_DEFAULT_CONNECTIONS)),
        Some(count @ 1..=MAX_CONNECTIONS) => Ok(usize::try_from(count).unwrap_or(1)),
        Some(count) => Err(invalid(format!("{count} connections are not possible"))
            .with_hint(format!("use 1 to {MAX_CONNECTIONS} for --connections"))),
    }
}

fn tables(config: &Config) -> Result<BTreeMap<Dataset, Table>> {
    let entries = config.dataset.as_ref().map_or(&[][..], |datasets| &datasets.0);
    let first = entries.first().map(|entry| &entry.name);
    if config.table.is_some() && entries.iter().any(|entry| Some(&entry.name) != first) {
        return Err(invalid("--table is the table of one dataset, and several are named")
            .with_hint("give each its table in a [[dataset]] of the configuration file"));
    }
    entries.iter().map(|entry| Ok((entry.name.clone(), table(entry, config)?))).collect()
}

/// The table of a dataset: its own keys, then those for all datasets.
fn table(entry: &DatasetEntry, config: &Config) -> Result<Table> {
    let either = |own: &Option<String>, common: &Option<String>| own.clone().or_else(|| common.clone());
    let name = either(&entry.table, &config.table);
    Ok(Table {
        name: not_empty("--table", name.as_ref())?,
        keys: KeyColumns {
            id: either(&entry.id_column, &config.id_column),
            time: either(&entry.time_column, &config.time_column),
        },
        columns: names(&format!("the dataset {}", entry.name), entry.columns.as_ref())?,
        archived: names("--columns", config.columns.as_ref())?,
    })
}

fn not_empty(option: &str, text: Option<&String>) -> Result<Option<String>> {
    match text {
        Some(text) if text.trim().is_empty() => Err(invalid(format!("{option} is empty"))),
        text => Ok(text.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Datasets;

    fn read(toml: &str) -> Result<postgres::Config> {
        let environment = Environment::from([("HOME", "/home/ada"), ("USER", "ada")]);
        config("postgres://archiver@127.0.0.1/keeptrusts", &toml::from_str(toml).unwrap(), &environment)
    }

    fn refusal(toml: &str) -> String {
        let error = read(toml).unwrap_err();
        assert_eq!(error.kind(), archive_connectors::ErrorKind::Configuration, "{toml}");
        format!("{error}; {}", error.hint())
    }

    fn table_of(tables: &BTreeMap<Dataset, Table>, name: &str) -> Table {
        tables[&name.parse::<Dataset>().unwrap()].clone()
    }

    #[test]
    fn defaults_limit_the_load_on_the_server() {
        let config = read("").unwrap();
        assert!((1..=MAX_DEFAULT_CONNECTIONS).contains(&config.connections), "{}", config.connections);
        assert_eq!((config.statement_timeout, config.lock_timeout), (HOUR, Duration::from_secs(10)));
        assert_eq!((config.tables.len(), config.org), (0, None));
        let config =
            read("connections = 3\nwhere-org = 'acme'\nstatement-timeout = '0s'\nlock-timeout = '1m'").unwrap();
        assert_eq!((config.connections, config.org.as_deref()), (3, Some("acme")));
        assert_eq!((config.statement_timeout, config.lock_timeout), (Duration::ZERO, Duration::from_secs(60)));
    }

    #[test]
    fn dataset_keys_override_those_for_all_datasets() {
        let toml = "id-column = 'n'\ntime-column = 't'\n[[dataset]]\nname = 'events'\n[[dataset]]\n\
                    name = 'decisions'\ntable = 'ai.d'\ntime-column = 'at'\ncolumns = 'n,at,n'";
        let tables = read(toml).unwrap().tables;
        let keys = |id: &str, time: &str| KeyColumns { id: Some(id.to_owned()), time: Some(time.to_owned()) };
        assert_eq!(table_of(&tables, "events"), Table { keys: keys("n", "t"), ..Table::default() });
        let columns = Some(["n", "at"].map(str::to_owned).to_vec());
        let name = Some("ai.d".to_owned());
        assert_eq!(table_of(&tables, "decisions"), Table { name, keys: keys("n", "at"), columns, archived: None });
    }

    #[test]
    fn table_applies_to_a_single_dataset() {
        let one = read("dataset = 'decisions,decisions'\ntable = 'ai.d'").unwrap().tables;
        assert_eq!(table_of(&one, "decisions").name.as_deref(), Some("ai.d"));
        assert!(refusal("dataset = 'events,decisions'\ntable = 'ai.d'").contains("[[dataset]]"));
    }

    #[test]
    fn rejects_invalid_settings() {
        assert!(refusal("connections = 0").contains("0 connections are not possible; use 1 to 64"));
        assert!(refusal("connections = 65").contains("use 1 to 64"));
        assert!(refusal("where-org = ''").contains("--where-org is empty"));
        assert!(refusal("dataset = 'a'\ntable = ' '").contains("--table is empty"));
        for columns in ["[]", "'a,'"] {
            let refusal = refusal(&format!("[[dataset]]\nname = 'a'\ncolumns = {columns}"));
            assert!(refusal.contains("the dataset a names no column"), "{refusal}");
        }
        let none = Config { dataset: Some(Datasets::default()), ..Config::default() };
        assert!(tables(&none).unwrap().is_empty());
    }
}

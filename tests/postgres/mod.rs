//! PostgreSQL as a source, and as the target of `restore`, with a real server.

mod connections;
mod consistency;
mod contents;
mod datasets;
mod drift;
mod faults;
mod keys;
mod manifest;
mod open_transactions;
mod own_server;
mod restore;
mod round_trip;
mod settings;
mod slices;
mod tls;
mod types;

use crate::support::{
    archive::Archive,
    cli::{Host, Outcome},
    postgres::Database,
};
use std::collections::BTreeSet;

/// The month of most of these tests.
const MONTH: &str = "2025-03";

/// A database, and a host that archives it into a folder as CSV and Parquet.
#[derive(Debug)]
struct DatabaseWorld {
    host: Host,
    database: Database,
}

impl DatabaseWorld {
    /// With a new database in which these statements are run.
    fn new(statements: &str) -> Self {
        Self::with(Database::new(), statements)
    }

    fn with(database: Database, statements: &str) -> Self {
        let mut host = Host::new();
        host.set("KT_ARCHIVE_SOURCE", database.url());
        host.set("KT_ARCHIVE_ARCHIVE", host.path("archive").display().to_string());
        host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
        database.sql(statements);
        Self { host, database }
    }

    fn run(&self, flags: &[&str]) -> Outcome {
        self.host.run(&[&["run", "--month", MONTH, "--json"], flags].concat())
    }

    fn backfill(&self, from: &str, to: &str, flags: &[&str]) -> Outcome {
        self.host.run(&[&["backfill", "--from", from, "--to", to, "--json"], flags].concat())
    }

    fn archive(&self) -> Archive {
        Archive::at(self.host.path("archive"))
    }

    /// Ids archived for a month. Fails if one is repeated.
    #[track_caller]
    fn archived_ids(&self, month: &str) -> BTreeSet<String> {
        let ids = self.archive().ids(month);
        let distinct = ids.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(distinct.len(), ids.len(), "a repeated id in {month}");
        distinct
    }

    /// Ids that a query finds.
    #[track_caller]
    fn ids(&self, query: &str) -> BTreeSet<String> {
        self.database.sql(query).lines().map(str::to_owned).collect()
    }

    /// Asserts that the archive has exactly the events of `table` in `month`, each once.
    #[track_caller]
    fn assert_archived(&self, month: &str, table: &str) {
        self.archive().check();
        let start = format!("timestamptz '{month}-01 00:00:00Z'");
        let within = format!("created_at >= {start} and created_at < {start} + interval '1 month'");
        let expected = self.ids(&format!("select id from {table} where {within}"));
        let found = self.archived_ids(month);
        assert!(found == expected, "{month}: missing {:?}, extra {:?}", &expected - &found, &found - &expected);
    }

    #[track_caller]
    fn assert_nothing_committed(&self) {
        assert_eq!(self.archive().sequences(), [] as [u64; 0], "a manifest was committed");
    }
}

/// The table `events` with `count` events of March 2025, ids from 1, evenly spread and shuffled on disk.
fn march(count: u32) -> String {
    format!(
        "create table events (id bigint primary key, created_at timestamptz not null, note text);
         insert into events
         select id, timestamptz '2025-03-01 00:00:00Z' + (id - 1) * interval '31 days' / {count}, 'note ' || id
         from generate_series(1, {count}) as id order by md5(id::text);"
    )
}

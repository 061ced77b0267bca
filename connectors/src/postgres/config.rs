//! What is asked of a server, and how gently.

use super::Server;
use archive_formats::{Dataset, catalogue::KeyColumns};
use std::{collections::BTreeMap, time::Duration};

/// How a database is read.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server, and as whom it is talked to.
    pub server: Server,
    /// Connections that read at the same time, at least one, whatever the number of months.
    pub connections: usize,
    /// The tables of datasets. One that is not here has [`Table::default`].
    pub tables: BTreeMap<Dataset, Table>,
    /// Rows of this organisation alone, by the column `org_id`.
    pub org: Option<String>,
    /// How long a statement may take; zero is for ever.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock; zero is for ever.
    pub lock_timeout: Duration,
}

/// Where the events of a dataset are, and which of their columns are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// `name` or `schema.name`, as SQL spells them; by default the dataset's name with underscores for hyphens.
    pub name: Option<String>,
    /// The names of the id and the time column.
    pub keys: KeyColumns,
    /// The columns to read, those of `keys` always among them; by default all.
    pub columns: Option<Vec<String>>,
}

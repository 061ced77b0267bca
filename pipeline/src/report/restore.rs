//! What `restore` loaded, and how it compares.

use crate::exit::ExitCode;
use archive_formats::{Dataset, Month, Sha256};
use serde::Serialize;

/// What `restore` loaded, and how it compares.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The database, without user, password and query.
    pub into: String,
    /// The table, as SQL spells it.
    pub table: String,
    /// Events of the month in the archive.
    pub rows: u64,
    /// The columns; none when the month has no event.
    pub columns: Vec<RestoredColumn>,
    /// Whether all of it was taken back in any case.
    pub drill: bool,
    /// What is not as it was at the source.
    pub notes: Vec<String>,
    /// Rows of the month that the table gave back.
    #[serde(skip)]
    pub rows_back: u64,
}

/// A column, there and here.
#[derive(Clone, Debug, Serialize)]
pub struct RestoredColumn {
    /// Its name.
    pub name: String,
    /// Its type in the table.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digest of what the archive has in it.
    pub sha256: Sha256,
    /// Whether the table has the same.
    pub equal: bool,
}

impl RestoreReport {
    /// The columns that are not as the archive has them.
    pub fn differing(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| !column.equal).map(|column| column.name.as_str())
    }

    /// Whether the table has what the archive has.
    pub fn is_equal(&self) -> bool {
        self.rows == self.rows_back && self.columns.iter().all(|column| column.equal)
    }

    /// The code that it exits with.
    pub fn exit(&self) -> ExitCode {
        if self.is_equal() { ExitCode::Done } else { ExitCode::Damaged }
    }
}

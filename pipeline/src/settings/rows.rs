//! Which rows and months may be committed.

use crate::config::{Config, Policy};

/// Which rows and months may be committed, where an archive is careful unless it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowRules {
    /// Rows that cannot be events.
    pub rejects: Policy,
    /// Events that share an id but not their content.
    pub conflicts: Policy,
    /// Whether a month without events is committed.
    pub allow_empty: bool,
    /// Whether columns may have other types than the dataset had before.
    pub accept_schema_change: bool,
}

impl From<&Config> for RowRules {
    fn from(config: &Config) -> Self {
        Self {
            rejects: config.rejects.unwrap_or_default(),
            conflicts: config.conflicts.unwrap_or_default(),
            allow_empty: config.allow_empty.is_some_and(|on| on.0),
            accept_schema_change: config.accept_schema_change.is_some_and(|on| on.0),
        }
    }
}

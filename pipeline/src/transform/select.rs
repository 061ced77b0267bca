//! Which columns stay.

use serde_json::{Value, json};

/// The columns that stay, beside the id and the time. They keep the order of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These alone.
    Columns(Vec<String>),
    /// All but these.
    Drop(Vec<String>),
}

impl Selection {
    /// The columns that were named.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Columns(names) | Self::Drop(names) => names,
        }
    }

    /// Whether a column stays.
    pub fn keeps(&self, name: &str) -> bool {
        match self {
            Self::Columns(names) => names.iter().any(|kept| kept == name),
            Self::Drop(names) => names.iter().all(|dropped| dropped != name),
        }
    }

    pub(super) fn record(&self) -> Value {
        match self {
            Self::Columns(names) => json!({"name": "columns", "columns": names}),
            Self::Drop(names) => json!({"name": "drop", "columns": names}),
        }
    }
}

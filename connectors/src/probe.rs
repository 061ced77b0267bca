//! Results of the checks before a first run.

use crate::{Error, Result};

/// One check and its result.
#[derive(Debug)]
pub struct Probe {
    /// What was checked.
    pub name: &'static str,
    /// What was found, or why a run would fail.
    pub found: Result<String>,
    /// A possible improvement where nothing failed.
    pub hint: Option<String>,
}

impl Probe {
    /// A check with its result.
    pub(crate) const fn new(name: &'static str, found: Result<String>) -> Self {
        Self { name, found, hint: None }
    }

    /// A check that passed.
    pub(crate) fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Ok(message.into()))
    }

    /// A check that failed.
    pub(crate) const fn failed(name: &'static str, error: Error) -> Self {
        Self::new(name, Err(error))
    }

    /// Adds a possible improvement.
    #[must_use]
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

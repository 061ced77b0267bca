//! What is tried before the first run.

use crate::{Error, Result};

/// One thing that was tried, and what came of it.
#[derive(Debug)]
pub struct Probe {
    /// What was tried.
    pub name: &'static str,
    /// What came, or why a run would fail.
    pub found: Result<String>,
    /// What could be better, where nothing failed.
    pub hint: Option<String>,
}

impl Probe {
    /// A thing that was tried.
    pub const fn new(name: &'static str, found: Result<String>) -> Self {
        Self { name, found, hint: None }
    }

    /// A thing that works.
    pub fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Ok(message.into()))
    }

    /// A thing that does not.
    pub const fn failed(name: &'static str, error: Error) -> Self {
        Self::new(name, Err(error))
    }

    /// Adds what could be better.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

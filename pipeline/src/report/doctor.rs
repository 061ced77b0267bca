//! What was tried before the first run.

use super::Failure;
use crate::exit::ExitCode;
use archive_connectors::{Error, Probe, Result};
use serde::Serialize;

/// What was tried.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DoctorReport {
    /// Every check, in the order of a run.
    pub checks: Vec<Check>,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was tried.
    pub name: String,
    /// Whether a run would get on with it.
    pub ok: bool,
    /// What came.
    pub message: String,
    /// What to do; where `ok`, what could be better.
    pub hint: Option<String>,
    /// The code of a run that fails for this.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl DoctorReport {
    /// The code that a run would give: that of the gravest failure. A run that only its replicas trouble is partial.
    pub fn exit(&self) -> ExitCode {
        let failures = self.checks.iter().filter(|check| !check.ok).map(|check| check.exit);
        let (partial, others) = failures.partition::<Vec<_>, _>(|exit| *exit == ExitCode::Partial);
        ExitCode::combine(false, if others.is_empty() { partial.into_iter().take(1).collect() } else { others })
    }
}

impl Check {
    /// A thing that was tried.
    pub fn new(name: impl Into<String>, found: Result<String>) -> Self {
        match found {
            Ok(message) => Self { name: name.into(), ok: true, message, hint: None, exit: ExitCode::Done },
            Err(error) => Self::failed(name, &error),
        }
    }

    /// A thing that would make a run fail.
    pub fn failed(name: impl Into<String>, error: &Error) -> Self {
        let Failure { message, hint, exit } = Failure::from(error);
        Self { name: name.into(), ok: false, message, hint, exit }
    }

    /// Adds what could be better.
    #[must_use]
    pub fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint: self.hint.or(hint), ..self }
    }
}

impl From<Probe> for Check {
    fn from(Probe { name, found, hint }: Probe) -> Self {
        Self::new(name, found).with_hint(hint)
    }
}

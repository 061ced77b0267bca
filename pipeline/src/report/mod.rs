//! What a command found out, in the shape of its `--json` document.

mod doctor;
mod page;
mod pull;
mod replicate;
mod restore;
mod run;
mod status;
mod verify;

pub use doctor::{Check, DoctorReport};
pub use page::{PageReport, UnreadMonth};
pub use pull::PullReport;
pub use replicate::{ReplicaReport, ReplicaState, ReplicateReport};
pub use restore::{RestoreReport, RestoredColumn};
pub use run::{MonthReport, MonthState, RunReport};
pub(crate) use status::Urgency;
#[cfg(test)]
pub(crate) use status::testing;
pub use status::{DatasetStatus, MonthStatus, Presence, PruneDeadline, ReplicaStatus, StatusReport, Totals};
pub use verify::{Code, Finding, Level, Severity, VerifyReport};

use crate::exit::ExitCode;
use archive_connectors::Error;
use serde::Serialize;

/// A failure as a person or a program reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed, on what, and why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The code that this failure alone exits with.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some crates print their cause inside their own message; saying it twice helps nobody.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self { message, hint: error.hint().map(str::to_owned), exit: ExitCode::from(error.kind()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

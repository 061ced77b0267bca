//! What a command found out: one `--json` document, one text, one exit code.

use crate::{exit::ExitCode, style::Style};
use archive_connectors::Error;
use serde::Serialize;

/// What a command found out. The fields of its `--json` document are those that it serializes; its default is the
/// document of a command that failed before it found out anything.
pub trait Report: Default + Serialize {
    /// The code that the command exits with.
    fn exit(&self) -> ExitCode {
        ExitCode::Done
    }

    /// The report for people, each line with its line feed.
    fn text(&self, style: Style) -> String;

    /// Why the exit code is not zero, in one sentence.
    fn failure(&self) -> Option<Failure> {
        None
    }

    /// Failures of single months or replicas, which stderr shows instead of the sentence.
    fn details(&self) -> Vec<Failure> {
        Vec::new()
    }
}

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
            // Some crates print their cause inside their own message.
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

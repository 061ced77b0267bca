//! The result of a command: one `--json` document, one text, one exit code.

use crate::{exit::ExitCode, style::Style};
use archive_connectors::Error;
use archive_formats::printable;
use serde::Serialize;

/// The result of a command. Its serialized fields are the `--json` document; its default is the document of a command
/// that failed before it had a result.
pub trait Report: Default + Serialize {
    /// The exit code.
    fn exit(&self) -> ExitCode {
        ExitCode::Done
    }

    /// Text for people; every line ends with a line feed. Values that others wrote are [`printable()`].
    fn text(&self, style: Style) -> String;

    /// One sentence that explains a nonzero exit code.
    fn failure(&self) -> Option<Failure> {
        None
    }

    /// Failures of single months or replicas, which stderr shows instead of the sentence.
    fn details(&self) -> Vec<Failure> {
        Vec::new()
    }
}

/// A failure, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed, on which object, and why.
    pub message: String,
    /// How to fix it.
    pub hint: String,
    /// The exit code of this failure alone.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some crates include the message of their source in their own.
            if !message.contains(&text) {
                message = format!("{message}: {}", printable(&text));
            }
            cause = error.source();
        }
        Self { message, hint: error.hint().to_owned(), exit: ExitCode::from(error.kind()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

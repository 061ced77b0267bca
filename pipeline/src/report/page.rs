//! What `report` wrote.

use super::Failure;
use crate::exit::ExitCode;
use archive_formats::{Dataset, Head, Month};
use serde::Serialize;

/// What `report` wrote.
#[derive(Clone, Debug, Serialize)]
pub struct PageReport {
    /// The page.
    pub output: String,
    /// Its size.
    pub bytes: u64,
    /// The archive's URL, printable.
    pub archive: String,
    /// The last manifest; null for an archive without any.
    pub head: Option<Head>,
    /// The months whose events could not be counted. The page names them.
    pub unread: Vec<UnreadMonth>,
}

/// A month whose events could not be counted.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadMonth {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// Why.
    pub error: Failure,
}

impl PageReport {
    /// The code of the command: damage is damage, also where there is a page. A month that was archived in no format
    /// that can be counted is none.
    pub fn exit(&self) -> ExitCode {
        let is_damaged = self.unread.iter().any(|month| month.error.exit == ExitCode::Damaged);
        if is_damaged { ExitCode::Damaged } else { ExitCode::Done }
    }
}

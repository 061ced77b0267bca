//! What `pull` wrote.

use archive_formats::Month;
use serde::Serialize;

/// What `pull` wrote.
#[derive(Clone, Debug, Serialize)]
pub struct PullReport {
    /// Rows of the slice.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its path, as it was given.
    pub output: String,
    /// Path of the manifest beside it.
    pub manifest: String,
    /// Events of the window, whatever values they have.
    #[serde(skip)]
    pub in_window: u64,
    /// Months of the window that the archive does not have.
    #[serde(skip)]
    pub gaps: Vec<Month>,
}

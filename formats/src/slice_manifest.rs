//! The document beside a slice: the request, the result, and the files it was read from.

use crate::{
    ColumnType, Dataset, Head, Month, ParquetPart, Sha256, Timestamp, Window,
    encode::slice::SliceFormat,
    manifest::{SourceIdentity, Tool, document_bytes},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The name and version of the document.
pub const FORMAT: &str = "keeptrusts-archive-slice/1";

/// The origin and content of a slice. The order of the fields is the order of the keys.
#[derive(Clone, Debug, Serialize)]
pub struct SliceManifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// The UUID of the archive.
    pub archive: String,
    /// The dataset.
    pub dataset: Dataset,
    /// The requested interval.
    pub window: Window,
    /// The requested values, by column.
    #[serde(rename = "match")]
    pub conditions: Map<String, Value>,
    /// The requested columns; null for all.
    pub columns: Option<Vec<String>>,
    /// Whether texts that a spreadsheet would evaluate were prefixed.
    pub csv_safe: bool,
    /// The slice.
    pub output: SliceOutput,
    /// The counts.
    pub events: SliceCounts,
    /// Months of the window that are not archived.
    pub gaps: Vec<Month>,
    /// The sources of the archived months.
    pub sources: Vec<SourceIdentity>,
    /// The commits of the window's months, oldest month first.
    pub manifests: Vec<SliceOrigin>,
    /// The last manifest of the archive at that time.
    pub head: Option<Head>,
    /// When the slice was made, by the host's clock.
    pub created_at: Timestamp,
    /// The program that made the slice.
    pub tool: Tool,
}

/// The file of a slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceOutput {
    /// The name, without the folder.
    pub name: String,
    /// The format.
    pub format: SliceFormat,
    /// The columns, in order.
    pub columns: Vec<SliceColumn>,
    /// The number of rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// A column of a slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceColumn {
    /// The name.
    pub name: String,
    /// The type in the archive.
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// Counts of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SliceCounts {
    /// Events in the files read, or in the row groups read of them.
    pub read: u64,
    /// Events in the window.
    pub in_window: u64,
    /// Events with the requested values: the rows of the slice.
    pub matched: u64,
}

/// A manifest whose events are in the slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceOrigin {
    /// The number.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// The month.
    pub month: Month,
    /// The files that were read.
    pub files: Vec<SliceFile>,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize)]
pub struct SliceFile {
    /// The path, relative to the archive's root.
    pub path: String,
    /// The digest of its bytes, checked on reading unless only a part was read.
    pub sha256: Sha256,
    /// The number of events.
    pub rows: u64,
    /// What was read and checked, if it was not the whole file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub part: Option<ParquetPart>,
}

impl SliceManifest {
    /// The bytes that are stored, in the form of manifests.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }
}

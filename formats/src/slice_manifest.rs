//! The document beside a slice: what was asked for, what came, and what it was cut from.

use crate::{
    ColumnType, Dataset, Head, Month, Sha256, Timestamp, Window,
    encode::slice::SliceFormat,
    manifest::{Tool, document_bytes},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The name and version of the document.
pub const FORMAT: &str = "keeptrusts-archive-slice/1";

/// What a reviewer needs to know of a slice. The order of the fields is the order of the keys.
#[derive(Clone, Debug, Serialize)]
pub struct SliceManifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// The UUID of the archive.
    pub archive: String,
    /// The dataset.
    pub dataset: Dataset,
    /// When the events happened.
    pub window: Window,
    /// The values that were asked for, by column.
    #[serde(rename = "match")]
    pub conditions: Map<String, Value>,
    /// The columns that were asked for; null for all of them.
    pub columns: Option<Vec<String>>,
    /// Whether texts that a spreadsheet would evaluate were changed.
    pub csv_safe: bool,
    /// The slice.
    pub output: SliceOutput,
    /// The counts.
    pub events: SliceCounts,
    /// Months of the window that the archive does not have.
    pub gaps: Vec<Month>,
    /// The commits of the window's months, oldest month first.
    pub manifests: Vec<SliceOrigin>,
    /// The end of the archive's chain at the time.
    pub head: Option<Head>,
    /// When the slice was made, by the clock of the host.
    pub created_at: Timestamp,
    /// The program.
    pub tool: Tool,
}

/// The file of a slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceOutput {
    /// Its name, without the folder.
    pub name: String,
    /// Its format.
    pub format: SliceFormat,
    /// Its columns, in their order.
    pub columns: Vec<SliceColumn>,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// A column of a slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceColumn {
    /// Its name.
    pub name: String,
    /// Its type in the archive.
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// How many events there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SliceCounts {
    /// Events of the files that were read.
    pub read: u64,
    /// Those of them that happened in the window.
    pub in_window: u64,
    /// Those of these that have the values that were asked for: the rows of the slice.
    pub matched: u64,
}

/// A manifest that a slice was cut from.
#[derive(Clone, Debug, Serialize)]
pub struct SliceOrigin {
    /// Its number.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its month.
    pub month: Month,
    /// Those of its files that were read.
    pub files: Vec<SliceFile>,
}

/// A file of the archive that was read.
#[derive(Clone, Debug, Serialize)]
pub struct SliceFile {
    /// Relative to the archive's root.
    pub path: String,
    /// The digest of its bytes, which was checked.
    pub sha256: Sha256,
    /// Its events.
    pub rows: u64,
}

impl SliceManifest {
    /// The bytes that are stored, in the form of an archive's manifests.
    pub fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }
}

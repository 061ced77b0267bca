//! What an artifact is made of.

use serde::{Deserialize, Serialize};

/// The kind of an artifact's content, once it is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// RFC 4180, with a header.
    Csv,
    /// One JSON document: an array of events, or an envelope around one.
    Json,
    /// One JSON object per line.
    JsonLines,
}

impl ArtifactKind {
    /// How the name of a gzipped artifact in an archive ends.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv.gz",
            Self::Json => "json.gz",
            Self::JsonLines => "jsonl.gz",
        }
    }
}

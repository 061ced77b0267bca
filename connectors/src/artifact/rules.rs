//! What the user decides about the reading of artifacts.

use archive_formats::{
    catalogue::KeyColumns,
    decode::{FinerTimes, json::Harmless},
};
use serde_json::{Value, json};

/// How artifacts are read.
#[derive(Clone, Debug, Default)]
pub struct ArtifactRules {
    /// The names of the id and the time column.
    pub keys: KeyColumns,
    /// Members of JSON envelopes that do not tell of further records.
    pub harmless: Harmless,
    /// What happens to times that are more precise than microseconds.
    pub finer_times: FinerTimes,
}

impl ArtifactRules {
    /// Adds to the `detail` of a source's record what the user vouched for.
    pub(crate) fn record(&self, mut detail: Value) -> Value {
        if self.harmless.names().len() > 0 {
            detail["harmless_members"] = json!(self.harmless.names().collect::<Vec<_>>());
        }
        detail
    }
}

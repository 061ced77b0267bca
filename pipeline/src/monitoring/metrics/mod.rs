//! What is measured of a run and of the archive that it leaves, for Prometheus and for collectors of OpenTelemetry.

mod archive;
mod attempt;
mod family;
mod run;
mod work;

pub use family::{Family, Sample, Value};
pub use work::{RetryCounts, Work};

use super::Finished;
use crate::report::StatusReport;
use archive_formats::Timestamp;

/// Everything that is known once a run is over.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The archive's URL, printable.
    pub archive: &'a str,
    /// The run.
    pub finished: &'a Finished,
    /// When the last good run ended, be it this one or an earlier one; none when nobody knows of any.
    pub last_success: Option<Timestamp>,
    /// Where the archive stands after the run; none when it could not be asked.
    pub status: Option<&'a StatusReport>,
}

/// Every metric that has a value, in an order that does not change.
pub fn families(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let mut families = attempt::families(snapshot);
    families.extend(run::families(snapshot));
    families.extend(snapshot.status.into_iter().flat_map(archive::families));
    families.retain(|family| !family.samples.is_empty());
    families
}

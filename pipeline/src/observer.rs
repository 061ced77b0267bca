//! Who watches a run.

use crate::{replicate::report::ReplicaReport, run::report::MonthReport};
use archive_connectors::{Progress, progress::Silent};

/// Sees the progress of months, and each month's outcome as soon as it has one.
pub trait Observer: Progress {
    /// A month is done, well or badly. Called once for each month that the run worked on.
    fn month_finished(&self, report: &MonthReport);

    /// A replica is done, well or badly. Called once for each replica.
    fn replica_finished(&self, report: &ReplicaReport);
}

impl Observer for Silent {
    fn month_finished(&self, _: &MonthReport) {}

    fn replica_finished(&self, _: &ReplicaReport) {}
}

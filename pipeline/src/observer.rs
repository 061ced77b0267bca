//! Observer of a run. A file of its own: `run` and `replicate` share the trait.

use crate::{replicate::report::ReplicaReport, run::report::MonthReport};
use archive_connectors::{Progress, progress::Silent};

/// Receives the progress of months, and the outcome of each month and replica.
pub trait Observer: Progress {
    /// Called once for each month that the run worked on, when it succeeds or fails.
    fn month_finished(&self, report: &MonthReport);

    /// Called once for each replica, when it succeeds or fails.
    fn replica_finished(&self, report: &ReplicaReport);
}

impl Observer for Silent {
    fn month_finished(&self, _: &MonthReport) {}

    fn replica_finished(&self, _: &ReplicaReport) {}
}

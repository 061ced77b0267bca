//! What the world is told of a run. Nothing here changes what a run does, nor its exit code: what cannot be told is
//! logged.

pub mod metrics;
mod notify;
#[cfg(feature = "otlp")]
mod otlp;
pub mod spans;
#[cfg(not(feature = "otlp"))]
mod without_otlp;

#[cfg(feature = "otlp")]
pub use otlp::Telemetry;
#[cfg(not(feature = "otlp"))]
pub use without_otlp::Telemetry;

use crate::{
    exit::ExitCode,
    report::{Failure, RunReport},
    settings::Settings,
};
use archive_formats::Timestamp;
use futures::future::{join, join3};
use metrics::{Snapshot, Work};

/// A run that began.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The command: `run` or `backfill`.
    pub command: &'static str,
    /// When it began.
    pub started: Timestamp,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The run.
    pub attempt: Attempt,
    /// When it ended.
    pub ended: Timestamp,
    /// The code that it exits with.
    pub exit: ExitCode,
    /// Why that is not zero, in one sentence.
    pub error: Option<Failure>,
    /// What became of the months and the replicas; none when the run failed before it tried any.
    pub report: Option<RunReport>,
    /// What it spent.
    pub work: Work,
}

/// Tells that a run begins. Takes seconds where nobody listens, and may be dropped.
pub async fn begin(settings: &Settings, attempt: &Attempt) {
    join(metrics::begin(settings, attempt), notify::started(settings, attempt)).await;
}

/// Tells how a run ended. Takes seconds where nobody listens, half a minute where the archive's store does not answer,
/// and may be dropped.
pub async fn end(settings: &Settings, finished: &Finished, telemetry: Telemetry) {
    let Telemetry { traces, metrics: collector, .. } = telemetry;
    let told_numbers = async {
        // Looked at once, for whoever wants to know.
        let is_wanted = settings.monitoring.metrics_file.is_some() || collector.is_wanted();
        let status = if is_wanted { metrics::standing(settings, finished).await } else { None };
        let last_success = metrics::end(settings, finished, status.as_ref()).await;
        let archive = &metrics::printable(settings);
        collector.send(&Snapshot { archive, finished, last_success, status: status.as_ref() }).await;
    };
    join3(told_numbers, traces.end(finished.exit), notify::finished(settings, finished)).await;
}

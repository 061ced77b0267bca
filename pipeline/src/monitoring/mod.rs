//! Metrics, notifications and traces of a run, and the metrics of a verification. Failures here are logged, and change neither the run nor its exit code.

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

use crate::{address, exit::ExitCode, report::Failure, run::RunReport, settings::Settings};
use archive_connectors::sink::Location;
use archive_formats::Timestamp;
use futures::future::{join, join3};
use metrics::{Snapshot, Work};

/// A run that has begun.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The command: `run`, `backfill`, or one of backups, such as `backup database`.
    pub command: &'static str,
    /// What it works on.
    pub tier: Tier,
    /// When it began.
    pub started: Timestamp,
}

/// What a command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The archive of events.
    Events,
    /// Backups of the platform's other tiers.
    Backups,
}

impl Tier {
    const fn noun(self) -> &'static str {
        match self {
            Self::Events => "archive",
            Self::Backups => "backups",
        }
    }
}

impl Attempt {
    /// The URL of what it works on.
    fn place(&self, settings: &Settings) -> String {
        let backups = || settings.backup.location.as_ref().map(Location::url);
        let url = match self.tier {
            Tier::Events => settings.archive.url(),
            Tier::Backups => backups().unwrap_or_default(),
        };
        address::printable(url)
    }
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The run.
    pub attempt: Attempt,
    /// When it ended.
    pub ended: Timestamp,
    /// The exit code.
    pub exit: ExitCode,
    /// Why the exit code is not zero, in one sentence.
    pub error: Option<Failure>,
    /// Results of months and replicas; `None` if the run failed before the first.
    pub report: Option<RunReport>,
    /// What was done, in a few words; `None` where the report has it.
    pub summary: Option<String>,
    /// Time by stage, and retries.
    pub work: Work,
}

/// Writes the metrics and sends the notifications of a run that begins. May take seconds if a receiver does not answer;
/// safe to drop.
pub async fn begin(settings: &Settings, attempt: &Attempt) {
    let metrics = async {
        match attempt.tier {
            Tier::Events => metrics::begin(settings, attempt).await,
            Tier::Backups => metrics::backups::begin(settings, attempt).await,
        }
    };
    join(metrics, notify::started(settings, attempt)).await;
}

/// Writes the metrics of a verification that ended, so that an alert need not wait for the next run. May take 30 seconds if
/// the archive's store does not answer; safe to drop.
pub async fn verified(settings: &Settings) {
    metrics::verified(settings).await;
}

/// Writes the metrics, and sends the notifications and telemetry, of a run that ended. May take seconds if a receiver does
/// not answer, and 30 seconds if the archive's store does not; safe to drop.
pub async fn end(settings: &Settings, finished: &Finished, telemetry: Telemetry) {
    if finished.attempt.tier == Tier::Backups {
        join(metrics::backups::end(settings, finished), notify::finished(settings, finished)).await;
        return;
    }
    let Telemetry { traces, metrics: collector, .. } = telemetry;
    let send_metrics = async {
        // One look at the archive serves the file and the collector.
        let is_wanted = settings.monitoring.metrics_file.is_some() || collector.is_enabled();
        let status = if is_wanted { metrics::archive_status(settings, finished).await } else { None };
        let last_success = metrics::end(settings, finished, status.as_ref()).await;
        let archive = settings.archive.url();
        collector.send(&Snapshot { archive, finished, last_success, status: status.as_ref() }).await;
    };
    join3(send_metrics, traces.flush(finished.exit), notify::finished(settings, finished)).await;
}

//! Metrics of a run and of its archive, for Prometheus and for OpenTelemetry collectors.

pub(super) mod backups;
mod families;
mod family;
mod file;
mod stopwatch;
mod text;

pub(super) use families::{Snapshot, families};
pub(super) use family::{Family, Sample, Value};
pub use stopwatch::{Retries, RetryCounts, Stopwatch, Work};

use super::{Attempt, Finished};
use crate::{
    exit::ExitCode,
    report::Failure,
    settings::Settings,
    status::{StatusReport, StatusRequest, status},
    verify::KnownDamage,
};
use archive_connectors::{Error, ErrorKind, clock::FixedClock, sink::Location};
use archive_formats::Timestamp;
use families::Evidence;
use file::Textfile;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Writes to the metrics file, if there is one, that a run begins.
pub(super) async fn begin(settings: &Settings, attempt: &Attempt) {
    let Some(path) = &settings.monitoring.metrics_file else { return };
    let archives = directories(settings);
    let file = Textfile { path, archive: settings.archive.url(), archives: &archives };
    if let Err(error) = file.begin(attempt.started).await {
        // The end of the run warns about the same obstacle.
        tracing::debug!(error = Failure::from(&error).message, "could not write the metrics");
    }
}

/// Writes the result of a run and the state of the archive to the metrics file, if there is one. Returns the end of the
/// last successful run, this one or the one in the file.
pub(super) async fn end(settings: &Settings, finished: &Finished, status: Option<&StatusReport>) -> Option<Timestamp> {
    let this = (finished.exit == ExitCode::Done).then_some(finished.ended);
    let Some(path) = &settings.monitoring.metrics_file else { return this };
    let archives = directories(settings);
    let file = Textfile { path, archive: settings.archive.url(), archives: &archives };
    match file.end(finished, status).await {
        Ok(last_success) => last_success,
        Err(error) => {
            warn(&error);
            this
        }
    }
}

/// Writes what is known of the archive's damage to the metrics file, if there is one, after a verification.
pub(super) async fn verified(settings: &Settings) {
    let Some(path) = &settings.monitoring.metrics_file else { return };
    let archives = directories(settings);
    let file = Textfile { path, archive: settings.archive.url(), archives: &archives };
    let written = async {
        let known = KnownDamage::find(settings).await?;
        file.verified(&Evidence::from(&known)).await
    };
    let written = tokio::time::timeout(LIMIT, written).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Store, "the archive could not be read in time")
            .with_hint("see whether its store answers"))
    });
    if let Err(error) = written {
        warn(&error);
    }
}

/// A failure to write the metrics changes no exit code.
fn warn(error: &Error) {
    let Failure { message: error, hint, .. } = Failure::from(error);
    tracing::warn!(error, hint, "could not write the metrics");
}

/// Time for a look at the archive, shorter than the retries of an unreachable store.
const LIMIT: Duration = Duration::from_secs(30);

/// The state of the run's datasets after it; `None` if the archive cannot be read in time.
pub(super) async fn archive_status(settings: &Settings, finished: &Finished) -> Option<StatusReport> {
    let limit = match finished.exit {
        ExitCode::Locked => return None,
        // After a signal the program must end soon.
        ExitCode::Interrupted | ExitCode::Terminated => Duration::from_secs(2),
        // As long as the collector itself may take.
        _ if settings.monitoring.metrics_file.is_none() => Duration::from_secs(5),
        _ => LIMIT,
    };
    // Jobs of other datasets write their own metrics.
    let request = StatusRequest { datasets: settings.datasets.clone(), ..StatusRequest::default() };
    let clock = FixedClock(finished.ended);
    match tokio::time::timeout(limit, Box::pin(status(settings, &request, &clock))).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(error = Failure::from(&error).message, "could not read the archive for metrics");
            None
        }
        Err(_) => {
            tracing::debug!("could not read the archive for metrics in time");
            None
        }
    }
}

/// The directories of the archive and its replicas, if they are local.
fn directories(settings: &Settings) -> Vec<PathBuf> {
    directories_of(std::iter::once(&settings.archive).chain(&settings.replicas))
}

fn directories_of<'a>(locations: impl Iterator<Item = &'a Location>) -> Vec<PathBuf> {
    locations.filter_map(|location| location.directory().map(Path::to_owned)).collect()
}

#[cfg(test)]
mod tests;

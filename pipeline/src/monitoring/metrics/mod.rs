//! What is measured of a run and of the archive that it leaves, for Prometheus and for collectors of OpenTelemetry.

mod families;
mod family;
mod file;
mod stopwatch;
mod text;

pub use families::{Snapshot, families};
pub use family::{Family, Sample, Value};
pub use stopwatch::{Retries, RetryCounts, Stopwatch, Work};

use super::{Attempt, Finished};
use crate::{
    exit::ExitCode,
    report::{Failure, StatusReport},
    settings::Settings,
    status::{StatusRequest, status},
};
use archive_connectors::clock::FixedClock;
use archive_formats::Timestamp;
use file::Textfile;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Writes that a run begins, if a file is to tell of it.
pub async fn begin(settings: &Settings, attempt: &Attempt) {
    let Some(path) = &settings.monitoring.metrics_file else { return };
    let (archive, archives) = (printable(settings), folders(settings));
    if let Err(error) = (Textfile { path, archive: &archive, archives: &archives }).begin(attempt.started).await {
        // What stands in the way is told once, at the end.
        tracing::debug!(error = Failure::from(&error).message, "could not write the metrics");
    }
}

/// Writes how a run ended and where the archive stands, if a file is to tell of it. Returns when the last good run ended,
/// as far as this run or the file tells.
pub async fn end(settings: &Settings, finished: &Finished, status: Option<&StatusReport>) -> Option<Timestamp> {
    let this = (finished.exit == ExitCode::Done).then_some(finished.ended);
    let Some(path) = &settings.monitoring.metrics_file else { return this };
    let (archive, archives) = (printable(settings), folders(settings));
    match (Textfile { path, archive: &archive, archives: &archives }).end(finished, status).await {
        Ok(last_success) => last_success,
        Err(error) => {
            let Failure { message: error, hint, .. } = Failure::from(&error);
            tracing::warn!(error, hint, "could not write the metrics");
            this
        }
    }
}

/// Where the run's datasets stand after it; none when that cannot be found out, or not soon.
pub async fn standing(settings: &Settings, finished: &Finished) -> Option<StatusReport> {
    let patience = match finished.exit {
        ExitCode::Locked => return None,
        // Next to nothing, once somebody asked the program to end.
        ExitCode::Interrupted | ExitCode::Terminated => Duration::from_secs(2),
        // A collector alone is not waited for any longer itself.
        _ if settings.monitoring.metrics_file.is_none() => Duration::from_secs(5),
        // Less than a store that cannot be reached is given.
        _ => Duration::from_secs(30),
    };
    // Of datasets that other jobs archive, those tell.
    let request = StatusRequest { datasets: settings.datasets.clone(), ..StatusRequest::default() };
    let clock = FixedClock(finished.ended);
    match tokio::time::timeout(patience, Box::pin(status(settings, &request, &clock))).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(error = Failure::from(&error).message, "no metrics of the archive");
            None
        }
        Err(_) => {
            tracing::debug!("no metrics of the archive: it does not answer");
            None
        }
    }
}

/// Where the archive and its replicas are, if they are in folders.
fn folders(settings: &Settings) -> Vec<PathBuf> {
    let locations = std::iter::once(&settings.archive).chain(&settings.replicas);
    locations.filter_map(|location| location.directory().map(Path::to_owned)).collect()
}

/// What metrics call the archive.
pub fn printable(settings: &Settings) -> String {
    settings.archive.url().to_owned()
}

#[cfg(test)]
mod tests;

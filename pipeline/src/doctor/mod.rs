//! Checks, in order, that a run would work. Leaves nothing behind, takes no lock, and needs no archive.
//!
//! Below 60 lines: the checks are in the modules.

mod backup;
mod local;
mod report;
mod source;
mod store;

pub use report::{Check, DoctorReport};

use crate::settings::Settings;
use archive_connectors::{Clock, Result, Sink, sink::Location};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Checks the settings without contacting the source or a store.
pub async fn offline(settings: &Settings) -> Vec<Check> {
    let mut checks = local::checks(settings);
    if settings.source.is_some() || settings.backup.location.is_none() {
        checks.extend(source::settings(settings).await);
    }
    let backups = settings.backup.location.iter().map(|location| ("backups".to_owned(), location));
    checks.extend(locations(settings).chain(backups).map(|(name, location)| Check::new(name, kind(location))));
    checks
}

/// Checks everything that a run needs. `stop` ends it early, but only after temporary objects are removed.
pub async fn doctor(settings: &Settings, clock: &Arc<dyn Clock>, stop: &CancellationToken) -> Vec<Check> {
    let mut checks = local::checks(settings);
    checks.push(local::disk(&settings.state_dir));
    let backups = Box::pin(backup::checks(settings, clock.now())).await;
    // Who asks about backups alone names no source.
    if settings.source.is_none() && !backups.is_empty() {
        checks.extend(backups);
        return checks;
    }
    checks.extend(source::checks(settings, clock).await);
    checks.extend(store::archive(settings).await);
    for replica in &settings.replicas {
        if stop.is_cancelled() {
            break;
        }
        checks.extend(store::replica(settings, replica).await);
    }
    checks.extend(backups);
    checks
}

/// The archive and its replicas, with the names of their checks.
fn locations(settings: &Settings) -> impl Iterator<Item = (String, &Location)> {
    let archive = std::iter::once(("archive".to_owned(), &settings.archive));
    archive.chain(settings.replicas.iter().map(|replica| (format!("replica {}", replica.url()), replica)))
}

fn kind(location: &Location) -> Result<String> {
    Sink::open(location)?;
    Ok(match location.directory() {
        Some(path) => format!("the folder {}", path.display()),
        None => format!("the bucket {}", location.url()),
    })
}

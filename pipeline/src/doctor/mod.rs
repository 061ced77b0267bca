//! Whether a run would work: what it needs is tried, one thing after another, and nothing is left behind.
//!
//! No lock is taken, and no archive is needed.

mod local;
mod report;
mod source;
mod store;

pub use report::{Check, DoctorReport};

use crate::settings::Settings;
use archive_connectors::{Clock, Result, Sink, sink::Location};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Checks of the settings that need neither the source nor a store.
pub async fn offline(settings: &Settings) -> Vec<Check> {
    let mut checks = local::checks(settings);
    checks.extend(source::settings(settings).await);
    checks.extend(locations(settings).map(|(name, location)| Check::new(name, kind(location))));
    checks
}

/// Everything that a run needs. `stop` ends it early, but never while something is there that has to be removed.
pub async fn doctor(settings: &Settings, clock: &Arc<dyn Clock>, stop: &CancellationToken) -> Vec<Check> {
    let mut checks = local::checks(settings);
    checks.push(local::disk(&settings.state_dir));
    checks.extend(source::checks(settings, clock).await);
    checks.extend(store::archive(settings).await);
    for replica in &settings.replicas {
        if stop.is_cancelled() {
            break;
        }
        checks.extend(store::replica(settings, replica).await);
    }
    checks
}

/// The archive and its replicas, each with the name of its check.
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

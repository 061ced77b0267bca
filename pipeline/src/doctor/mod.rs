//! Whether a run would work: what it needs is tried, one thing after another, and nothing is left behind.
//!
//! No lock is taken, and no archive is needed.

mod local;
mod source;
mod store;

use crate::{report::Check, settings::Settings};
use archive_connectors::{Clock, Result, sink::Location};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What can be said of settings without asking anybody.
pub async fn offline(settings: &Settings) -> Vec<Check> {
    let mut checks = local::checks(settings);
    checks.extend(source::settings(settings).await);
    checks.extend(places(settings).map(|(name, url)| Check::new(name, form(settings, url))));
    checks
}

/// Everything that a run needs. `stop` ends it early, but never while something is there that has to be removed.
pub async fn doctor(settings: &Settings, clock: &Arc<dyn Clock>, stop: &CancellationToken) -> Vec<Check> {
    let mut checks = local::checks(settings);
    checks.push(local::disk(&settings.state_dir));
    checks.extend(source::checks(settings, clock).await);
    checks.extend(store::archive(settings).await);
    for url in &settings.replicas {
        if stop.is_cancelled() {
            break;
        }
        checks.extend(store::replica(settings, url).await);
    }
    checks
}

/// Where archives lie: how a check calls the place, and its URL.
fn places(settings: &Settings) -> impl Iterator<Item = (String, &str)> {
    let archive = std::iter::once(("archive".to_owned(), settings.archive.as_str()));
    archive.chain(settings.replicas.iter().map(|url| (format!("replica {url}"), url.as_str())))
}

fn form(settings: &Settings, url: &str) -> Result<String> {
    let location = Location::parse(url, &settings.clouds)?;
    Ok(match location.directory() {
        Some(path) => format!("the folder {}", path.display()),
        None => format!("the bucket {url}"),
    })
}

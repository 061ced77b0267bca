//! Checks of an archive location: its content, and the guarantees of its store. A short file: the probes are in the
//! sink.

use super::Check;
use crate::{Archive, ArchiveRoot, exit::ExitCode, human, provenance, replicate, settings::Settings};
use archive_connectors::{
    Result, Sink,
    sink::{self, Location},
};
use archive_formats::Manifest;

/// Checks the archive, then its store if the archive could be read.
pub(super) async fn archive(settings: &Settings) -> Vec<Check> {
    let location = &settings.archive;
    with_probes("archive", location, content(settings).await).await
}

/// Checks a replica like the archive, and that it belongs to it. A run whose only failures are here is partial.
pub(super) async fn replica(settings: &Settings, location: &Location) -> Vec<Check> {
    let name = format!("replica {}", location.url());
    let mut checks = with_probes(&name, location, compare(settings, location).await).await;
    for check in checks.iter_mut().filter(|check| !check.ok) {
        check.exit = ExitCode::Partial;
    }
    checks
}

/// The content check of a location, followed by the probes of its store.
pub(super) async fn with_probes(name: &str, location: &Location, content: Result<String>) -> Vec<Check> {
    let content = Check::new(name, content);
    if !content.ok {
        return vec![content];
    }
    let probes = sink::probe(location).await.into_iter().map(Check::from);
    let probes = probes.map(|check| Check { name: format!("{name}: {}", check.name), ..check });
    std::iter::once(content).chain(probes).collect()
}

async fn content(settings: &Settings) -> Result<String> {
    let location = &settings.archive;
    let Some(archive) = Archive::find(location).await? else {
        ArchiveRoot::<Manifest>::check_place(location).await?;
        return Ok(format!("{}: no archive yet, the first run makes one", location.url()));
    };
    provenance::successions(Some(archive.chain()), settings)?;
    let head = archive.head();
    let head = head.map_or_else(|| "empty".to_owned(), |head| human::head(Some(&head)));
    Ok(format!("{}: archive {}, {head}", archive.url(), archive.id()))
}

/// Compares a replica as a run would: differences that a run repairs are not failures.
async fn compare(settings: &Settings, replica: &Location) -> Result<String> {
    let replicas = settings.replicas.iter().filter_map(|location| Sink::open(location).ok()).collect::<Vec<_>>();
    let replica = Sink::open(replica)?;
    let held = match replicate::compare(&settings.archive, &replica, &replicas).await? {
        0 => "empty".to_owned(),
        last => format!("a replica of the archive, head {last}"),
    };
    Ok(format!("{}: {held}", replica.url()))
}

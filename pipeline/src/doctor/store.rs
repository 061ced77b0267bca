//! A place of an archive: what lies there, and whether the store does what an archive rests on.

use crate::{exit::ExitCode, replicate, report::Check, settings::Settings};
use archive_connectors::{
    Result, Sink,
    sink::{self, Location},
};

/// Looks at the archive, and tries its store unless not even a look is possible.
pub(super) async fn archive(settings: &Settings) -> Vec<Check> {
    match Location::parse(&settings.archive, &settings.clouds) {
        Ok(location) => tried("archive", &location, content(&location).await).await,
        Err(error) => vec![Check::failed("archive", &error)],
    }
}

/// The same for a replica, and whether it is one of the archive. What goes wrong with it alone leaves a run partial.
pub(super) async fn replica(settings: &Settings, url: &str) -> Vec<Check> {
    let name = format!("replica {url}");
    let location = match Location::parse(url, &settings.clouds) {
        Ok(location) => location,
        Err(error) => return vec![Check::failed(name, &error)],
    };
    let mut checks = tried(&name, &location, compare(settings, &location).await).await;
    for check in checks.iter_mut().filter(|check| !check.ok) {
        check.exit = ExitCode::Partial;
    }
    checks
}

/// What was found at a place, and how its store behaves.
async fn tried(name: &str, location: &Location, content: Result<String>) -> Vec<Check> {
    let content = Check::new(name, content);
    if !content.ok {
        return vec![content];
    }
    let probes = sink::probe(location).await.into_iter().map(Check::from);
    let probes = probes.map(|check| Check { name: format!("{name}: {}", check.name), ..check });
    std::iter::once(content).chain(probes).collect()
}

async fn content(location: &Location) -> Result<String> {
    let sink = Sink::open(location)?;
    let Some(document) = sink.identity().await? else {
        return Ok(format!("{}: no archive yet, the first run makes one", sink.url()));
    };
    let chain = sink.chain(&document.archive).await?;
    let head = chain.head();
    let head = head.map_or_else(|| "empty".to_owned(), |head| format!("head {} {}", head.sequence, head.sha256));
    Ok(format!("{}: archive {}, {head}", sink.url(), document.archive))
}

/// Looks at a replica as a run would: what that puts right is no failure.
async fn compare(settings: &Settings, replica: &Location) -> Result<String> {
    let archive = Sink::open(&Location::parse(&settings.archive, &settings.clouds)?)?;
    let replicas = replicate::locations(settings)?;
    let replicas = replicas.iter().filter_map(|location| Sink::open(location).ok()).collect::<Vec<_>>();
    let replica = Sink::open(replica)?;
    let held = match replicate::compare(&archive, &replica, &replicas).await? {
        0 => "empty".to_owned(),
        last => format!("a replica of the archive, head {last}"),
    };
    Ok(format!("{}: {held}", replica.url()))
}

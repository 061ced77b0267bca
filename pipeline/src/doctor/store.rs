//! A place of an archive: what lies there, and whether the store does what an archive rests on.

use crate::report::Check;
use archive_connectors::{
    Result, Sink,
    sink::{self, Location},
};
use std::collections::BTreeMap;

/// Looks at the place `url`, which checks call `name`, and tries its store unless not even a look is possible.
pub(super) async fn checks(name: &str, url: &str, environment: &BTreeMap<String, String>) -> Vec<Check> {
    let location = match Location::parse(url, environment) {
        Ok(location) => location,
        Err(error) => return vec![Check::failed(name, &error)],
    };
    let content = Check::new(name, content(&location).await);
    if !content.ok {
        return vec![content];
    }
    let probes = sink::probe(&location).await.into_iter().map(Check::from);
    let probes = probes.map(|check| Check { name: format!("{name}: {}", check.name), ..check });
    std::iter::once(content).chain(probes).collect()
}

async fn content(location: &Location) -> Result<String> {
    let sink = Sink::open(location)?;
    let Some(document) = sink.identity().await? else {
        return Ok(format!("{}: no archive yet, the first run makes one", sink.url()));
    };
    let chain = sink.chain(&document.archive).await?;
    let head =
        chain.head().map_or_else(|| "empty".to_owned(), |head| format!("head {} {}", head.sequence, head.sha256));
    Ok(format!("{}: archive {}, {head}", sink.url(), document.archive))
}

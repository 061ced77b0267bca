//! Where the events of a dataset come from. An archive goes on with the source that it began with: events of another one
//! may overlap, lack columns, or belong to somebody else, and `already` would hide that the source was never asked.

use crate::settings::Settings;
use archive_connectors::{Error, ErrorKind, Result, file, nearest::is_misspelt};
use archive_formats::{Chain, Dataset, Entry, manifest::SourceIdentity};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// A source of archived events, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventSource {
    /// What tells it from others.
    #[serde(flatten)]
    pub source: SourceIdentity,
    /// Whether its events were made up.
    pub invented: bool,
}

impl From<SourceIdentity> for EventSource {
    fn from(source: SourceIdentity) -> Self {
        Self { invented: source.is_invented(), source }
    }
}

/// The sources of these commits as reports name them, each once, in their order.
pub(crate) fn event_sources<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<EventSource> {
    of(entries).into_iter().map(EventSource::from).collect()
}

/// The sources of `dataset` in `chain`, each once, in the order in which they were first used.
pub fn sources(chain: &Chain, dataset: &Dataset) -> Vec<SourceIdentity> {
    of(chain.entries().iter().filter(|entry| entry.manifest.dataset == *dataset))
}

/// The sources of these commits, each once, in their order.
pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<SourceIdentity> {
    let mut sources = Vec::new();
    for Entry { manifest, .. } in entries {
        let source = SourceIdentity::from(&manifest.source);
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// How a source goes on with a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Succession {
    /// It is the first source, or the same as before.
    Same,
    /// It has another address than the one before, and is the same otherwise.
    OtherAddress(SourceIdentity),
    /// It takes over from another one, with consent.
    Change(SourceIdentity),
}

impl Succession {
    /// The source that it takes over from.
    pub(crate) fn change(self) -> Option<SourceIdentity> {
        match self {
            Self::Change(change) => Some(change),
            Self::Same | Self::OtherAddress(_) => None,
        }
    }
}

/// How the source of `settings` goes on with each of their datasets. Fails if it may not.
pub(crate) fn successions(chain: Option<&Chain>, settings: &Settings) -> Result<BTreeMap<Dataset, Succession>> {
    // A run that has nothing to do needs no source.
    let Some((chain, source)) = chain.zip(settings.source.as_ref()) else { return Ok(BTreeMap::new()) };
    let (source, accept) = (source.identity(), settings.rows.accept_source_change);
    let each = settings.datasets.iter().map(|name| {
        if !settings.new_dataset {
            check_name(chain, name)?;
        }
        Ok((name.clone(), check(chain, name, &source, accept)?))
    });
    each.collect()
}

/// Refuses a new dataset with the misspelt name of one that the archive has: what is archived under a wrong name stays.
fn check_name(chain: &Chain, dataset: &Dataset) -> Result<()> {
    let known = chain.datasets();
    if known.contains(&dataset) {
        return Ok(());
    }
    let Some(near) = known.iter().find(|known| is_misspelt(dataset.as_str(), known.as_str())) else { return Ok(()) };
    let message = format!("the archive has no dataset {dataset} yet, but {near}, which is spelt nearly so");
    Err(Error::new(ErrorKind::Configuration, message)
        .with_hint(format!("did you mean --dataset {near}? a new dataset {dataset} begins with --new-dataset")))
}

/// Checks that `source` may go on with `dataset`; `accept` is the consent to a change.
pub fn check(chain: &Chain, dataset: &Dataset, source: &SourceIdentity, accept: bool) -> Result<Succession> {
    let mut all = chain.entries().iter().map(|entry| SourceIdentity::from(&entry.manifest.source));
    if let Some(other) = all.find(|known| known.is_invented() != source.is_invented()) {
        let message = if source.is_invented() {
            "invented events never share an archive with others"
        } else {
            "the archive holds invented events, which never share an archive with others"
        };
        let error = Error::new(ErrorKind::Configuration, message).with_context("archived from", other.sentence());
        return Err(error.with_hint("archive into a new place with --archive"));
    }
    let before = chain.entries().iter().rfind(|entry| entry.manifest.dataset == *dataset);
    let Some(before) = before.map(|entry| SourceIdentity::from(&entry.manifest.source)) else {
        return Ok(Succession::Same);
    };
    if source.kind == before.kind && source.organisation == before.organisation {
        let is_same = is_same_address(source, &before);
        return Ok(if is_same { Succession::Same } else { Succession::OtherAddress(before) });
    }
    if accept {
        return Ok(Succession::Change(before));
    }
    let error = Error::new(ErrorKind::Configuration, format!("{dataset} was archived from another source so far"));
    Err(error.with_context("archived from", before.sentence()).with_context("asked for", source.sentence()).with_hint(
        "check --source; if it takes over on purpose, --accept-source-change goes on, and the manifest records it",
    ))
}

/// Whether the addresses are the same. Files of one folder are.
fn is_same_address(one: &SourceIdentity, other: &SourceIdentity) -> bool {
    let folder = |url: &str| Path::new(url).parent().map(Path::to_owned);
    one.url == other.url || (one.kind == file::KIND && folder(&one.url) == folder(&other.url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::commit;
    use serde_json::json;

    fn source(kind: &str, url: &str, organisation: Option<&str>) -> SourceIdentity {
        SourceIdentity { kind: kind.to_owned(), url: url.to_owned(), organisation: organisation.map(str::to_owned) }
    }

    /// A chain of one empty month of `events` for each source.
    fn chain(sources: &[SourceIdentity]) -> Chain {
        let mut chain = Chain::new("a".to_owned());
        for (index, source) in sources.iter().enumerate() {
            commit(&mut chain, &format!("2025-{:02}", index + 1), source, &json!([]));
        }
        chain
    }

    #[test]
    fn another_source_needs_consent_and_another_address_is_told() {
        let database = source("postgres", "postgres://db/keeptrusts", Some("acme"));
        let api = source("exports-api", "https://api.example/", None);
        let chain = chain(&[api, database.clone()]);
        let [events, traces] = ["events", "traces"].map(|name| name.parse::<Dataset>().unwrap());
        let check = |dataset, source: &SourceIdentity, accept| check(&chain, dataset, source, accept);
        assert_eq!(check(&events, &database, false).unwrap(), Succession::Same);
        let moved = SourceIdentity { url: "postgres://replica/keeptrusts".to_owned(), ..database.clone() };
        assert_eq!(check(&events, &moved, false).unwrap(), Succession::OtherAddress(database.clone()));
        for other in [
            source("postgres", "postgres://db/keeptrusts", Some("umbrella")),
            source("postgres", "postgres://db/keeptrusts", None),
            source("exports-api", "https://api.example/", None),
        ] {
            assert_eq!(check(&events, &other, false).unwrap_err().kind(), ErrorKind::Configuration, "{other:?}");
            assert!(
                matches!(check(&events, &other, true).unwrap(), Succession::Change(from) if from.kind == "postgres")
            );
            assert_eq!(check(&traces, &other, false).unwrap(), Succession::Same, "a dataset has its own source");
        }
    }

    #[test]
    fn a_new_dataset_with_nearly_the_name_of_another_is_refused() {
        let chain = chain(&[source("file", "x.csv", None)]);
        let checked = |name: &str| check_name(&chain, &name.parse().unwrap());
        let error = checked("evnets").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(error.hint(), "did you mean --dataset events? a new dataset evnets begins with --new-dataset");
        assert!(checked("events").is_ok() && checked("traces").is_ok());
        assert!(check_name(&Chain::new("a".to_owned()), &"evnets".parse().unwrap()).is_ok());
    }

    #[test]
    fn invented_events_share_an_archive_with_no_others() {
        let (demo, api) = (source("demo", "demo:", None), source("exports-api", "https://api.example/", None));
        for (before, after) in [(&demo, &api), (&api, &demo)] {
            for dataset in ["events", "traces"] {
                let refused = check(&chain(std::slice::from_ref(before)), &dataset.parse().unwrap(), after, true);
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
            }
        }
        assert_eq!(demo.sentence(), "demo: (invented events)");
    }

    #[test]
    fn files_of_one_folder_have_one_address() {
        let file = |url: &str| source("file", url, None);
        let chain = chain(&[file("exports/2025-01.csv")]);
        let after = |url: &str| check(&chain, &Dataset::default(), &file(url), false).unwrap();
        assert_eq!(after("exports/2025-02.csv"), Succession::Same);
        assert!(matches!(after("elsewhere/2025-02.csv"), Succession::OtherAddress(_)));
    }

    #[test]
    fn a_dataset_names_each_of_its_sources_once() {
        let (api, files) = (source("exports-api", "https://api.example/", None), source("file", "x.csv", None));
        let chain = chain(&[api.clone(), files.clone(), api.clone()]);
        assert_eq!(sources(&chain, &Dataset::default()), [api, files]);
    }
}

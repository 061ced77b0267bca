//! The event source, and options that only some sources have.

use super::{HOUR, invalid, postgres, transforms::names};
use crate::{
    address::SourceAddress,
    config::{Config, TimeUnit, expand_path},
    environment::Environment,
    observer::Observer,
};
use archive_connectors::{
    ArtifactRules, Clock, Error, ErrorKind, Progress, Result, Secret, Source,
    demo::{self, Demo},
    exports_api::{self, Credentials, ExportsApi},
    file::{self, Files},
    nearest::nearest,
    postgres::{self as pg, Postgres},
};
use archive_formats::{
    Dataset, FileFormat,
    catalogue::KeyColumns,
    decode::FinerTimes,
    manifest::{INVENTED, SourceIdentity},
};
use std::{collections::BTreeSet, path::Path, sync::Arc};
use url::Url;

/// The event source.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    /// Generated events.
    Demo(demo::Config),
    /// The exports API.
    ExportsApi(Box<exports_api::Config>),
    /// A PostgreSQL database.
    Postgres(Box<archive_connectors::postgres::Config>),
    /// Files that were exported earlier.
    Files(file::Config),
}

/// What the platform documents as types of exports. A database has any table, and files are named by their owner.
const EXPORTED: [&str; 4] = ["events", "traces", "escalations", "audit-log"];

const ONLY_DATABASES: &str = "leave it out, or read a database with --source postgres://…; \
    for other sources, --id-column and --time-column name the columns of all datasets";

impl SourceSettings {
    /// Validates the settings of the source at the address `written`.
    pub(super) fn new(written: &str, config: &Config, environment: &Environment) -> Result<Self> {
        let address = SourceAddress::parse(written)?;
        if !matches!(address, SourceAddress::Postgres(_)) {
            refuse_tables(config)?;
        }
        let has_artifacts = matches!(address, SourceAddress::ExportsApi(_) | SourceAddress::Files(_));
        if config.truncate_times.is_some() && !has_artifacts {
            return Err(invalid("--truncate-times is for exports and files alone")
                .with_hint("leave it out: the times of this source have microseconds"));
        }
        Ok(match address {
            SourceAddress::Demo { events, seed, types } => Self::Demo(demo::Config { events, seed, types }),
            SourceAddress::Files(path) => {
                Self::Files(file::Config { address: written.to_owned(), path, rules: rules(config)? })
            }
            SourceAddress::Postgres(url) => Self::Postgres(Box::new(postgres::config(&url, config, environment)?)),
            SourceAddress::ExportsApi(base) => Self::ExportsApi(Box::new(api(base, config, environment)?)),
        })
    }

    /// The source as manifests record it. Contacts nothing.
    pub fn identity(&self) -> SourceIdentity {
        let (kind, url, organisation) = match self {
            Self::Demo(_) => (INVENTED, "demo:".to_owned(), None),
            Self::ExportsApi(config) => (exports_api::KIND, config.url(), None),
            Self::Postgres(config) => (pg::KIND, config.server.url().to_owned(), config.org.clone()),
            Self::Files(config) => (file::KIND, config.address.clone(), None),
        };
        SourceIdentity { kind: kind.to_owned(), url, organisation }
    }

    /// Rejects datasets and formats that this source does not provide.
    pub(super) fn check(&self, datasets: &[Dataset], formats: &BTreeSet<FileFormat>) -> Result<()> {
        if matches!(self, Self::Files(_)) && datasets.len() > 1 {
            return Err(
                invalid("files hold the events of one dataset").with_hint("archive each dataset's files by themselves")
            );
        }
        if matches!(self, Self::Demo(_) | Self::ExportsApi(_))
            && let Some(unknown) = datasets.iter().find(|dataset| !EXPORTED.contains(&dataset.as_str()))
        {
            let meant = nearest(unknown.as_str(), EXPORTED).map(|nearest| format!("did you mean {nearest}? "));
            let hint = format!("{}there are {}", meant.unwrap_or_default(), EXPORTED.join(", "));
            return Err(invalid(format!("the platform exports no dataset {unknown}")).with_hint(hint));
        }
        let without_artifacts = match self {
            Self::Demo(_) => "demo:",
            Self::Postgres(_) => "a database",
            Self::ExportsApi(_) | Self::Files(_) => return Ok(()),
        };
        if formats.contains(&FileFormat::Artifact) {
            let error = invalid(format!("{without_artifacts} has no artifacts"));
            return Err(error.with_hint("leave artifact out of --format"));
        }
        Ok(())
    }

    /// Default number of months archived concurrently. Connections bound the load on a database, and files are local;
    /// an exports API gets one.
    pub(super) const fn default_jobs(&self) -> u32 {
        match self {
            Self::Postgres(_) | Self::Files(_) => 2,
            Self::Demo(_) | Self::ExportsApi(_) => 1,
        }
    }
}

/// Rejects options of databases: other sources would silently ignore them.
fn refuse_tables(config: &Config) -> Result<()> {
    let options = [("--table", config.table.is_some()), ("--where-org", config.where_org.is_some())];
    if let Some((option, _)) = options.into_iter().find(|(_, is_set)| *is_set) {
        return Err(invalid(format!("{option} is for databases alone")).with_hint(ONLY_DATABASES));
    }
    let database_key =
        config.dataset.iter().flat_map(|datasets| &datasets.0).find_map(|entry| Some((entry, entry.first_key()?)));
    match database_key {
        Some((entry, key)) => {
            Err(invalid(format!("{key:?} of the dataset {} is for databases alone", entry.name))
                .with_hint(ONLY_DATABASES))
        }
        None => Ok(()),
    }
}

/// How artifacts of all datasets are read.
fn rules(config: &Config) -> Result<ArtifactRules> {
    Ok(ArtifactRules {
        keys: KeyColumns { id: config.id_column.clone(), time: config.time_column.clone() },
        harmless: names("--harmless-members", config.harmless_members.as_ref())?.unwrap_or_default().iter().collect(),
        finer_times: match config.truncate_times {
            Some(TimeUnit::Microseconds) => FinerTimes::Truncate,
            None => FinerTimes::Reject,
        },
    })
}

/// The variable with the path of the token's file.
const TOKEN_FILE: &str = "KEEPTRUSTS_API_TOKEN_FILE";

fn api(base: Url, config: &Config, environment: &Environment) -> Result<exports_api::Config> {
    let text = |name| environment.get(name).map(str::trim).filter(|text| !text.is_empty());
    let token = text("KEEPTRUSTS_API_TOKEN");
    let token_file = text(TOKEN_FILE).filter(|_| token.is_none());
    if let Some(file) = token_file.filter(|file| file.starts_with('~')) {
        let path = expand_path(TOKEN_FILE, Path::new(file), environment)?;
        // Jobs of `schedule` pass the variable on as it is, to other users and hosts.
        return Err(invalid(format!("{TOKEN_FILE} begins with ~, which no shell has expanded"))
            .with_hint(format!("write the path out: {}", path.display())));
    }
    let token = token.or_else(|| text("API_TOKEN").filter(|_| token_file.is_none()));
    let job_timeout = config.job_timeout.map_or(HOUR, |span| span.0);
    if job_timeout.is_zero() {
        return Err(invalid("the job timeout is zero"));
    }
    Ok(exports_api::Config {
        base,
        layout: config.api_layout.unwrap_or_default(),
        format: config.api_format.unwrap_or_default(),
        margin: config.api_margin.map_or(HOUR, |span| span.0),
        job_timeout,
        allow_http: config.allow_http.is_some_and(|on| on.0),
        rules: rules(config)?,
        credentials: match (token, token_file) {
            (Some(token), _) => Credentials::Token(Secret::new(token.to_owned())),
            (None, Some(file)) => Credentials::File(file.into()),
            (None, None) => Credentials::Missing,
        },
    })
}

/// Opens the source of `settings`, for the archive with the UUID `archive`; journal and spool are in `state`. Contacts
/// nothing yet, but files must exist.
pub fn connect(
    settings: &SourceSettings,
    archive: &str,
    state: &Path,
    clock: &Arc<dyn Clock>,
    observer: &Arc<dyn Observer>,
) -> Result<Arc<dyn Source>> {
    let progress = Arc::clone(observer) as Arc<dyn Progress>;
    match settings {
        SourceSettings::Demo(config) => Ok(Arc::new(Demo::from_config(*config).with_progress(progress))),
        SourceSettings::ExportsApi(config) => {
            let archive = archive.parse().map_err(|error| {
                Error::new(ErrorKind::BrokenChain, "the archive's identity is not a UUID").with_source(error)
            })?;
            Ok(Arc::new(ExportsApi::new(config.as_ref().clone(), Arc::clone(clock), progress, state, archive)?))
        }
        SourceSettings::Postgres(config) => {
            Ok(Arc::new(Postgres::new(config.as_ref().clone(), Arc::clone(clock), progress)))
        }
        SourceSettings::Files(config) => Ok(Arc::new(Files::new(config.clone(), progress)?)),
    }
}

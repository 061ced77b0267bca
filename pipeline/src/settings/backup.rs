//! Settings of backups.

use super::{
    invalid, location,
    postgres::{self, LOCK_TIMEOUT},
};
use crate::{
    address,
    config::Config,
    environment::Environment,
    units::{DurationArg, List},
};
use archive_connectors::{
    Error, ErrorKind, Result,
    postgres::{
        Server,
        programs::{CommandPrefix, ProgramOptions},
    },
    sink::Location,
};
use archive_formats::backup_manifest::DigestLevel;
use std::{collections::BTreeMap, time::Duration};

/// Where backups are, what they are made of, and how.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// The location of the backups.
    pub location: Option<Location>,
    /// The locations of their replicas.
    pub replicas: Vec<Location>,
    /// The database that is backed up.
    pub database: Option<Server>,
    /// Where PostgreSQL's programs are.
    pub programs: ProgramOptions,
    /// Whether they run behind a command.
    pub is_behind_command: bool,
    /// What is computed of the contents of a database; by default everything that can be.
    pub digests: Option<DigestLevel>,
    /// Whether the passwords of roles are saved.
    pub role_passwords: bool,
    /// Connections that read contents.
    pub connections: usize,
    /// How long a statement may take; zero means no limit.
    pub statement_timeout: Duration,
    /// How long a statement, and `pg_dump`, may wait for a lock.
    pub lock_timeout: Duration,
    /// Which backups are kept.
    pub keep: Keep,
    /// What operators promise.
    pub objectives: Objectives,
}

/// How many backups are kept; a backup that one of the numbers keeps is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days (UTC) whose last backup is kept.
    pub daily: Option<u32>,
    /// Months (UTC) whose last backup is kept.
    pub monthly: Option<u32>,
    /// The fewest backups that remain.
    pub min: u32,
}

/// What operators promise of backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// The recovery point objective: the greatest age of the newest backup.
    pub rpo: Option<Duration>,
    /// The recovery time objective: the longest restore.
    pub rto: Option<Duration>,
}

/// Digests take as long as the tables do, so that no limit fits all.
const NO_LIMIT: Duration = Duration::ZERO;

impl BackupSettings {
    pub(super) fn new(config: &Config, environment: &Environment, clouds: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let database = config.backup_database.as_deref().filter(|database| !database.is_empty());
        let prefix = config.pg_command.as_deref().map(str::parse::<CommandPrefix>).transpose()?;
        let private = |place: Location| place.with_file_mode(0o600);
        let place = config.backups.as_deref().map(|address| location("backups", address, clouds)).transpose()?;
        let replicas = config.backups_replica.iter().flat_map(|List(list)| list);
        let replicas = replicas.map(|address| location("replica", address, clouds).map(private));
        let span = |span: &Option<DurationArg>| span.as_ref().map(|span| span.0);
        Ok(Self {
            location: place.map(private),
            replicas: replicas.collect::<Result<_>>()?,
            database: database.map(|url| server("--from", url, environment)).transpose()?,
            is_behind_command: prefix.is_some(),
            programs: ProgramOptions::new(config.pg_bin.clone(), prefix, &variable),
            digests: config.digests,
            role_passwords: config.role_passwords.is_some_and(|on| on.0),
            connections: postgres::connections(config)?,
            statement_timeout: span(&config.statement_timeout).unwrap_or(NO_LIMIT),
            lock_timeout: span(&config.lock_timeout).unwrap_or(LOCK_TIMEOUT),
            keep: Keep::new(config)?,
            objectives: Objectives { rpo: span(&config.rpo), rto: span(&config.rto) },
        })
    }

    /// The location of the backups.
    pub fn location(&self) -> Result<&Location> {
        self.location.as_ref().ok_or_else(|| {
            invalid("the place of the backups was not given")
                .with_hint("name it with --backups: a folder, or s3://bucket/prefix, apart from the archive")
        })
    }

    /// The database that is backed up.
    pub fn database(&self) -> Result<&Server> {
        self.database.as_ref().ok_or_else(|| {
            invalid("the database was not given").with_hint("write it like --from postgres://user@host/database")
        })
    }
}

impl Keep {
    fn new(config: &Config) -> Result<Self> {
        const MIN: u32 = 3;
        let keep = Self {
            daily: config.keep_daily.as_ref().map(|count| count.0),
            monthly: config.keep_monthly.as_ref().map(|count| count.0),
            min: config.keep_min.as_ref().map_or(MIN, |count| count.0),
        };
        if keep.min == 0 {
            return Err(invalid("--keep-min 0 would remove every backup").with_hint("keep at least one"));
        }
        Ok(keep)
    }
}

/// Parses the place that an option names.
pub fn place(option: &str, address: &str, environment: &Environment) -> Result<Location> {
    location(option.trim_start_matches('-'), address, &super::clouds(environment))
}

/// Parses the database that an option names.
pub fn server(option: &str, url: &str, environment: &Environment) -> Result<Server> {
    let form = format!("write it like {option} postgres://user@host/database");
    if !address::is_postgres(url) {
        let meant = address::nearest_scheme(url).filter(|scheme| scheme.starts_with("postgres"));
        let hint = meant.map_or_else(|| form.clone(), |scheme| format!("did you mean {scheme}://? {form}"));
        return Err(
            Error::new(ErrorKind::Configuration, format!("{option} is not a PostgreSQL database")).with_hint(hint)
        );
    }
    Server::new(url, &|name| environment.get(name).map(str::to_owned))
}

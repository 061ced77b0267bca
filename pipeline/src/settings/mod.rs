//! Validated settings. Nothing after this module parses an address, a duration or a size.

mod backup;
mod monitoring;
mod postgres;
mod source;
mod transforms;

pub use backup::{BackupSettings, Keep, Objectives, place, server};
pub use monitoring::{MonitoringSettings, Recipient, RecipientKind};
pub use source::{SourceSettings, connect};
pub use transforms::TransformSettings;

use crate::{
    address,
    config::{Config, DatasetEntry, Datasets, EventFormat, LogFormat, Policy, ProgressMode},
    environment::Environment,
    units::List,
};
use archive_connectors::{Error, ErrorKind, Result, sink::Location};
use archive_formats::{Dataset, FileFormat};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

/// The settings of a command.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The event source. `None` for commands that only read archives.
    pub source: Option<SourceSettings>,
    /// The location of the archive.
    pub archive: Location,
    /// The locations of its replicas.
    pub replicas: Vec<Location>,
    /// The requested datasets, in order, without duplicates; empty if none was named.
    pub datasets: Vec<Dataset>,
    /// Whether a new one may have nearly the name of one that the archive has.
    pub new_dataset: bool,
    /// The formats of a month's files; at least one.
    pub formats: BTreeSet<FileFormat>,
    /// Transforms applied to events.
    pub transforms: TransformSettings,
    /// Rules for rows and months that may be committed.
    pub rows: RowRules,
    /// Folder for spool, staging, journal and lock.
    pub state_dir: PathBuf,
    /// Size in bytes at which a file ends and the next begins.
    pub part_size: u64,
    /// How long a month must be over before it is archived.
    pub grace: Duration,
    /// How many months are archived concurrently.
    pub jobs: usize,
    /// Recipients of run reports.
    pub monitoring: MonitoringSettings,
    /// Output while a command works.
    pub output: OutputSettings,
    /// Backups of the platform's other tiers.
    pub backup: BackupSettings,
}

/// Output while a command works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputSettings {
    /// When to show progress.
    pub progress: ProgressMode,
    /// Log format.
    pub log_format: LogFormat,
    /// Log level: 0 for warnings, 1 for info, 2 and more for debug.
    pub verbosity: u32,
    /// Show no progress, and log only errors.
    pub quiet: bool,
}

const ARCHIVE: &str = "./archive";
const HOUR: Duration = Duration::from_secs(3_600);
/// Default file size, in bytes.
pub(crate) const PART_SIZE: u64 = 256 << 20;
/// Smallest file size, in bytes.
const MIN_PART_SIZE: u64 = 1 << 20;
/// Above this, months would wait for the disk and the source.
const MAX_JOBS: u32 = 64;

impl Settings {
    /// Validates `config`, and adds what only the environment may hold: secrets and the home folder.
    pub fn new(config: Config, environment: &Environment) -> Result<Self> {
        let source = config.source.as_deref().map(|address| SourceSettings::new(address, &config, environment));
        let source = source.transpose()?;
        let part_size = config.part_size.map_or(PART_SIZE, |size| size.0);
        let jobs = config.jobs.map_or(source.as_ref().map_or(1, SourceSettings::default_jobs), |count| count.0);
        if part_size < MIN_PART_SIZE {
            return Err(invalid("--part-size is below 1MiB").with_hint(
                "a month would become thousands of small files, which are slow to list and to query: use 1MiB or more, \
                 best 64MiB to 1GiB",
            ));
        }
        if !(1..=MAX_JOBS).contains(&jobs) {
            return Err(invalid(format!("{jobs} jobs are not possible")).with_hint(format!("use 1 to {MAX_JOBS}")));
        }
        let (formats, rows) = (formats(config.format.as_ref())?, RowRules::from(&config));
        let transforms = TransformSettings::new(&config)?;
        let datasets = datasets(config.dataset.as_ref());
        if let Some(source) = &source {
            source.check(&datasets, &formats)?;
        }
        check_redaction(&transforms, &formats, rows)?;
        let monitoring = MonitoringSettings::new(&config)?;
        let clouds = clouds(environment);
        let replicas = replicas(config.replica.as_ref(), &clouds)?;
        let backup = BackupSettings::new(&config, environment, &clouds)?;
        let mode = config.file_mode.map_or(Location::FILE_MODE, |mode| mode.0);
        Ok(Self {
            source,
            output: output(&config),
            datasets,
            new_dataset: config.new_dataset.is_some_and(|on| on.0),
            formats,
            transforms,
            rows,
            archive: location("archive", config.archive.as_deref().unwrap_or(ARCHIVE), &clouds)?.with_file_mode(mode),
            replicas: replicas.into_iter().map(|replica| replica.with_file_mode(mode)).collect(),
            state_dir: state_dir(config.state_dir, environment)?,
            part_size,
            grace: config.grace.map_or(HOUR, |span| span.0),
            jobs: usize::try_from(jobs).unwrap_or(1),
            monitoring,
            backup,
        })
    }

    /// The source, for commands that need one.
    pub fn source(&self) -> Result<&SourceSettings> {
        self.source.as_ref().ok_or_else(|| {
            invalid("no source was given").with_hint(
                "use --source demo: to try it out, or set KEEPTRUSTS_API_URL, or --source to https://…, postgres://… or a \
                 path of files",
            )
        })
    }
}

/// Parses the location of the archive or of a replica; `what` names it in messages.
fn location(what: &str, address: &str, clouds: &BTreeMap<String, String>) -> Result<Location> {
    if address.is_empty() {
        return Err(invalid(format!("the {what}'s address is empty")));
    }
    if address::contains_secret(address) {
        return Err(invalid(format!("the {what}'s URL holds a user or a password"))
            .with_hint("take it out, and set the AWS_…, GOOGLE_… or AZURE_… variables instead"));
    }
    Location::parse(address, clouds)
}

fn replicas(list: Option<&List<String>>, clouds: &BTreeMap<String, String>) -> Result<Vec<Location>> {
    list.into_iter().flat_map(|list| &list.0).map(|address| location("replica", address, clouds)).collect()
}

/// The variables that [`Location::parse`] turns into bucket options.
fn clouds(environment: &Environment) -> BTreeMap<String, String> {
    let variables = Location::VARIABLES.iter().flat_map(|prefix| environment.with_prefix(prefix));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn datasets(chosen: Option<&Datasets>) -> Vec<Dataset> {
    let mut names = Vec::new();
    for DatasetEntry { name, .. } in chosen.into_iter().flat_map(|chosen| &chosen.0) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn formats(list: Option<&List<EventFormat>>) -> Result<BTreeSet<FileFormat>> {
    let formats = match list {
        None => BTreeSet::from([FileFormat::Parquet]),
        Some(list) => list.0.iter().map(|format| archived(*format)).collect::<Result<_>>()?,
    };
    if formats.is_empty() { Err(invalid("the list of formats is empty")) } else { Ok(formats) }
}

fn archived(format: EventFormat) -> Result<FileFormat> {
    match format {
        EventFormat::Archived(format) => Ok(format),
        EventFormat::Jsonl => Err(invalid("months are not archived as jsonl")
            .with_hint("use parquet or csv; `kt-archive pull` makes jsonl of either")),
    }
}

/// Artifacts and rejected rows are archived byte for byte, including values that a transform would remove.
fn check_redaction(transforms: &TransformSettings, formats: &BTreeSet<FileFormat>, rows: RowRules) -> Result<()> {
    let whole = match rows.rejects {
        _ if formats.contains(&FileFormat::Artifact) => "the format artifact (--format)",
        Policy::Keep => "keeping rejected rows (--rejects)",
        Policy::Fail => return Ok(()),
    };
    if !transforms.hides_values() {
        return Ok(());
    }
    Err(invalid(format!("{whole} would archive what --columns, --drop and --pseudonymise keep out"))
        .with_hint("redaction holds: ask for one or the other"))
}

/// A relative `XDG_STATE_HOME` is ignored, as its specification requires.
fn state_dir(chosen: Option<PathBuf>, environment: &Environment) -> Result<PathBuf> {
    let xdg = || environment.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".local").join("state"));
    let default = || xdg().or_else(home).map(|state| state.join("kt-archive"));
    chosen.filter(|path| !path.as_os_str().is_empty()).or_else(default).ok_or_else(|| {
        invalid("there is no home folder to keep the state in").with_hint("name a folder with --state-dir")
    })
}

fn output(config: &Config) -> OutputSettings {
    OutputSettings {
        progress: config.progress.unwrap_or_default(),
        log_format: config.log_format.unwrap_or_default(),
        verbosity: config.verbose.map_or(0, |count| count.0),
        quiet: config.quiet.is_some_and(|on| on.0),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests;

/// Rules for rows and months that may be committed. The default is the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowRules {
    /// Policy for rows that cannot be events.
    pub rejects: Policy,
    /// Policy for events that share an id but not their content.
    pub conflicts: Policy,
    /// Whether to commit a month without events.
    pub allow_empty: bool,
    /// Whether columns may have other types than in earlier months.
    pub accept_schema_change: bool,
    /// Whether a dataset may go on from another source than before.
    pub accept_source_change: bool,
}

impl From<&Config> for RowRules {
    fn from(config: &Config) -> Self {
        Self {
            rejects: config.rejects.unwrap_or_default(),
            conflicts: config.conflicts.unwrap_or_default(),
            allow_empty: config.allow_empty.is_some_and(|on| on.0),
            accept_schema_change: config.accept_schema_change.is_some_and(|on| on.0),
            accept_source_change: config.accept_source_change.is_some_and(|on| on.0),
        }
    }
}

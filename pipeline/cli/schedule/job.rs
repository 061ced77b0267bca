//! A job: `kt-archive run` with the current settings, independent of the folder and the environment that start it.

use super::{
    StoreLocation,
    paths::{absolute, below, locations},
    quote::{escaped, flags, names, text},
    secrets::{Variables, is_of_host, is_path, variables},
};
use archive::{
    config::{self, Layers, Origin, Setting},
    environment::Environment,
    settings::{Settings, SourceSettings},
};
use archive_connectors::Result;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// A job.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The words of the command; `run` if there are none.
    pub command: Vec<&'static str>,
    /// Path of the program.
    pub program: String,
    /// Path of the configuration file.
    pub config: Option<String>,
    /// Flags of the command without `--config`.
    pub flags: Vec<String>,
    /// The `KT_ARCHIVE_…` variables that are set.
    pub own: BTreeMap<String, String>,
    /// Other variables, without secrets.
    pub public: BTreeMap<String, String>,
    /// Names of variables that may hold secrets.
    pub secret: BTreeSet<String>,
    /// Names of variables that the configuration file refers to. It cannot be read without them.
    pub file_variables: BTreeSet<String>,
    /// All settings except locations and secrets, in the notation of the file, for a host without it.
    pub settings: Vec<(String, Value)>,
    /// Kind of the source.
    pub source: SourceKind,
    /// Location of the archive.
    pub archive: StoreLocation,
    /// Locations of the replicas.
    pub replicas: Vec<StoreLocation>,
    /// The state folder, if a setting names it.
    pub state_dir: Option<String>,
    /// The state folder of this host, if `XDG_STATE_HOME` chose it, which the job does not have.
    pub own_state: Option<String>,
    /// The textfile for Prometheus.
    pub metrics_file: Option<String>,
    /// The file with the pseudonymisation key.
    pub pseudonym_key: Option<String>,
    /// The file with the token of the exports API.
    pub token_file: Option<String>,
    /// The password file of PostgreSQL.
    pub password_file: Option<String>,
    /// Whether the configuration file sets `notify`.
    pub file_notifies: bool,
}

/// The kind of a job's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// Generated events.
    #[default]
    Demo,
    /// The exports API.
    ExportsApi,
    /// A PostgreSQL database.
    Postgres,
    /// Files of the host.
    Files,
}

/// The input of [`Job::new`].
#[derive(Clone, Debug)]
pub struct JobInput<'a> {
    /// The layers of settings.
    pub layers: &'a Layers,
    /// The merged settings, checked.
    pub settings: &'a Settings,
    /// The source's address.
    pub source: String,
    /// The base of relative paths.
    pub folder: &'a str,
    /// The environment.
    pub environment: &'a Environment,
    /// The keys that the command knows.
    pub keys: &'a [&'static str],
    /// The words of a command of backups; none for `run`.
    pub backup: &'a [&'static str],
}

/// A setting that is a secret: its URLs need no other credentials.
const NOTIFY: &str = "notify";

/// Settings that have their own field in a job.
const FIELDS: [&str; 7] =
    ["archive", "replica", "state-dir", "metrics-file", "pseudonym-key-file", "backups", "backups-replica"];

impl Job {
    /// Creates the job of a run with `input`. The caller sets the program and the configuration file.
    pub fn new(input: &JobInput<'_>) -> Result<Self> {
        let JobInput { settings, environment, folder, .. } = input;
        let file = |name: &str| environment.get(name).map(|path| below(folder, path.trim()));
        let chosen = input.layers.settings();
        let optional = |key: &str| {
            let setting = chosen.iter().find(|setting| setting.key == key)?;
            Some(below(folder, &text(setting.value.clone())))
        };
        let (kind, archive, replicas) = if input.backup.is_empty() {
            let archive = locations("archive", std::slice::from_ref(&settings.archive), &chosen, input);
            (source(settings.source()?), archive, locations("replica", &settings.replicas, &chosen, input))
        } else {
            let backups = locations("backups", std::slice::from_ref(settings.backup.location()?), &chosen, input);
            let replicas = locations("backups-replica", &settings.backup.replicas, &chosen, input);
            (SourceKind::Postgres, backups, replicas)
        };
        let mut job = Self {
            command: input.backup.to_vec(),
            source: kind,
            archive: archive.into_iter().next().unwrap_or_default(),
            replicas,
            state_dir: optional("state-dir"),
            metrics_file: optional("metrics-file"),
            pseudonym_key: optional("pseudonym-key-file"),
            token_file: file("KEEPTRUSTS_API_TOKEN_FILE"),
            password_file: file("PGPASSFILE"),
            ..Self::default()
        };
        let Variables { public, secret } = variables(job.source, &job.locations(), environment);
        job.public = public;
        for (name, value) in job.public.iter_mut().filter(|(name, _)| is_path(name)) {
            *value = match (name.as_str(), value.as_str()) {
                // Not a path: libpq reads `system` as the trusted certificates of the system.
                (_, "system") => continue,
                ("SSL_CERT_DIR", folders) => {
                    folders.split(':').map(|path| below(folder, path)).collect::<Vec<_>>().join(":")
                }
                (_, path) => below(folder, path),
            };
        }
        job.secret = secret;
        let is_set = ["source", "archive"].map(|key| chosen.iter().any(|setting| setting.key == key));
        for setting in chosen {
            job.add(setting, input)?;
        }
        job.complete(if input.backup.is_empty() { is_set } else { [true; 2] }, input)?;
        job.file_variables = input.layers.file.variables();
        Ok(job)
    }

    /// The archive and its replicas.
    pub fn locations(&self) -> impl Iterator<Item = &StoreLocation> + Clone {
        std::iter::once(&self.archive).chain(&self.replicas)
    }

    /// The folders that a run writes to, except the state folder.
    pub(super) fn folders(&self) -> Vec<String> {
        self.locations().filter_map(StoreLocation::folder).map(str::to_owned).chain(self.metrics_folder()).collect()
    }

    /// The folder of the textfile for Prometheus.
    pub(super) fn metrics_folder(&self) -> Option<String> {
        let folder = self.metrics_file.as_ref()?.rsplit_once('/')?.0;
        Some(if folder.is_empty() { "/".to_owned() } else { folder.to_owned() })
    }

    /// Whether runs notify a receiver.
    pub(super) fn notifies(&self) -> bool {
        self.secret.contains(&config::variable(NOTIFY))
    }

    /// The variables that a host with the configuration file sets: those with secrets, and those that the file refers to.
    pub(super) fn host_secrets(&self) -> BTreeSet<&str> {
        let in_file = |name: &String| self.file_notifies && self.config.is_some() && *name == config::variable(NOTIFY);
        let is_printed = |name: &String| self.own.contains_key(name) || self.public.contains_key(name);
        let in_settings = self.file_variables.iter().filter(|name| !is_printed(name));
        self.secret.iter().filter(|name| !in_file(name)).chain(in_settings).map(String::as_str).collect()
    }

    /// The variables that a host without the file sets: those with secrets, and those that the printed settings refer to.
    pub(super) fn secrets_elsewhere(&self) -> BTreeSet<&str> {
        let has_file = self.public.keys().any(|name| is_path(name) && name.starts_with("GOOGLE_"));
        let key = has_file.then_some("GOOGLE_SERVICE_ACCOUNT_KEY");
        let secret = self.secret.iter().filter(|name| !is_of_host(name)).map(String::as_str);
        let spelled = self.locations().filter_map(|location| match location {
            StoreLocation::Folder(_) => None,
            StoreLocation::Bucket { spelled, .. } => Some(Value::from(spelled.clone())),
        });
        let printed = spelled.chain(self.settings.iter().map(|(_, value)| value.clone())).collect::<Vec<_>>();
        let is_set = |name: &str| self.public_elsewhere().any(|(set, _)| set == name);
        let referred = self.file_variables.iter().map(String::as_str);
        let referred = referred.filter(|name| !is_set(name) && printed.iter().any(|value| names(value, name)));
        secret.chain(key).chain(referred).collect()
    }

    /// The variables without secrets, except for the cloud identity of this host.
    pub(super) fn public_elsewhere(&self) -> impl Iterator<Item = (&str, &str)> {
        let public = self.public.iter().filter(|(name, _)| !is_of_host(name));
        public.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the archive or a replica is in a bucket of this scheme.
    pub(super) fn has_scheme(&self, scheme: &str) -> bool {
        self.locations().any(|location| location.scheme() == Some(scheme))
    }

    /// The files of this host that public variables name.
    pub(super) fn public_files(&self) -> impl Iterator<Item = &str> {
        let files = self.public.iter().filter(|(name, _)| is_path(name));
        files.flat_map(|(_, value)| value.split(':'))
    }

    /// A comment that names the files of this host that the job needs elsewhere.
    pub(super) fn files_elsewhere(&self) -> Option<String> {
        let files = self.public_elsewhere().filter(|(name, value)| is_path(name) && *value != "system");
        let names = files.map(|(name, _)| name).collect::<Vec<_>>();
        (!names.is_empty())
            .then(|| format!("Bring along the files of this host that these name: {}.", names.join(", ")))
    }

    /// The arguments of the program.
    pub(super) fn arguments(&self) -> Vec<String> {
        let config = self.config.iter().map(|path| format!("--config={path}"));
        let command = if self.command.is_empty() { &["run"][..] } else { &self.command };
        command.iter().map(|word| (*word).to_owned()).chain(config).chain(self.flags.iter().cloned()).collect()
    }

    fn add(&mut self, setting: Setting, input: &JobInput<'_>) -> Result<()> {
        let Setting { key, value, from } = setting;
        if !input.keys.contains(&key) {
            return Ok(());
        }
        if key == NOTIFY {
            self.file_notifies = from == Origin::File;
            self.secret.insert(config::variable(NOTIFY));
            return Ok(());
        }
        let made = absolute(key, value.clone(), input.folder)?;
        let is_moved = made != value || (from == Origin::File && input.layers.file.is_below_home(key));
        if !FIELDS.contains(&key) {
            // Keeps `${NAME}` unexpanded: the value may be a secret.
            let unfilled = input.layers.file.unfilled(key).filter(|_| from == Origin::File);
            self.settings.push((key.to_owned(), unfilled.cloned().unwrap_or_else(|| escaped(made.clone()))));
        }
        match from {
            Origin::Variable(name) => drop(self.own.insert(name, text(made))),
            Origin::Flag => self.flags.extend(flags(key, made)?),
            // The job may run in another folder or as another user, where a relative path of the file is another path.
            Origin::File if is_moved => self.flags.extend(flags(key, made)?),
            Origin::File | Origin::Default => {}
        }
        Ok(())
    }

    /// Adds settings whose defaults may differ where the job runs.
    fn complete(&mut self, [has_source, has_archive]: [bool; 2], input: &JobInput<'_>) -> Result<()> {
        if !has_source {
            self.flags.insert(0, format!("--source={}", input.source));
            self.settings.insert(0, ("source".to_owned(), escaped(input.source.clone().into())));
        }
        if !has_archive {
            let archive = absolute("archive", input.settings.archive.url().into(), input.folder)?;
            self.flags.push(format!("--archive={}", text(archive)));
        }
        if self.state_dir.is_none() && input.environment.get("XDG_STATE_HOME").is_some() {
            self.own_state = Some(input.settings.state_dir.display().to_string());
        }
        Ok(())
    }
}

const fn source(settings: &SourceSettings) -> SourceKind {
    match settings {
        SourceSettings::Demo(_) => SourceKind::Demo,
        SourceSettings::ExportsApi(_) => SourceKind::ExportsApi,
        SourceSettings::Postgres(_) => SourceKind::Postgres,
        SourceSettings::Files(_) => SourceKind::Files,
    }
}

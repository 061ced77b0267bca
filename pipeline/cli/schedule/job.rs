//! A job: what `kt-archive run` would do with the settings at hand, wherever and whenever it is started.

use super::{
    Place,
    paths::{absolute, below, places},
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
    /// The program, on the host where it is.
    pub program: String,
    /// The configuration file, on that host.
    pub config: Option<String>,
    /// Flags of `run`, except for the file.
    pub flags: Vec<String>,
    /// The variables of this program that are set.
    pub own: BTreeMap<String, String>,
    /// Variables of others, none of which holds a secret.
    pub public: BTreeMap<String, String>,
    /// The names of variables that hold secrets, or may.
    pub secret: BTreeSet<String>,
    /// The names of variables that the configuration file is made of: without one of them it cannot be read.
    pub file_variables: BTreeSet<String>,
    /// All settings but for places and secrets, as a configuration file spells them, for a host that has no file.
    pub settings: Vec<(String, Value)>,
    /// What is read.
    pub source: SourceKind,
    /// Where the archive is.
    pub archive: Place,
    /// Where its copies are.
    pub replicas: Vec<Place>,
    /// The state folder, if it was set.
    pub state_dir: Option<String>,
    /// The state folder that a variable chose which no job has.
    pub own_state: Option<String>,
    /// The textfile for Prometheus.
    pub metrics_file: Option<String>,
    /// The file with the key of pseudonyms.
    pub pseudonym_key: Option<String>,
    /// The file with the token of the exports API, if there is one.
    pub token_file: Option<String>,
    /// The file with passwords of databases, if there is one.
    pub password_file: Option<String>,
    /// Whether the configuration file sets `notify`.
    pub file_notifies: bool,
}

/// Where a job's events come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// Nowhere: they are invented.
    #[default]
    Demo,
    /// The exports API.
    ExportsApi,
    /// A database.
    Postgres,
    /// Files of the host.
    Files,
}

/// The input of a job.
#[derive(Debug)]
pub struct Given<'a> {
    /// Every layer of settings.
    pub layers: &'a Layers,
    /// The same, checked.
    pub settings: &'a Settings,
    /// The source's address.
    pub source: String,
    /// Where relative paths begin.
    pub folder: &'a str,
    /// The environment.
    pub environment: &'a Environment,
    /// The keys that `run` knows.
    pub keys: &'a [&'static str],
}

/// A setting that is a secret itself: its addresses can be used without credentials.
const NOTIFY: &str = "notify";

/// Settings that have a place of their own in a job.
const PLACES: [&str; 5] = ["archive", "replica", "state-dir", "metrics-file", "pseudonym-key-file"];

impl Job {
    /// The job that does with `given` what a run would do. The program and the configuration file are told by the caller.
    pub fn new(given: &Given<'_>) -> Result<Self> {
        let Given { settings, environment, folder, .. } = given;
        let file = |name: &str| environment.get(name).map(|path| below(folder, path.trim()));
        let said = given.layers.settings();
        let optional = |key: &str| {
            let setting = said.iter().find(|setting| setting.key == key)?;
            Some(below(folder, &text(setting.value.clone())))
        };
        let archive = places("archive", std::slice::from_ref(&settings.archive), &said, given);
        let mut job = Self {
            source: source(settings.source()?),
            archive: archive.into_iter().next().unwrap_or_default(),
            replicas: places("replica", &settings.replicas, &said, given),
            state_dir: optional("state-dir"),
            metrics_file: optional("metrics-file"),
            pseudonym_key: optional("pseudonym-key-file"),
            token_file: file("KEEPTRUSTS_API_TOKEN_FILE"),
            password_file: file("PGPASSFILE"),
            ..Self::default()
        };
        let Variables { public, secret } = variables(job.source, &job.places(), environment);
        job.public = public;
        for (name, value) in job.public.iter_mut().filter(|(name, _)| is_path(name)) {
            *value = match (name.as_str(), value.as_str()) {
                // `system` is no path: libpq has it for the authorities of the system.
                (_, "system") => continue,
                ("SSL_CERT_DIR", folders) => {
                    folders.split(':').map(|path| below(folder, path)).collect::<Vec<_>>().join(":")
                }
                (_, path) => below(folder, path),
            };
        }
        job.secret = secret;
        let is_said = ["source", "archive"].map(|key| said.iter().any(|setting| setting.key == key));
        for setting in said {
            job.add(setting, given)?;
        }
        job.complete(is_said, given)?;
        job.file_variables = given.layers.file.variables();
        Ok(job)
    }

    /// The archive and its copies.
    pub fn places(&self) -> impl Iterator<Item = &Place> + Clone {
        std::iter::once(&self.archive).chain(&self.replicas)
    }

    /// The folders that a run writes into, the state folder apart.
    pub(super) fn folders(&self) -> Vec<String> {
        self.places().filter_map(Place::folder).map(str::to_owned).chain(self.metrics_folder()).collect()
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

    /// The variables that hold secrets on a host which has the configuration file, and all that this is made of.
    pub(super) fn host_secrets(&self) -> BTreeSet<&str> {
        let in_file = |name: &String| self.file_notifies && self.config.is_some() && *name == config::variable(NOTIFY);
        let is_printed = |name: &String| self.own.contains_key(name) || self.public.contains_key(name);
        let of_file = self.file_variables.iter().filter(|name| !is_printed(name));
        self.secret.iter().filter(|name| !in_file(name)).chain(of_file).map(String::as_str).collect()
    }

    /// The variables that hold secrets where no file of this host is, and those that the printed settings name.
    pub(super) fn secrets_elsewhere(&self) -> BTreeSet<&str> {
        let has_file = self.public.keys().any(|name| is_path(name) && name.starts_with("GOOGLE_"));
        let key = has_file.then_some("GOOGLE_SERVICE_ACCOUNT_KEY");
        let secret = self.secret.iter().filter(|name| !is_of_host(name)).map(String::as_str);
        let spelled = self.places().filter_map(|place| match place {
            Place::Folder(_) => None,
            Place::Bucket { spelled, .. } => Some(Value::from(spelled.clone())),
        });
        let printed = spelled.chain(self.settings.iter().map(|(_, value)| value.clone())).collect::<Vec<_>>();
        let is_set = |name: &str| self.public_elsewhere().any(|(set, _)| set == name);
        let of_file = self.file_variables.iter().map(String::as_str);
        let of_file = of_file.filter(|name| !is_set(name) && printed.iter().any(|value| names(value, name)));
        secret.chain(key).chain(of_file).collect()
    }

    /// The variables without secrets, and without those that make a process of this host known to a cloud.
    pub(super) fn public_elsewhere(&self) -> impl Iterator<Item = (&str, &str)> {
        let public = self.public.iter().filter(|(name, _)| !is_of_host(name));
        public.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether an archive or a copy is in a bucket of this scheme.
    pub(super) fn has_place(&self, scheme: &str) -> bool {
        self.places().any(|place| place.scheme() == Some(scheme))
    }

    /// The files of this host that public variables name.
    pub(super) fn public_files(&self) -> impl Iterator<Item = &str> {
        let files = self.public.iter().filter(|(name, _)| is_path(name));
        files.flat_map(|(_, value)| value.split(':'))
    }

    /// A comment on files of this host that the job needs elsewhere.
    pub(super) fn files_elsewhere(&self) -> Option<String> {
        let files = self.public_elsewhere().filter(|(name, value)| is_path(name) && *value != "system");
        let names = files.map(|(name, _)| name).collect::<Vec<_>>();
        (!names.is_empty())
            .then(|| format!("Bring along the files of this host that these name: {}.", names.join(", ")))
    }

    /// The words after the program.
    pub(super) fn arguments(&self) -> Vec<String> {
        let config = self.config.iter().map(|path| format!("--config={path}"));
        std::iter::once("run".to_owned()).chain(config).chain(self.flags.iter().cloned()).collect()
    }

    fn add(&mut self, setting: Setting, given: &Given<'_>) -> Result<()> {
        let Setting { key, value, from } = setting;
        if !given.keys.contains(&key) {
            return Ok(());
        }
        if key == NOTIFY {
            self.file_notifies = from == Origin::File;
            self.secret.insert(config::variable(NOTIFY));
            return Ok(());
        }
        let made = absolute(key, value.clone(), given.folder)?;
        let is_moved = made != value;
        if !PLACES.contains(&key) {
            // What a variable holds stays in the variable: it may be a secret.
            let unfilled = given.layers.file.unfilled(key).filter(|_| from == Origin::File);
            self.settings.push((key.to_owned(), unfilled.cloned().unwrap_or_else(|| escaped(made.clone()))));
        }
        match from {
            Origin::Variable(name) => drop(self.own.insert(name, text(made))),
            Origin::Flag => self.flags.extend(flags(key, made)?),
            // A path that is relative in the file would mean another place in the folder of the job.
            Origin::File if is_moved => self.flags.extend(flags(key, made)?),
            Origin::File | Origin::Default => {}
        }
        Ok(())
    }

    /// Adds what the layers leave to defaults that may differ where the job runs.
    fn complete(&mut self, [has_source, has_archive]: [bool; 2], given: &Given<'_>) -> Result<()> {
        if !has_source {
            self.flags.insert(0, format!("--source={}", given.source));
            self.settings.insert(0, ("source".to_owned(), escaped(given.source.clone().into())));
        }
        if !has_archive {
            let archive = absolute("archive", given.settings.archive.url().into(), given.folder)?;
            self.flags.push(format!("--archive={}", text(archive)));
        }
        if self.state_dir.is_none() && given.environment.get("XDG_STATE_HOME").is_some() {
            self.own_state = Some(given.settings.state_dir.display().to_string());
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

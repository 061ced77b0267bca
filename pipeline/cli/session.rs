//! The first steps of every command: merge and check the layers of settings, then start the logs.

use super::{
    outcome::Console,
    terminal::{self, Screen},
};
use archive::{
    address,
    config::{self, CONFIG_VARIABLE, Config, Layer, Layers, Names},
    environment::Environment,
    monitoring::{Telemetry, metrics::Retries},
    settings::Settings,
    style::Style,
};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Dataset, Month};
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// The platform's variable for the source. `--source`, `KT_ARCHIVE_SOURCE` and the file take precedence.
pub(super) const SOURCE_VARIABLE: &str = "KEEPTRUSTS_API_URL";

/// The input of a command: flags, environment and configuration file.
#[derive(Debug)]
pub(super) struct Session {
    /// The options that were typed, in the notation of the file.
    typed: toml::Table,
    file: Option<PathBuf>,
    pub(super) environment: Environment,
    /// Style of stdout.
    pub(super) results: Style,
    messages: Style,
    /// Set once the layers are read.
    names: Arc<OnceLock<Names>>,
}

/// Checked settings, and where progress and logs go.
#[derive(Debug)]
pub(super) struct Opened {
    /// All layers merged.
    pub(super) config: Config,
    /// The same, checked.
    pub(super) settings: Settings,
    pub(super) screen: Screen,
    /// Counts retries.
    pub(super) retries: Retries,
    /// Exports the traces and metrics of a run.
    pub(super) telemetry: Telemetry,
}

/// Telemetry from the environment; the flag allows plain HTTP to any host.
type TelemetryFactory = fn(&Environment, bool) -> Telemetry;

/// Commands that do not archive export nothing.
fn no_telemetry(_: &Environment, _: bool) -> Telemetry {
    Telemetry::default()
}

impl Session {
    pub(super) fn new(file: Option<PathBuf>, typed: toml::Table, environment: Environment, console: &Console) -> Self {
        let Console { results, messages, .. } = *console;
        Self { typed, file, environment, results, messages, names: Arc::default() }
    }

    /// Whether the option was typed.
    pub(super) fn is_typed(&self, key: &str) -> bool {
        self.typed.contains_key(key)
    }

    /// The names under which the settings were given, once the layers are read.
    pub(super) fn names(&self) -> Arc<OnceLock<Names>> {
        Arc::clone(&self.names)
    }

    /// Settings of a command that archives. Fails without a source.
    pub(super) fn open_writing(&self) -> Result<Opened> {
        let (config, _, unknown) = self.writing()?;
        let opened = self.open(config, &unknown, Telemetry::from_environment)?;
        opened.settings.source()?;
        Ok(opened)
    }

    /// Settings of a command that archives, with their layers. The source may be missing.
    pub(super) fn open_all(&self) -> Result<(Opened, Layers)> {
        let (config, layers, unknown) = self.writing()?;
        Ok((self.open(config, &unknown, no_telemetry)?, layers))
    }

    fn writing(&self) -> Result<(Config, Layers, Vec<String>)> {
        let (layers, unknown) = self.layered()?;
        let mut config = layers.merged();
        config.source = config.source.or_else(|| self.environment.get(SOURCE_VARIABLE).map(str::to_owned));
        config.dataset = config.dataset.or_else(|| Some(vec![Dataset::default()].into()));
        Ok((config, layers, unknown))
    }

    /// Settings of a command that reads the archive. Ignores settings of how months are archived, and the replicas.
    pub(super) fn open_reading(&self) -> Result<Opened> {
        let (layers, unknown) = self.layered()?;
        self.open_as_reader(Config { replica: None, ..layers.merged() }, &unknown)
    }

    /// Settings of a command that reads the archive and its replicas.
    pub(super) fn open_reading_replicas(&self) -> Result<Opened> {
        let (layers, unknown) = self.layered()?;
        self.open_as_reader(layers.merged(), &unknown)
    }

    /// Settings of a pull. Ignores the columns of the file, which are those of a run.
    pub(super) fn open_pulling(&self) -> Result<Opened> {
        let (layers, unknown) = self.layered()?;
        let chosen = layers.flags.config().columns.as_ref().or(layers.environment.config().columns.as_ref());
        self.open_as_reader(Config { columns: chosen.cloned(), replica: None, ..layers.merged() }, &unknown)
    }

    /// Settings of a command of backups. Ignores the settings of runs, and the archive's replicas.
    pub(super) fn open_backup(&self) -> Result<Opened> {
        let (layers, unknown) = self.layered()?;
        let config = layers.merged();
        let checked =
            Config { notify: config.notify.clone(), ..without_runs(Config { replica: None, ..config.clone() }) };
        Ok(Opened { config, ..self.open(checked, &unknown, no_telemetry)? })
    }

    /// The configuration file, from the flag or the environment.
    pub(super) fn file(&self) -> Result<Option<PathBuf>> {
        let typed = self.file.clone().map(|path| ("--config", path));
        let chosen = typed.or_else(|| Some((CONFIG_VARIABLE, self.environment.get(CONFIG_VARIABLE)?.into())));
        chosen.map(|(name, path)| config::expand_path(name, &path, &self.environment)).transpose()
    }

    fn open_as_reader(&self, config: Config, unknown: &[String]) -> Result<Opened> {
        let checked = without_runs(config.clone());
        Ok(Opened { config, ..self.open(checked, unknown, no_telemetry)? })
    }

    fn layered(&self) -> Result<(Layers, Vec<String>)> {
        let flags = Layer::from_flags(self.typed.clone(), &self.environment)?;
        refuse_typed_secrets(flags.config())?;
        let (environment, unknown) = Layer::from_environment(&self.environment)?;
        let file = self.file()?.map(|path| Layer::from_file(&path, &self.environment)).transpose()?;
        let layers = Layers { flags, environment, file: file.unwrap_or_default() };
        let names = Names::new(&layers);
        let is_from_platform = layers.merged().source.is_none() && self.environment.get(SOURCE_VARIABLE).is_some();
        let names = if is_from_platform { names.with("source", SOURCE_VARIABLE) } else { names };
        // Set already if a command reads the layers twice, which gives the same names.
        drop(self.names.set(names));
        Ok((layers, unknown))
    }

    fn open(&self, config: Config, unknown: &[String], telemetry: TelemetryFactory) -> Result<Opened> {
        let settings = Settings::new(config.clone(), &self.environment)?;
        let screen = Screen::new(settings.output);
        let retries = Retries::default();
        let telemetry = telemetry(&self.environment, settings.monitoring.allow_http);
        terminal::start(settings.output, &screen, self.messages, &retries, &telemetry);
        telemetry.warn_if_unusable();
        for variable in unknown {
            let hint = config::variable_remedy(variable);
            tracing::warn!(variable, hint, "ignored an environment variable that is no option");
        }
        Ok(Opened { config, settings, screen, retries, telemetry })
    }
}

/// The settings without those of how months are archived and reported.
fn without_runs(config: Config) -> Config {
    Config {
        source: None,
        format: None,
        columns: None,
        drop: None,
        pseudonymise: None,
        pseudonym_key_file: None,
        rename: None,
        notify: None,
        ..config
    }
}

const API_SECRETS: &str =
    "take it out and set KEEPTRUSTS_API_TOKEN; a URL that cannot do without belongs in KT_ARCHIVE_SOURCE";
const STORE_SECRETS: &str = "take it out and set the AWS_…, GOOGLE_… or AZURE_… variables";

const NOTIFY_SECRETS: &str = "set KT_ARCHIVE_NOTIFY instead, or notify in the configuration file";

/// Refuses secrets in arguments, which every user of the host can read in the process list.
fn refuse_typed_secrets(flags: &Config) -> Result<()> {
    let refuse = |option: &str, hint: &str| {
        let message = format!("{option} holds a user, a password or a token, which every user of this host can see");
        Err(Error::new(ErrorKind::Configuration, message).with_hint(hint))
    };
    if let Some(source) = flags.source.as_deref().filter(|source| address::contains_secret(source)) {
        return refuse("--source", if address::is_postgres(source) { address::PASSWORD_HINT } else { API_SECRETS });
    }
    if flags.into.as_deref().is_some_and(address::contains_secret) {
        return refuse("--into", address::PASSWORD_HINT);
    }
    if flags.backup_database.as_deref().is_some_and(address::contains_secret) {
        return refuse("--from", address::PASSWORD_HINT);
    }
    if flags.backups.as_deref().is_some_and(address::contains_secret) {
        return refuse("--backups", STORE_SECRETS);
    }
    if flags.backups_replica.iter().flat_map(|list| &list.0).any(|address| address::contains_secret(address)) {
        return refuse("--replica", STORE_SECRETS);
    }
    if flags.archive.as_deref().is_some_and(address::contains_secret) {
        return refuse("--archive", STORE_SECRETS);
    }
    if flags.replica.iter().flat_map(|list| &list.0).any(|address| address::contains_secret(address)) {
        return refuse("--replica", STORE_SECRETS);
    }
    if flags.notify.iter().flat_map(|list| &list.0).any(|address| address::contains_secret(address)) {
        return refuse("--notify", NOTIFY_SECRETS);
    }
    Ok(())
}

/// Refuses a range that ends before it begins.
pub(super) fn check_range(from: Month, to: Month) -> Result<()> {
    if from <= to {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Configuration, format!("the range ends ({to}) before it begins ({from})"));
    Err(error.with_hint("--from names the first month, --to the last one; both are included"))
}

/// [`check_range`] for a range whose ends may be open.
pub(super) fn check_open_range(from: Option<Month>, to: Option<Month>) -> Result<()> {
    from.zip(to).map_or(Ok(()), |(from, to)| check_range(from, to))
}

//! What every command does first: layers of settings become one, are checked, and logs begin.

use super::{
    args::CommonArgs,
    outcome::Console,
    terminal::{self, Screen},
};
use archive::{
    address,
    config::{CONFIG_VARIABLE, Config, Layer, Layers},
    environment::Environment,
    monitoring::{Telemetry, metrics::Retries},
    settings::Settings,
    style::Style,
};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Dataset, Month};
use std::path::PathBuf;

/// The platform's own variable for what is `--source` here. Ours beats it.
pub(super) const SOURCE_VARIABLE: &str = "KEEPTRUSTS_API_URL";

/// What was said to the program beside the command.
#[derive(Debug)]
pub(super) struct Session {
    flags: Config,
    /// The flags as they were typed.
    typed: toml::Table,
    file: Option<PathBuf>,
    pub(super) environment: Environment,
    /// How stdout looks.
    pub(super) results: Style,
    messages: Style,
}

/// Settings that a command can work with.
#[derive(Debug)]
pub(super) struct Opened {
    /// What all layers said together.
    pub(super) config: Config,
    /// The same, checked.
    pub(super) settings: Settings,
    /// Where progress and logs go.
    pub(super) screen: Screen,
    /// Counts what has to be tried again.
    pub(super) retries: Retries,
    /// Takes what a run says of itself.
    pub(super) telemetry: Telemetry,
}

/// Who takes what a command says of itself, by the environment; over plain HTTP to anybody, if that is allowed.
type Listeners = fn(&Environment, bool) -> Telemetry;

/// Of commands that archive nothing, nothing is told.
fn untold(_: &Environment, _: bool) -> Telemetry {
    Telemetry::default()
}

impl Session {
    pub(super) fn new(args: CommonArgs, typed: toml::Table, environment: Environment, console: &Console) -> Self {
        let flags = Config::from(&args);
        let Console { results, messages, .. } = *console;
        Self { flags, typed, file: args.config, environment, results, messages }
    }

    /// Settings of a command that archives: it has a source, and datasets.
    pub(super) fn open_writing(&self, flags: Config) -> Result<Opened> {
        let (config, _, unknown) = self.writing(flags)?;
        let opened = self.open(config, &unknown, Telemetry::from_environment)?;
        opened.settings.source()?;
        Ok(opened)
    }

    /// Settings as a command that archives would have them, with the layers that they come from. A source may be
    /// missing.
    pub(super) fn open_all(&self, flags: Config) -> Result<(Opened, Layers)> {
        let (config, layers, unknown) = self.writing(flags)?;
        Ok((self.open(config, &unknown, untold)?, layers))
    }

    fn writing(&self, flags: Config) -> Result<(Config, Layers, Vec<String>)> {
        let (layers, unknown) = self.layered(flags)?;
        let mut config = layers.merged();
        config.source = config.source.or_else(|| self.environment.get(SOURCE_VARIABLE).map(str::to_owned));
        config.dataset = config.dataset.or_else(|| Some(vec![Dataset::default()].into()));
        Ok((config, layers, unknown))
    }

    /// Settings of a command that reads: whatever the layers say about how months are archived does not matter to it.
    pub(super) fn open_reading(&self, flags: Config) -> Result<Opened> {
        let (layers, unknown) = self.layered(flags)?;
        self.open_as_reader(layers.merged(), &unknown)
    }

    /// Settings of a pull. The columns of the file are those of a run.
    pub(super) fn open_pulling(&self, flags: Config) -> Result<Opened> {
        let (layers, unknown) = self.layered(flags)?;
        let chosen = layers.flags.config().columns.as_ref().or(layers.environment.config().columns.as_ref());
        self.open_as_reader(Config { columns: chosen.cloned(), ..layers.merged() }, &unknown)
    }

    /// The configuration file, as it was named.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| self.environment.get(CONFIG_VARIABLE).map(PathBuf::from))
    }

    fn open_as_reader(&self, config: Config, unknown: &[String]) -> Result<Opened> {
        let mut checked = Config { source: None, format: None, columns: None, drop: None, ..config.clone() };
        (checked.pseudonymise, checked.pseudonym_key_file, checked.rename) = (None, None, None);
        (checked.notify, checked.metrics_file) = (None, None);
        Ok(Opened { config, ..self.open(checked, unknown, untold)? })
    }

    fn layered(&self, flags: Config) -> Result<(Layers, Vec<String>)> {
        let flags = flags.or(self.flags.clone());
        refuse_typed_secrets(&flags)?;
        let flags = Layer::from_flags(flags, self.typed.clone());
        let (environment, unknown) = Layer::from_environment(&self.environment)?;
        let file = self.file().map(|path| Layer::from_file(&path, &self.environment)).transpose()?;
        Ok((Layers { flags, environment, file: file.unwrap_or_default() }, unknown))
    }

    fn open(&self, config: Config, unknown: &[String], telemetry: Listeners) -> Result<Opened> {
        let settings = Settings::new(config.clone(), &self.environment)?;
        let screen = Screen::new(settings.output);
        let retries = Retries::default();
        let telemetry = telemetry(&self.environment, settings.monitoring.allow_http);
        terminal::start(settings.output, &screen, self.messages, &retries, &telemetry);
        telemetry.warn_if_unusable();
        for variable in unknown {
            tracing::warn!(variable, "ignored an environment variable that is no option");
        }
        Ok(Opened { config, settings, screen, retries, telemetry })
    }
}

const API_SECRETS: &str =
    "take it out and set KEEPTRUSTS_API_TOKEN; a URL that cannot do without belongs in KT_ARCHIVE_SOURCE";
const STORE_SECRETS: &str = "take it out and set the AWS_…, GOOGLE_… or AZURE_… variables";

const NOTIFY_SECRETS: &str = "set KT_ARCHIVE_NOTIFY instead, or notify in the configuration file";

/// Whoever lists the processes of the host sees what was typed.
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

/// The same of a range whose ends may be open.
pub(super) fn check_open_range(from: Option<Month>, to: Option<Month>) -> Result<()> {
    from.zip(to).map_or(Ok(()), |(from, to)| check_range(from, to))
}

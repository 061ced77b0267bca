//! What every command does first: layers of settings become one, are checked, and logs begin.

use super::{args::CommonArgs, logging, outcome::Console, progress::Screen, style::Style};
use crate::{
    address,
    config::{CONFIG_VARIABLE, Config},
    environment::Environment,
    settings::Settings,
};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::Month;
use std::path::PathBuf;

/// What was said to the program beside the command.
#[derive(Debug)]
pub(super) struct Session {
    flags: Config,
    file: Option<PathBuf>,
    environment: Environment,
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
}

/// What was said, by whom.
struct Layers {
    /// Flags, and below them the environment.
    typed_or_set: Config,
    file: Config,
    /// Variables of ours that mean nothing.
    unknown: Vec<String>,
}

impl Session {
    pub(super) fn new(args: CommonArgs, environment: Environment, console: &Console) -> Self {
        let flags = Config::from(&args);
        Self { flags, file: args.config, environment, results: console.results, messages: console.messages }
    }

    /// Settings of a command that archives: it has a source, and datasets.
    pub(super) fn open_writing(&self, flags: Config) -> Result<Opened> {
        let (mut config, unknown) = self.layered(flags)?;
        let url = || self.environment.get("KEEPTRUSTS_API_URL").map(str::to_owned);
        config.source = config.source.or_else(url);
        if config.dataset.is_none() {
            config.dataset = "events".parse().ok().map(|events| crate::units::List(vec![events]));
        }
        let opened = self.open(config, &unknown)?;
        opened.settings.source()?;
        Ok(opened)
    }

    /// Settings of a command that reads: whatever the layers say about how months are archived does not matter to it.
    pub(super) fn open_reading(&self, flags: Config) -> Result<Opened> {
        let (config, unknown) = self.layered(flags)?;
        self.open_as_reader(config, &unknown)
    }

    /// Settings of a pull. The file is about all pulls and runs, so it has no say in what one slice holds.
    pub(super) fn open_pulling(&self, flags: Config) -> Result<Opened> {
        let Layers { typed_or_set, file, unknown } = self.layers(flags)?;
        if file.r#match.is_some() {
            let error = Error::new(ErrorKind::Configuration, "\"match\" cannot stand in the configuration file");
            return Err(error.with_hint("it is about one slice: use --match, or KT_ARCHIVE_MATCH"));
        }
        let columns = typed_or_set.columns.clone();
        self.open_as_reader(Config { columns, ..typed_or_set.or(file) }, &unknown)
    }

    fn open_as_reader(&self, config: Config, unknown: &[String]) -> Result<Opened> {
        let checked = Config { source: None, format: None, columns: None, ..config.clone() };
        Ok(Opened { config, ..self.open(checked, unknown)? })
    }

    fn layered(&self, flags: Config) -> Result<(Config, Vec<String>)> {
        let Layers { typed_or_set, file, unknown } = self.layers(flags)?;
        Ok((typed_or_set.or(file), unknown))
    }

    fn layers(&self, flags: Config) -> Result<Layers> {
        let flags = flags.or(self.flags.clone());
        refuse_typed_secrets(&flags)?;
        let (environment, unknown) = Config::from_environment(&self.environment)?;
        let named = || self.environment.get(CONFIG_VARIABLE).map(PathBuf::from);
        let file = match self.file.clone().or_else(named) {
            Some(path) => Config::from_file(&path)?,
            None => Config::default(),
        };
        Ok(Layers { typed_or_set: flags.or(environment), file, unknown })
    }

    fn open(&self, config: Config, unknown: &[String]) -> Result<Opened> {
        let settings = Settings::new(config.clone(), &self.environment)?;
        let screen = Screen::new(settings.output);
        logging::start(settings.output, &screen, self.messages);
        for variable in unknown {
            tracing::warn!(variable, "ignored an environment variable that is no option");
        }
        Ok(Opened { config, settings, screen })
    }
}

/// Whoever lists the processes of the host sees what was typed.
fn refuse_typed_secrets(flags: &Config) -> Result<()> {
    let refuse = |option: &str, hint: &str| {
        let message = format!("{option} holds a user, a password or a token, which every user of this host can see");
        Err(Error::new(ErrorKind::Configuration, message).with_hint(hint))
    };
    if flags.source.as_deref().is_some_and(address::holds_a_secret) {
        return refuse(
            "--source",
            "take it out and set KEEPTRUSTS_API_TOKEN; a URL that cannot do without belongs in KT_ARCHIVE_SOURCE",
        );
    }
    if flags.archive.as_deref().is_some_and(address::holds_a_secret) {
        return refuse("--archive", "take it out and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
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

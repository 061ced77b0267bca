//! `kt-archive config`.

use super::{
    args::ConfigCommand,
    outcome::Outcome,
    schema,
    session::{SOURCE_VARIABLE, Session},
};
use archive::{
    address,
    config::{self, ConfigOption, Layers, OPTIONS, Origin, Setting},
    doctor::{Check, DoctorReport},
    exit::ExitCode,
    report::Report,
    settings::Recipient,
    style::Style,
};
use archive_connectors::{Result, sink::Location};
use serde::Serialize;
use std::collections::BTreeMap;
use toml::Value;

pub(super) async fn config(command: ConfigCommand, session: Session) -> Result<Outcome> {
    match command {
        ConfigCommand::Check => Ok(check(&session).await),
        ConfigCommand::Show => show(&session),
        ConfigCommand::Schema => Ok(Outcome::new(&PrintedSchema { schema: Some(schema::schema()) }, session.results)),
    }
}

async fn check(session: &Session) -> Outcome {
    let checks = match session.open_all() {
        Ok((opened, _)) => {
            let mut checks = vec![Check::new("settings", Ok("can be used".to_owned()))];
            checks.extend(archive::doctor::offline(&opened.settings).await);
            checks
        }
        Err(error) => vec![Check::failed("settings", &error)],
    };
    let outcome = Outcome::new(&DoctorReport::new(checks, session.names().get()), session.results);
    // Every failed check counts as a configuration error here, also where a run would exit with another code.
    match outcome.exit {
        ExitCode::Done => outcome,
        _ => Outcome { exit: ExitCode::Usage, ..outcome },
    }
}

/// The report of `config schema`.
#[derive(Debug, Default, Serialize)]
pub(super) struct PrintedSchema {
    schema: Option<serde_json::Value>,
}

impl Report for PrintedSchema {
    fn text(&self, _: Style) -> String {
        self.schema.as_ref().map(|schema| format!("{schema:#}\n")).unwrap_or_default()
    }
}

/// The report of `config show`.
#[derive(Debug, Default, Serialize)]
pub(super) struct ShownSettings {
    settings: Vec<Shown>,
    /// Comment lines that name the variables with secrets; values are never shown.
    #[serde(skip)]
    secrets: String,
}

impl Report for ShownSettings {
    fn text(&self, _: Style) -> String {
        format!("{}{}", self.settings.iter().map(line).collect::<String>(), self.secrets)
    }
}

/// A setting with its origin.
#[derive(Debug, Serialize)]
struct Shown {
    key: &'static str,
    /// Null if it is not set and its default is a sentence.
    value: Option<Value>,
    from: Origin,
    /// A default that is a sentence, not a value.
    #[serde(skip)]
    sentence: Option<&'static str>,
}

fn show(session: &Session) -> Result<Outcome> {
    let (opened, layers) = session.open_all()?;
    let mut chosen = chosen(&layers);
    let derived = [
        ("source", opened.config.source.clone(), Origin::Variable(SOURCE_VARIABLE.to_owned())),
        ("state-dir", Some(opened.settings.state_dir.display().to_string()), Origin::Default),
    ];
    for (key, value, from) in derived {
        if let Some(value) = value {
            chosen.entry(key).or_insert_with(|| Setting { key, value: value.into(), from });
        }
    }
    let shown = OPTIONS.iter().map(|option| shown(option, chosen.remove(option.key))).collect::<Vec<_>>();
    Ok(Outcome::new(&ShownSettings { settings: shown, secrets: secrets(session) }, session.results))
}

fn chosen(layers: &Layers) -> BTreeMap<&'static str, Setting> {
    layers.settings().into_iter().map(|setting| (setting.key, setting)).collect()
}

fn shown(option: &ConfigOption, setting: Option<Setting>) -> Shown {
    let key = option.key;
    if let Some(Setting { value, from, .. }) = setting {
        let redact = if key == "notify" { Recipient::printable } else { address::printable };
        return Shown { key, value: Some(printable(value, redact)), from, sentence: None };
    }
    Shown { key, value: option.default_value(), from: Origin::Default, sentence: option.default }
}

/// `value` with the secrets of URLs redacted.
fn printable(value: Value, redact: fn(&str) -> String) -> Value {
    let printable = |value| printable(value, redact);
    match value {
        Value::String(text) => Value::String(redact(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(printable).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, printable(value))).collect()),
        other => other,
    }
}

/// The setting as a line of a configuration file, or as a comment if it has no value.
fn line(shown: &Shown) -> String {
    let Shown { key, value, from, sentence } = shown;
    match value {
        Some(value) => format!("{key} = {}  # {}\n", escaped(value.clone()), from.as_str()),
        None => match sentence {
            Some(sentence) => format!("# {key}  # default: {sentence}\n"),
            None => format!("# {key}  # not set\n"),
        },
    }
}

fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(config::escape(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(escaped).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        other => other,
    }
}

/// Names the variables that are set and may hold secrets.
fn secrets(session: &Session) -> String {
    let prefixes = ["KEEPTRUSTS_API_TOKEN", "API_TOKEN", "PG"].into_iter().chain(Location::VARIABLES);
    let names = prefixes.flat_map(|prefix| session.environment.with_prefix(prefix)).map(|(name, _)| name);
    names.flat_map(|name| ["# ", name, " is set\n"]).collect()
}

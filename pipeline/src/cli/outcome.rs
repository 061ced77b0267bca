//! What a command came to, and how that is told.

use super::{args::Arguments, errors, json, logging, progress::Screen, telling::Ending};
use crate::{
    config::LogFormat,
    environment::Environment,
    exit::ExitCode,
    monitoring::{Telemetry, metrics::Retries},
    report::{Failure, Report},
    settings::OutputSettings,
    style::Style,
};
use archive_connectors::Error;
use clap::{CommandFactory as _, error::ErrorKind as ClapKind};
use serde_json::Value;
use std::{
    ffi::OsString,
    io::{self, Write as _},
};

/// What a command came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The exit code.
    pub(super) exit: ExitCode,
    /// Why it is not zero, in one sentence.
    pub(super) error: Option<Failure>,
    /// Failures of single months, which stderr tells instead of the sentence.
    pub(super) details: Vec<Failure>,
    /// The fields of the `--json` document.
    pub(super) report: Value,
    /// The report for people.
    pub(super) text: String,
    /// What is told once all that is printed.
    pub(super) ending: Option<Box<Ending>>,
}

impl Outcome {
    /// What `report` shows.
    pub(super) fn new<R: Report>(report: &R, style: Style) -> Self {
        let (exit, error, details) = (report.exit(), report.failure(), report.details());
        Self { exit, error, details, report: json::fields(report), text: report.text(style), ending: None }
    }

    /// The same, and if a signal ended the command early, with what that signal comes to.
    pub(super) fn stopped(mut self, error: Option<Error>) -> Self {
        if let Some(failure) = error.map(Failure::from) {
            self.exit = failure.exit;
            self.details.push(failure.clone());
            self.error = Some(failure);
        }
        self
    }

    /// A command that failed before it had a report.
    pub(super) fn failed(failure: impl Into<Failure>, command: Option<&str>) -> Self {
        let failure = failure.into();
        let (exit, error, report) = (failure.exit, Some(failure), json::empty_report(command));
        Self { exit, error, details: Vec::new(), report, text: String::new(), ending: None }
    }
}

/// The two streams, and what was asked of them.
#[derive(Debug)]
pub(super) struct Console {
    json: bool,
    command: Option<String>,
    /// How messages look that come before the settings are known.
    log_format: LogFormat,
    /// How stdout looks.
    pub(super) results: Style,
    /// How stderr looks.
    pub(super) messages: Style,
}

impl Console {
    /// Looks at the arguments without understanding them: what cannot be parsed must still be answered in JSON.
    pub(super) fn new(arguments: &[OsString], environment: Option<&Environment>) -> Self {
        let words =
            || arguments.iter().skip(1).filter_map(|argument| argument.to_str()).take_while(|word| *word != "--");
        let in_environment = environment.and_then(|it| it.get("KT_ARCHIVE_LOG_FORMAT")) == Some("json");
        let commands = Arguments::command();
        let is_command = |word: &&str| commands.get_subcommands().any(|command| command.get_name() == *word);
        let typed = words().zip(words().skip(1)).any(|pair| pair == ("--log-format", "json"))
            || words().any(|word| word == "--log-format=json");
        Self {
            json: words().any(|word| word == "--json"),
            log_format: if typed || in_environment { LogFormat::Json } else { LogFormat::Text },
            command: words().find(is_command).map(str::to_owned),
            results: Style::of(&io::stdout(), environment),
            messages: Style::of(&io::stderr(), environment),
        }
    }

    /// The console of a command that was understood.
    pub(super) fn of(self, command: &str) -> Self {
        Self { command: Some(command.to_owned()), ..self }
    }

    /// Tells why the arguments cannot be used, or shows the help that they asked for.
    pub(super) fn usage(&self, error: &clap::Error) -> ExitCode {
        match error.kind() {
            ClapKind::DisplayHelp | ClapKind::DisplayVersion => {
                drop(error.print());
                ExitCode::Done
            }
            ClapKind::DisplayHelpOnMissingArgumentOrSubcommand if !self.json => {
                drop(error.print());
                ExitCode::Usage
            }
            _ => {
                let command = self.command.as_deref();
                self.finish(Outcome::failed(errors::usage(error, command), command))
            }
        }
    }

    /// Prints the outcome.
    pub(super) fn finish(&self, outcome: Outcome) -> ExitCode {
        let command = self.command.as_deref();
        let printed = if self.json {
            print(&json::document(command, outcome.exit, outcome.error.as_ref(), outcome.report))
        } else {
            print(&outcome.text)
        };
        let sentence = outcome.error.iter().filter(|_| outcome.details.is_empty());
        for failure in sentence.chain(&outcome.details) {
            self.tell(failure);
        }
        match printed {
            Ok(()) => outcome.exit,
            Err(error) => {
                let message = format!("could not write the result to stdout: {error}");
                self.tell(&Failure { message, hint: None, exit: ExitCode::Failed });
                if outcome.exit == ExitCode::Done { ExitCode::Failed } else { outcome.exit }
            }
        }
    }

    /// Prints a failure in the form of everything else on stderr.
    fn tell(&self, failure: &Failure) {
        let output = OutputSettings { log_format: self.log_format, ..OutputSettings::default() };
        // Without effect where the command has started its logs.
        logging::start(output, &Screen::new(output), self.messages, &Retries::default(), &Telemetry::default());
        match logging::format() {
            LogFormat::Text => errors::print(failure, self.messages),
            LogFormat::Json => tracing::error!(hint = failure.hint, "{}", failure.message),
        }
    }
}

/// A reader that has seen enough, such as `head`, is no failure.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

//! The command line: the one place that prints. Results go to stdout, everything else to stderr.

mod args;
mod backup;
mod backup_options;
mod completions;
mod config;
mod doctor;
mod examples;
mod log;
mod man;
mod options;
mod outcome;
mod page;
mod pull;
mod replicate;
mod restore;
mod run;
pub mod schedule;
mod schema;
mod session;
mod signals;
mod status;
mod terminal;
mod verify;

use archive::{
    backup::{
        ArtifactsOutcome, BackupReport, BackupVerifyReport, ConfigurationOutcome, CopyReport, DrillReport, PlanReport,
        PruneReport, RecoverReport,
    },
    config::expand_path,
    doctor::DoctorReport,
    environment::Environment,
    exit::ExitCode,
    pull::PullReport,
    replicate::ReplicateReport,
    restore::RestoreReport,
    run::RunReport,
    status::StatusReport,
    style::Style,
    verify::VerifyReport,
};
use archive_connectors::{Error, ErrorKind, Result};
use args::{Arguments, Command};
use completions::PrintedCompletions;
use config::{PrintedSchema, ShownSettings};
use man::WrittenPages;
use outcome::{Console, Outcome, fields};
use page::PageReport;
use schedule::PrintedJob;
use serde_json::{Map, Value};
use session::Session;
use std::ffi::OsString;

/// Runs the command that `arguments` name, prints its outcome and returns the exit code.
pub async fn main(arguments: impl Iterator<Item = OsString>, environment: Result<Environment>) -> ExitCode {
    signals::survive_file_size_limit();
    let arguments = arguments.collect::<Vec<_>>();
    let console = Console::new(&arguments, environment.as_ref().ok());
    let (parsed, typed) = match options::parse(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return console.usage(&error, empty_report),
    };
    let name = parsed.command.name();
    let console = console.with_command(name);
    let failed = |error: Error| Outcome::failed(&error, empty_report(Some(name)));
    let mut outcome = match environment {
        Ok(environment) => {
            let session = Session::new(parsed.config.clone(), typed, environment, &console);
            let names = session.names();
            let outcome = Box::pin(dispatch(parsed, session)).await.unwrap_or_else(failed);
            match names.get() {
                Some(names) => outcome.spelled(names),
                None => outcome,
            }
        }
        Err(error) => failed(error),
    };
    let notifications = outcome.notifications.take();
    let exit = console.finish(outcome);
    if let Some(notifications) = notifications {
        notifications.send(exit).await;
    }
    exit
}

/// Prints that the runtime could not be started.
pub fn cannot_start(error: &std::io::Error) {
    let error = Error::new(ErrorKind::Local, "could not start the worker threads").with_source(error.to_string());
    outcome::print_failure(&(&error).into(), Style::plain());
}

async fn dispatch(arguments: Arguments, session: Session) -> Result<Outcome> {
    match arguments.command {
        Command::Run { month } => Box::pin(run::run(month, session)).await,
        Command::Backfill(args) => Box::pin(run::backfill(args, session)).await,
        Command::Verify(args) => verify::verify(args, session).await,
        Command::Status(args) => status::status(args, session).await,
        Command::Report(args) => page::report(args, session).await,
        Command::Doctor => doctor::doctor(session).await,
        Command::Config { command } => config::config(command, session).await,
        Command::Replicate => replicate::replicate(session).await,
        Command::Pull(args) => pull::pull(args, arguments.json, session).await,
        Command::Restore { month } => restore::restore(month, session).await,
        Command::Schedule { kind } => schedule::schedule(kind, &session),
        Command::Backup { command } => backup::backup(command, session).await,
        Command::Recover { command } => backup::recover(command, session).await,
        Command::Completions { shell } => Ok(completions::completions(shell, session.results)),
        Command::Man { folder } => {
            man::man(&expand_path("the folder", &folder, &session.environment)?, session.results)
        }
    }
}

/// The fields of a command that failed before it had a report: the same keys as otherwise, with default values.
fn empty_report(command: Option<&str>) -> Value {
    match command {
        Some("run" | "backfill") => fields(&RunReport::default()),
        Some("verify") => fields(&VerifyReport::default()),
        Some("status") => fields(&StatusReport::default()),
        Some("report") => fields(&PageReport::default()),
        Some("doctor" | "config check") => fields(&DoctorReport::default()),
        Some("config show") => fields(&ShownSettings::default()),
        Some("config schema") => fields(&PrintedSchema::default()),
        Some("replicate" | "backup replicate") => fields(&ReplicateReport::default()),
        Some("pull") => fields(&PullReport::default()),
        Some("restore") => fields(&RestoreReport::default()),
        Some("schedule") => fields(&PrintedJob::default()),
        Some("backup database") => fields(&BackupReport::default()),
        Some("backup configuration") => fields(&CopyReport::<ConfigurationOutcome>::default()),
        Some("backup artifacts") => fields(&CopyReport::<ArtifactsOutcome>::default()),
        Some("backup verify") => fields(&BackupVerifyReport::default()),
        Some("backup drill") => fields(&DrillReport::default()),
        Some("backup prune") => fields(&PruneReport::default()),
        Some("recover plan") => fields(&PlanReport::default()),
        Some("recover database") => fields(&RecoverReport::default()),
        Some("completions") => fields(&PrintedCompletions::default()),
        Some("man") => fields(&WrittenPages::default()),
        _ => Value::Object(Map::new()),
    }
}

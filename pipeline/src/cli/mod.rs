//! The command line: the one place that prints. Results go to stdout, everything else to stderr.

mod args;
mod errors;
mod flags;
mod json;
mod logging;
mod numbers;
mod outcome;
mod progress;
mod pull;
mod run;
mod session;
mod signals;
mod status;
mod style;
mod table;
mod verify;

use crate::{environment::Environment, exit::ExitCode};
use archive_connectors::{Error, ErrorKind, Result};
use args::{Arguments, Command};
use clap::Parser as _;
use outcome::{Console, Outcome};
use session::Session;
use std::ffi::OsString;

/// Does what the arguments say and prints what came of it.
pub async fn main(arguments: impl Iterator<Item = OsString>, environment: Result<Environment>) -> ExitCode {
    let arguments = arguments.collect::<Vec<_>>();
    let console = Console::new(&arguments, environment.as_ref().ok());
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return console.usage(&error),
    };
    let console = console.of(parsed.command.name());
    let outcome = match environment {
        Ok(environment) => Box::pin(dispatch(parsed, environment, &console)).await,
        Err(error) => Err(error),
    };
    console.finish(outcome.unwrap_or_else(|error| Outcome::failed(&error)))
}

/// Says that not even the runtime could be started.
pub fn cannot_start(error: &std::io::Error) {
    let error = Error::new(ErrorKind::Local, "could not start the worker threads").with_source(error.to_string());
    errors::print(&(&error).into(), style::Style::plain());
}

async fn dispatch(arguments: Arguments, environment: Environment, console: &Console) -> Result<Outcome> {
    let session = Session::new(arguments.common, environment, console);
    match arguments.command {
        Command::Run(args) => run::run(args, session).await,
        Command::Backfill(args) => run::backfill(args, session).await,
        Command::Verify(args) => verify::verify(args, session).await,
        Command::Status(args) => status::status(args, session).await,
        Command::Pull(args) => pull::pull(args, session).await,
    }
}

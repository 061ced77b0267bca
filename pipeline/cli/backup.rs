//! `kt-archive backup …` and `kt-archive recover …`. Short, since the work is done by [`archive::backup`].

use super::{
    args::{BackupCommand, ConfigurationArgs, RecoverArgs, RecoverCommand},
    outcome::{Outcome, fields},
    session::{Opened, SOURCE_VARIABLE, Session},
    signals::{self, Notifications, Signals},
};
use archive::{
    backup::{
        self, ArtifactsRequest, BackupVerifyRequest, ConfigurationFrom, ConfigurationRequest, DrillRequest,
        RecoverRequest, RepositoryLink,
    },
    config,
    monitoring::{self, Attempt, Finished, Telemetry, Tier, metrics::Work},
    report::Report,
    settings,
    style::Style,
};
use archive_connectors::{
    Clock as _, Error, ErrorKind, Result,
    clock::SystemClock,
    postgres::{Server, contents::Access},
    program::CommandVariables,
};
use serde::Serialize;
use std::{num::NonZero, path::PathBuf, thread, time::Duration};

pub(super) async fn backup(command: BackupCommand, session: Session) -> Result<Outcome> {
    let opened = session.open_backup()?;
    let (settings, observer) = (&opened.settings, opened.screen.observer());
    let signals = Signals::listen()?;
    let stop = signals.stop();
    match command {
        BackupCommand::Database => {
            let work = Box::pin(backup::back_up_database(settings, &SystemClock, observer, stop));
            committing("backup database", signals, work, &opened, &session).await
        }
        BackupCommand::Configuration(args) => {
            if let Some(repository) = args.print_link {
                return Ok(print_link(repository, &session));
            }
            let request = configuration(*args, &opened, &session)?;
            let work = Box::pin(backup::back_up_configuration(settings, &request, &SystemClock, observer, stop));
            committing("backup configuration", signals, work, &opened, &session).await
        }
        BackupCommand::Artifacts(args) => {
            let from = settings::place("--from", &args.from, &session.environment)?;
            let request = ArtifactsRequest { from, reread: args.reread };
            let work = Box::pin(backup::back_up_artifacts(settings, &request, &SystemClock, observer, stop));
            committing("backup artifacts", signals, work, &opened, &session).await
        }
        BackupCommand::Replicate(args) => {
            let work = Box::pin(backup::replicate_backups(settings, args.repair, observer, stop));
            committing("backup replicate", signals, work, &opened, &session).await
        }
        BackupCommand::Verify => {
            let (level, expect_head) = (opened.config.level.unwrap_or_default(), opened.config.expect_head.clone());
            let request = BackupVerifyRequest { level, expect_head };
            let work = async {
                let verifying = Box::pin(backup::verify_backups(settings, &request, observer));
                backup::until_stopped(&stop, verifying).await
            };
            committing("backup verify", signals, work, &opened, &session).await
        }
        BackupCommand::Drill(args) => {
            let request = DrillRequest {
                backup: args.backup,
                into: into(&opened, &session)?,
                programs: settings.backup.programs.clone(),
                jobs: jobs(&opened)?,
            };
            let work = Box::pin(backup::drill(settings, &request, &SystemClock, observer, stop));
            committing("backup drill", signals, work, &opened, &session).await
        }
        BackupCommand::Prune(args) => {
            let work = Box::pin(backup::prune(settings, args.confirm, &SystemClock, observer, stop));
            if args.confirm {
                committing("backup prune", signals, work, &opened, &session).await
            } else {
                reading(signals, work, &opened, &session).await
            }
        }
    }
}

pub(super) async fn recover(command: RecoverCommand, session: Session) -> Result<Outcome> {
    let opened = session.open_backup()?;
    let (settings, observer) = (&opened.settings, opened.screen.observer());
    let signals = Signals::listen()?;
    match command {
        RecoverCommand::Plan => {
            let work = Box::pin(backup::recovery_plan(settings, &SystemClock));
            committing("recover plan", signals, work, &opened, &session).await
        }
        RecoverCommand::Database(RecoverArgs { backup, switch, confirm }) => {
            let request = RecoverRequest {
                backup,
                into: into(&opened, &session)?.ok_or_else(|| {
                    Error::new(ErrorKind::Configuration, "there is no database to restore into")
                        .with_hint("name a new one: --into postgres://user@host/new_database")
                })?,
                programs: settings.backup.programs.clone(),
                jobs: jobs(&opened)?,
                switch,
                confirm: confirm.confirm,
            };
            let stop = signals.stop();
            let work = Box::pin(backup::recover(settings, &request, &SystemClock, observer, &stop));
            committing("recover database", signals, work, &opened, &session).await
        }
    }
}

/// Awaits work that stops by itself after a signal, with metrics and notifications.
async fn committing<R: Report>(
    command: &'static str,
    signals: Signals,
    work: impl Future<Output = Result<R>>,
    opened: &Opened,
    session: &Session,
) -> Result<Outcome> {
    let attempt = Attempt { command, tier: Tier::Backups, started: SystemClock.now() };
    let stop = signals.stop();
    let begun = stop.run_until_cancelled(monitoring::begin(&opened.settings, &attempt));
    let work = async {
        let guarded = signals.finish_on_signal(work).await;
        opened.screen.close();
        guarded.into_report()
    };
    let (done, ended) = Box::pin(signals::run_alongside(begun, work)).await;
    let outcome = match done {
        Ok((report, stopped)) => Outcome::new(&report, session.results).stopped(stopped),
        Err(error) => Outcome::failed(&error, fields(&R::default())),
    };
    // The line of the result, without colours.
    let summary = outcome.text.lines().next().map(str::to_owned);
    let (exit, error) = (outcome.exit, outcome.error.clone());
    let finished = Finished { attempt, ended, exit, error, report: None, summary, work: Work::default() };
    let notifications = Notifications::new(opened.settings.clone(), Telemetry::default(), finished);
    Ok(Outcome { notifications: Some(notifications), ..outcome })
}

/// Awaits work that a signal aborts.
async fn reading<R: Report>(
    signals: Signals,
    work: impl Future<Output = Result<R>>,
    opened: &Opened,
    session: &Session,
) -> Result<Outcome> {
    let report = signals.abort_on_signal(work).await;
    opened.screen.close();
    Ok(Outcome::new(&report?, session.results))
}

/// Where configurations come from: what is typed, else the database of the settings.
fn configuration(args: ConfigurationArgs, opened: &Opened, session: &Session) -> Result<ConfigurationRequest> {
    let ConfigurationArgs { file, git, exec, lint_exec, name, gateway, environment, print_link: _ } = args;
    let expanded = |path: &PathBuf| config::expand_path("the path", path, &session.environment);
    let backup = &opened.settings.backup;
    let from = match (file.as_slice(), git, exec) {
        ([_, ..], ..) => ConfigurationFrom::Files(file.iter().map(expanded).collect::<Result<_>>()?),
        (_, Some(folder), _) => ConfigurationFrom::Git(expanded(&folder)?),
        (.., Some(command)) => ConfigurationFrom::Command(command),
        _ => {
            let server = backup.database.clone().ok_or_else(|| {
                Error::new(ErrorKind::Configuration, "nothing names the configurations")
                    .with_hint("use --from postgres://…, --exec, --git or --file")
            })?;
            let (statement_timeout, lock_timeout) = (backup.statement_timeout, backup.lock_timeout);
            let access = Box::new(Access { server, connections: 1, statement_timeout, lock_timeout });
            ConfigurationFrom::Table { access, table: opened.config.table.clone() }
        }
    };
    let variables = CommandVariables {
        variables: session
            .environment
            .with_prefix("")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        timeout: COMMAND_TIMEOUT,
    };
    Ok(ConfigurationRequest { from, name, gateway, environment, lint: lint_exec, variables })
}

/// The longest run of an export or a linter.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

fn print_link(repository: String, session: &Session) -> Outcome {
    let api_url = session.environment.get(SOURCE_VARIABLE).unwrap_or("https://api.keeptrusts.example").to_owned();
    let link = RepositoryLink { api_url, repository, branch: "main".to_owned(), path: "/".to_owned() };
    Outcome::new(&PrintedLink { call: Some(link.text()) }, session.results)
}

/// The report of `backup configuration --print-link`.
#[derive(Debug, Default, Serialize)]
struct PrintedLink {
    call: Option<String>,
}

impl Report for PrintedLink {
    fn text(&self, _: Style) -> String {
        self.call.clone().unwrap_or_default()
    }
}

/// The database that `--into` names.
fn into(opened: &Opened, session: &Session) -> Result<Option<Server>> {
    let into = opened.config.into.as_deref().filter(|into| !into.is_empty());
    into.map(|into| settings::server("--into", into, &session.environment)).transpose()
}

/// Sessions of a restore.
fn jobs(opened: &Opened) -> Result<NonZero<usize>> {
    let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let Some(jobs) = opened.config.jobs else { return Ok(cores()) };
    NonZero::new(opened.settings.jobs).filter(|_| jobs.0 > 0).ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "0 jobs are not possible").with_hint("use 1 or more for --jobs")
    })
}

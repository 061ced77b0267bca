//! `kt-archive schedule`.

use super::{Job, JobInput, Kind, backups, render};
use crate::{options::keys_of_run, outcome::Outcome, session::Session};
use archive::{report::Report, style::Style};
use archive_connectors::{Error, ErrorKind, Result, error::local};
use serde::Serialize;
use std::{env, path::Path};

/// The report of `schedule`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PrintedJob {
    kind: Option<&'static str>,
    job: Option<String>,
}

impl Report for PrintedJob {
    fn text(&self, _: Style) -> String {
        self.job.clone().unwrap_or_default()
    }
}

pub(crate) fn schedule(kind: Kind, session: &Session) -> Result<Outcome> {
    let (opened, layers) = session.open_all()?;
    let folder = env::current_dir().map_err(local("find the current folder", Path::new(".")))?;
    let folder = utf8(&folder)?;
    let input = JobInput {
        layers: &layers,
        settings: &opened.settings,
        source: opened.config.source.clone().unwrap_or_default(),
        folder,
        environment: &session.environment,
        keys: &keys_of_run(),
        backup: &[],
    };
    let program = match &opened.config.program {
        Some(program) => absolute(program)?,
        None => absolute(&env::current_exe().map_err(local("find this program", Path::new("/proc/self/exe")))?)?,
    };
    let config = session.file()?.map(|file| absolute(&file)).transpose()?;
    // A file may name both; the flag asks for backups.
    let text = if session.is_typed("backups") || (opened.config.source.is_none() && opened.config.backups.is_some()) {
        backups::render(kind, &input, &program, config.as_deref())?
    } else {
        render(kind, &Job { program, config, ..Job::new(&input)? })?
    };
    Ok(Outcome::new(&PrintedJob { kind: Some(kind.as_str()), job: Some(text) }, session.results))
}

fn absolute(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(local("find the folder of a file", path))?;
    utf8(&absolute).map(str::to_owned)
}

fn utf8(path: &Path) -> Result<&str> {
    let error = || Error::new(ErrorKind::Configuration, "a path is not UTF-8").with_context("path", path.display());
    path.to_str().ok_or_else(|| error().with_hint("a job needs paths that are UTF-8"))
}

//! `kt-archive report`. Short, since it only turns arguments into a request.

use super::{PageRequest, write};
use crate::{
    args::PeriodArgs,
    outcome::Outcome,
    session::{Session, check_open_range},
    signals::Signals,
};
use archive::status::StatusRequest;
use archive_connectors::{Error, ErrorKind, Result, clock::SystemClock};

pub(crate) async fn report(args: PeriodArgs, session: Session) -> Result<Outcome> {
    let PeriodArgs { from, to } = args;
    check_open_range(from, to)?;
    let opened = session.open_reading_replicas()?;
    let named = opened.config.output.clone().filter(|path| !path.as_os_str().is_empty() && path.as_os_str() != "-");
    let output = named.ok_or_else(|| {
        let error = Error::new(ErrorKind::Configuration, "no file was given for the page");
        error.with_hint("name the page to write with --output, such as report.html")
    })?;
    let (datasets, refuses_unknown) = (opened.settings.datasets.clone(), session.is_typed("dataset"));
    let status = StatusRequest { from, to, datasets, refuses_unknown, ..StatusRequest::default() };
    let organisation = opened.config.organisation.clone().filter(|name| !name.trim().is_empty());
    let force = opened.config.force.is_some_and(|on| on.0);
    let request = PageRequest { status, organisation, output, force };
    let work = write(&opened.settings, &request, &SystemClock, opened.screen.observer());
    let report = Signals::listen()?.abort_on_signal(work).await;
    opened.screen.close();
    let report = report?;
    Ok(Outcome::new(&report, session.results))
}

//! `kt-archive status`. Short, since the work is done by [`archive::status`].

use super::{
    args::PeriodArgs,
    outcome::Outcome,
    session::{Session, check_open_range},
    signals::Signals,
};
use archive::status::{self, Layout, StatusRequest};
use archive_connectors::{Result, clock::SystemClock};

pub(super) async fn status(args: PeriodArgs, session: Session) -> Result<Outcome> {
    let PeriodArgs { from, to } = args;
    check_open_range(from, to)?;
    let opened = session.open_reading_replicas()?;
    let is_list = opened.config.list.is_some_and(|on| on.0);
    let layout = if is_list { Layout::List } else { Layout::Calendar };
    let refuses_unknown = session.is_typed("dataset");
    let is_check = opened.config.check.is_some_and(|on| on.0);
    let request = StatusRequest {
        from,
        to,
        datasets: opened.settings.datasets.clone(),
        layout,
        is_check,
        refuses_unknown,
        may_lack_archive: opened.config.archive.is_none(),
    };
    let work = status::status(&opened.settings, &request, &SystemClock);
    let report = Signals::listen()?.abort_on_signal(work).await?;
    Ok(Outcome::new(&report, session.results))
}

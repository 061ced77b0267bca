//! `kt-archive run` and `kt-archive backfill`.

use super::{
    args::BackfillArgs,
    outcome::{Outcome, fields},
    session::{Opened, Session, check_open_range},
    signals::{self, Notifications, Signals},
};
use archive::{
    monitoring::{
        self, Attempt, Finished, Tier,
        metrics::{Stopwatch, Work},
        spans,
    },
    observer::Observer,
    plan::Request,
    run::{self, RunReport},
    style::Style,
};
use archive_connectors::{Clock as _, Error, Result, clock::SystemClock};
use archive_formats::Month;
use std::sync::Arc;
use tracing::Instrument as _;

pub(super) async fn run(month: Option<Month>, session: Session) -> Result<Outcome> {
    let opened = session.open_writing()?;
    let request = month.map_or(Request::Due, Request::Month);
    archive("run", opened, request, session.results).await
}

pub(super) async fn backfill(args: BackfillArgs, session: Session) -> Result<Outcome> {
    let BackfillArgs { from, to } = args;
    check_open_range(Some(from), to)?;
    let opened = session.open_writing()?;
    let dry_run = opened.config.dry_run.is_some_and(|on| on.0);
    archive("backfill", opened, Request::Backfill { from, to, dry_run }, session.results).await
}

/// Archives, with notifications and telemetry. A dry run notifies no receiver.
async fn archive(command: &'static str, opened: Opened, request: Request, style: Style) -> Result<Outcome> {
    let signals = Signals::listen()?;
    if matches!(request, Request::Backfill { dry_run: true, .. }) {
        let (report, stopped) = work(signals, &opened, request, opened.screen.observer()).await?;
        return Ok(Outcome::new(&report, style).stopped(stopped));
    }
    let attempt = Attempt { command, tier: Tier::Events, started: SystemClock.now() };
    let stopwatch = Arc::new(Stopwatch::new(opened.screen.observer()));
    let observer = Arc::clone(&stopwatch);
    let stop = signals.stop();
    let begun = stop.run_until_cancelled(monitoring::begin(&opened.settings, &attempt));
    let span = spans::run(command);
    opened.telemetry.set_parent(&span);
    let work = work(signals, &opened, request, observer).instrument(span.clone());
    let (done, ended) = Box::pin(signals::run_alongside(begun, work)).await;
    let (outcome, report) = match done {
        Ok((report, stopped)) => (Outcome::new(&report, style).stopped(stopped), Some(report)),
        Err(error) => (Outcome::failed(&error, fields(&RunReport::default())), None),
    };
    spans::end_run(span, outcome.exit, outcome.error.as_ref());
    let finished = Finished {
        attempt,
        ended,
        exit: outcome.exit,
        error: outcome.error.clone(),
        report,
        summary: None,
        work: Work { stages: stopwatch.stages(), retries: opened.retries.counts() },
    };
    let notifications = Notifications::new(opened.settings, opened.telemetry, finished);
    Ok(Outcome { notifications: Some(notifications), ..outcome })
}

async fn work(
    signals: Signals,
    opened: &Opened,
    request: Request,
    observer: Arc<dyn Observer>,
) -> Result<(RunReport, Option<Error>)> {
    let work = Box::pin(run::run(&opened.settings, request, Arc::new(SystemClock), observer, signals.stop()));
    let guarded = signals.finish_on_signal(work).await;
    opened.screen.close();
    let (report, stopped) = guarded.into_report()?;
    let stopped = stopped.map(|error| {
        let archived = report.months.iter().filter(|month| month.error.is_none()).count();
        let hint = error.hint().to_owned();
        Error::new(error.kind(), format!("{error}: {archived} of {} months are archived", report.months.len()))
            .with_hint(hint)
    });
    Ok((report, stopped))
}

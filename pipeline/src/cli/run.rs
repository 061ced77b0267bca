//! `kt-archive run` and `kt-archive backfill`.

use super::{
    args::{BackfillArgs, RunArgs},
    flags, numbers,
    outcome::Outcome,
    replicate,
    session::{Opened, Session, check_range},
    signals::Signals,
    style::{Style, Tone},
    table::{Align, Cell, Table},
    telling::{self, Ending},
};
use crate::{
    config::Config,
    monitoring::{
        self, Attempt, Finished,
        metrics::{Stopwatch, Work},
    },
    observer::Observer,
    plan::Request,
    report::{Failure, MonthReport, MonthState, RunReport},
    run, spans,
};
use archive_connectors::{Clock as _, Error, Result, clock::SystemClock};
use archive_formats::Head;
use std::sync::Arc;
use tracing::Instrument as _;

pub(super) async fn run(args: RunArgs, session: Session) -> Result<Outcome> {
    let opened = session.open_writing(args.source.into())?;
    let request = args.month.map_or(Request::Due, Request::Month);
    archive("run", opened, request, session.results).await
}

pub(super) async fn backfill(args: BackfillArgs, session: Session) -> Result<Outcome> {
    let BackfillArgs { from, to, .. } = args;
    check_range(from, to)?;
    let flags = Config { jobs: args.jobs, dry_run: flags::switch(args.dry_run), ..args.source.into() };
    let opened = session.open_writing(flags)?;
    let dry_run = opened.config.dry_run.is_some_and(|on| on.0);
    archive("backfill", opened, Request::Backfill { from, to, dry_run }, session.results).await
}

/// Archives, and tells of it whoever is to know; of what would be done, nobody.
async fn archive(command: &'static str, opened: Opened, request: Request, style: Style) -> Result<Outcome> {
    let signals = Signals::listen()?;
    if matches!(request, Request::Backfill { dry_run: true, .. }) {
        let (report, stopped) = work(signals, &opened, request, opened.screen.observer()).await?;
        return Ok(outcome(&report, stopped, style));
    }
    let attempt = Attempt { command, started: SystemClock.now() };
    let stopwatch = Arc::new(Stopwatch::new(opened.screen.observer()));
    let observer = Arc::clone(&stopwatch);
    let stop = signals.stop();
    let begun = stop.run_until_cancelled(monitoring::begin(&opened.settings, &attempt));
    let span = spans::run(command);
    opened.telemetry.adopt(&span);
    let work = work(signals, &opened, request, observer).instrument(span.clone());
    let (done, ended) = Box::pin(telling::beside(begun, work)).await;
    let (outcome, report) = match done {
        Ok((report, stopped)) => (outcome(&report, stopped, style), Some(report)),
        Err(error) => (Outcome::failed(&error), None),
    };
    spans::run_done(span, outcome.exit, outcome.error.as_ref());
    let finished = Finished {
        attempt,
        ended,
        exit: outcome.exit,
        error: outcome.error.clone(),
        report,
        work: Work { stages: stopwatch.stages(), retries: opened.retries.counts() },
    };
    Ok(Outcome { ending: Some(Ending::new(opened.settings, opened.telemetry, finished)), ..outcome })
}

async fn work(
    signals: Signals,
    opened: &Opened,
    request: Request,
    observer: Arc<dyn Observer>,
) -> Result<(RunReport, Option<Error>)> {
    let work = run::run(&opened.settings, request, Arc::new(SystemClock), observer, signals.stop());
    let guarded = signals.let_finish(work).await;
    opened.screen.close();
    guarded.into_report()
}

fn outcome(report: &RunReport, stopped: Option<Error>, style: Style) -> Outcome {
    let outcome = Outcome::reported(report.exit(), report, text(report, style));
    let details = failures(report);
    Outcome { error: summary(report, &details), details, ..outcome }.stopped(stopped)
}

/// The failed months and replicas, each with its name.
fn failures(report: &RunReport) -> Vec<Failure> {
    let failed = report.months.iter().filter_map(|month| month.error.as_ref().map(|error| (month, error)));
    let named = failed.map(|(month, error)| Failure {
        message: format!("{} {}: {}", month.dataset, month.month, error.message),
        ..error.clone()
    });
    named.chain(replicate::failures(&report.replicas)).collect()
}

/// All failures in one sentence.
fn summary(report: &RunReport, failures: &[Failure]) -> Option<Failure> {
    match failures {
        [] => None,
        [only] => Some(Failure { exit: report.exit(), ..only.clone() }),
        [first, ..] => Some(Failure {
            message: format!("{} failed or are incomplete; the first: {}", share(report), first.message),
            hint: first.hint.clone(),
            exit: report.exit(),
        }),
    }
}

/// How many of what there was failed.
fn share(report: &RunReport) -> String {
    let months = report.months.iter().filter(|month| month.error.is_some()).count();
    let replicas = report.replicas.iter().filter(|replica| replica.error.is_some()).count();
    let months = (months > 0).then(|| format!("{months} of {} months", report.months.len()));
    let replicas = (replicas > 0).then(|| format!("{replicas} of {} replicas", report.replicas.len()));
    months.into_iter().chain(replicas).collect::<Vec<_>>().join(" and ")
}

fn text(report: &RunReport, style: Style) -> String {
    let mut table = Table::new([
        ("DATASET", Align::Left),
        ("MONTH", Align::Left),
        ("STATE", Align::Left),
        ("EVENTS", Align::Right),
        ("FILES", Align::Right),
        ("SIZE", Align::Right),
        ("TIME", Align::Right),
    ]);
    for month in &report.months {
        table.push(row(month));
    }
    let nothing = if report.months.is_empty() { "nothing to do: every month is archived\n" } else { "" };
    let head = head(report.head.as_ref());
    let replicas = replicate::table(&report.replicas, style);
    format!("{}{nothing}{replicas}{head}  archive {}\n", table.render(style), report.archive)
}

fn row(month: &MonthReport) -> [Cell; 7] {
    let state = match month.state {
        MonthState::Archived => Cell::toned("archived", Tone::Good),
        MonthState::Already => Cell::from("already"),
        MonthState::Failed => Cell::toned("failed", Tone::Bad),
        MonthState::Planned => Cell::from("planned"),
    };
    let known = month.events.is_some();
    let or_dash = |text: String| Cell::from(if known { text } else { "-".to_owned() });
    let worked = matches!(month.state, MonthState::Archived | MonthState::Failed);
    [
        month.dataset.to_string().into(),
        month.month.to_string().into(),
        state,
        or_dash(month.events.map_or_else(String::new, |events| numbers::thousands(events.archived))),
        or_dash(numbers::thousands(month.files)),
        or_dash(numbers::size(month.bytes)),
        if worked { numbers::time(month.seconds).into() } else { "-".into() },
    ]
}

/// The head, with as much of its digest as a person compares.
pub(super) fn head(head: Option<&Head>) -> String {
    match head {
        Some(head) => format!("head {} {}…", head.sequence, head.sha256.short()),
        None => "head none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use archive_formats::{Sha256, manifest::EventCounts};

    fn month(dataset: &str, month: &str, archived: Option<u64>) -> MonthReport {
        let events = archived.map(|archived| EventCounts { read: archived, archived, ..EventCounts::default() });
        let hint = Some("do this".to_owned());
        let failure = Failure { message: "no answer".to_owned(), hint, exit: ExitCode::Source };
        MonthReport {
            dataset: dataset.parse().unwrap(),
            month: month.parse().unwrap(),
            state: if archived.is_some() { MonthState::Archived } else { MonthState::Failed },
            sequence: None,
            manifest_sha256: None,
            events,
            files: 12_345,
            bytes: 1_098_437_885_952,
            seconds: 42_000.0,
            error: archived.is_none().then_some(failure),
        }
    }

    fn report(months: Vec<MonthReport>) -> RunReport {
        let head = Some(Head { sequence: 3, sha256: Sha256::of(b"abc") });
        RunReport { archive: "./archive".to_owned(), head, months, replicas: Vec::new() }
    }

    #[test]
    fn the_closing_table_fits_into_80_columns() {
        let months = vec![month("escalations", "2025-03", Some(1_234_567_890)), month("events", "2025-04", None)];
        let text = text(&report(months), Style::plain());
        let expected = "\
DATASET      MONTH    STATE            EVENTS   FILES        SIZE     TIME
escalations  2025-03  archived  1,234,567,890  12,345  1023.0 GiB  11h 40m
events       2025-04  failed                -       -           -  11h 40m
head 3 ba7816bf8f01cfea…  archive ./archive
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn failures_are_named_and_summed_up() {
        let one = report(vec![month("events", "2025-03", Some(1)), month("events", "2025-04", None)]);
        let failed = failures(&one);
        let sentence = summary(&one, &failed).unwrap();
        assert_eq!((sentence.message.as_str(), sentence.exit), ("events 2025-04: no answer", ExitCode::Partial));
        let two = report(vec![month("events", "2025-04", None), month("events", "2025-05", None)]);
        let sentence = summary(&two, &failures(&two)).unwrap();
        assert_eq!(sentence.message, "2 of 2 months failed or are incomplete; the first: events 2025-04: no answer");
        assert_eq!(summary(&one, &[]), None);
    }

    #[test]
    fn an_archive_that_lacks_nothing_says_so() {
        let empty = RunReport { head: None, ..report(Vec::new()) };
        let expected = "nothing to do: every month is archived\nhead none  archive ./archive\n";
        assert_eq!(text(&empty, Style::plain()), expected);
    }
}

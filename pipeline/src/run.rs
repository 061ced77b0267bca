//! A run: every month that is wanted, planned, archived and reported.

use crate::{
    lock::Lock,
    month::Archiver,
    observer::Observer,
    plan::{self, Action, Planned, Request, Rules, plan},
    replicate::{self, Original},
    report::{Failure, MonthReport, MonthState, ReplicaReport, RunReport},
    settings::Settings,
    sources, spans, stage, state,
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result, Sink, Source,
    sink::{Commit, Location},
};
use archive_formats::{Chain, Dataset, manifest::ArchiveDocument};
use futures::{StreamExt, stream};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// Archives what `request` asks for. An error is one of the whole run, before any month was tried; what goes wrong with
/// a month stands in its report. `stop` asks the run to end: a commit that has begun is completed, the rest is left.
pub async fn run(
    settings: &Settings,
    request: Request,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<RunReport> {
    let location = Location::parse(&settings.archive, &settings.clouds)?;
    let replicas = replicate::locations(settings)?;
    let sink = Sink::open(&location)?;
    let transforms = Arc::new(settings.transforms.load()?);
    let rules = Rules {
        formats: settings.formats.clone(),
        transforms: transforms.records(),
        grace: settings.grace,
        now: clock.now(),
    };
    // Planned without the lock first: a mistake is told, and a run that has nothing to do ends, without waiting.
    let (chain, planned) = outlook(&sink, settings, request, &rules).await?;
    let dry_run = matches!(request, Request::Backfill { dry_run: true, .. });
    if dry_run || planned.iter().all(|planned| planned.action != Action::Archive) {
        let months = planned.iter().map(|planned| not_archived(planned, &chain, &rules)).collect::<Vec<_>>();
        for month in &months {
            observer.month_finished(month);
        }
        if !dry_run {
            // A source that cannot be used, for want of a token say, is no failure of a run that does not need it.
            let source = settings
                .source()
                .and_then(|source| sources::connect(source, chain.archive(), &settings.state_dir, &clock, &observer));
            tidy_up(&sink, source.ok().as_deref(), &chain, &planned).await;
        }
        let replicas = if dry_run { Vec::new() } else { replicas };
        return Ok(report(Archived { sink, chain, months }, &replicas, observer, stop).await);
    }
    replicate::check_not_outlived(&sink, &chain, &replicas).await?;
    let source = settings.source()?;
    let state = state::private_folder(settings.state_dir.clone())?;
    let document = ArchiveDocument::new(uuid::Uuid::new_v4().to_string(), rules.now);
    // A source that cannot be used is told before the place becomes an archive.
    sources::connect(source, &document.archive, &state, &clock, &observer)?;
    let document = sink.create(&document).await?;
    let _lock = Lock::acquire(&state, &document.archive, sink.url(), location.directory())?;
    // Another run may have committed something before the lock was ours.
    let (chain, planned) = outlook(&sink, settings, request, &rules).await?;
    let archiver = Archiver {
        source: sources::connect(source, &document.archive, &state, &clock, &observer)?,
        chain: tokio::sync::Mutex::new(chain),
        clock,
        progress: Arc::clone(&observer) as Arc<dyn Progress>,
        formats: settings.formats.clone(),
        transforms,
        rules: settings.rows,
        part_size: settings.part_size,
        staging: state::staging(&state, &document.archive)?,
        sink,
    };
    let run = Run { archiver, rules, observer, stop, given_up: Mutex::default() };
    let months =
        stream::iter(planned.clone()).map(|planned| run.month(planned)).buffered(settings.jobs).collect::<Vec<_>>();
    let months = months.await;
    let Run { archiver: Archiver { sink, source, chain, .. }, observer, stop, .. } = run;
    let chain = chain.into_inner();
    tidy_up(&sink, Some(source.as_ref()), &chain, &planned).await;
    Ok(report(Archived { sink, chain, months }, &replicas, observer, stop).await)
}

/// The chain as it is now, and what it leaves to be done.
async fn outlook(sink: &Sink, settings: &Settings, request: Request, rules: &Rules) -> Result<(Chain, Vec<Planned>)> {
    let chain = match sink.identity().await? {
        Some(document) => sink.chain(&document.archive).await?,
        None => Chain::new(String::new()),
    };
    let mut planned = Vec::new();
    for dataset in &settings.datasets {
        planned.extend(plan(request, dataset, &chain, rules)?);
    }
    Ok((chain, planned))
}

/// Does what runs that crashed right after a commit left undone. What fails is told and left to the next run: no
/// committed event depends on it.
async fn tidy_up(sink: &Sink, source: Option<&dyn Source>, chain: &Chain, planned: &[Planned]) {
    if let Err(error) = sink.complete_sums(chain).await {
        tracing::warn!(%error, "could not add the SHA256SUMS that are missing");
    }
    for Planned { dataset, month, .. } in planned.iter().filter(|planned| planned.action == Action::Nothing) {
        stage::commit::remove_orphans(sink, chain, dataset, *month).await;
        if let Some(source) = source {
            source.settle(dataset, month.window());
        }
    }
}

/// The archive as a run leaves it.
struct Archived {
    sink: Sink,
    chain: Chain,
    months: Vec<MonthReport>,
}

/// Brings the replicas up to what was archived, by this run and before it, and reports.
async fn report(
    archived: Archived,
    replicas: &[Location],
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> RunReport {
    let Archived { sink, chain, months } = archived;
    let (archive, head) = (sink.url().to_owned(), chain.head());
    let replicas = if chain.archive().is_empty() {
        replicas.iter().map(|location| ReplicaReport::behind(location.url())).collect()
    } else {
        let mut original = Original { sink, chain, repair: false, observer, stop };
        let span = if replicas.is_empty() { Span::none() } else { spans::replicate() };
        let reports = original.bring_up(replicas).instrument(span.clone()).await;
        if let Some(failure) = reports.iter().find_map(|report| report.error.as_ref()) {
            spans::failed(&span, failure);
        }
        reports
    };
    RunReport { archive, head, months, replicas }
}

/// The report of a month that nothing is done about.
fn not_archived(planned: &Planned, chain: &Chain, rules: &Rules) -> MonthReport {
    let Planned { dataset, month, action } = planned;
    match (action, chain.month(dataset, *month)) {
        (Action::Wait, _) => MonthReport::failed(planned, Failure::from(plan::wait(*month, rules))),
        (_, Some(entry)) => MonthReport::committed(entry, MonthState::Already),
        (_, None) => MonthReport::planned(planned),
    }
}

struct Run {
    archiver: Archiver,
    rules: Rules,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    /// The failures after which no further month is tried: of a dataset, or without one of the run.
    given_up: Mutex<Vec<(Option<Dataset>, Failure)>>,
}

impl Run {
    async fn month(&self, planned: Planned) -> MonthReport {
        let start = Instant::now();
        let is_work = planned.action == Action::Archive;
        let span = if is_work { spans::month(&planned.dataset, planned.month) } else { Span::none() };
        let report = match self.attempt(&planned).instrument(span.clone()).await {
            Ok(report) => report,
            Err(failure) => MonthReport::failed(&planned, failure),
        };
        spans::month_done(&span, &report);
        let report = MonthReport { seconds: start.elapsed().as_secs_f64(), ..report };
        self.observer.month_finished(&report);
        report
    }

    async fn attempt(&self, planned: &Planned) -> std::result::Result<MonthReport, Failure> {
        if planned.action != Action::Archive {
            let chain = self.archiver.chain.lock().await;
            return Ok(not_archived(planned, &chain, &self.rules));
        }
        if let Some(earlier) = self.earlier_failure(&planned.dataset) {
            return Err(Failure {
                message: format!("not tried, since an earlier month failed: {}", earlier.message),
                ..earlier
            });
        }
        match self.archive(planned).await {
            Ok(Commit::Done(entry)) => Ok(MonthReport::archived(&entry)),
            Ok(Commit::Already(entry)) => Ok(MonthReport::committed(&entry, MonthState::Already)),
            Err(error) => {
                let failure = Failure::from(&error);
                self.remember(error.kind(), planned, &failure);
                Err(failure)
            }
        }
    }

    fn remember(&self, kind: ErrorKind, planned: &Planned, failure: &Failure) {
        let dataset = match reach(kind) {
            Reach::Month => return,
            Reach::Dataset => Some(planned.dataset.clone()),
            Reach::Run => None,
        };
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).push((dataset, failure.clone()));
    }

    fn earlier_failure(&self, dataset: &Dataset) -> Option<Failure> {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        let concerns = |given_up: &Option<Dataset>| given_up.as_ref().is_none_or(|given_up| given_up == dataset);
        given_up.iter().find(|(given_up, _)| concerns(given_up)).map(|(_, failure)| failure.clone())
    }

    async fn archive(&self, planned: &Planned) -> Result<Commit> {
        let ready = tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, "stopped before the month was committed")
                    .with_hint("run the same command again: it goes on where this one stopped"));
            }
            ready = self.archiver.prepare(&planned.dataset, planned.month) => ready?,
        };
        self.archiver.commit(ready).await
    }
}

/// What a failure says about months that were not tried yet.
enum Reach {
    /// Nothing.
    Month,
    /// That others of its dataset would only ask the same question again: it has no such column, or the token may not
    /// export it.
    Dataset,
    /// The same for all.
    Run,
}

const fn reach(kind: ErrorKind) -> Reach {
    match kind {
        ErrorKind::Configuration | ErrorKind::Unauthorized => Reach::Dataset,
        ErrorKind::Store
        | ErrorKind::BrokenChain
        | ErrorKind::NoArchive
        | ErrorKind::Locked
        | ErrorKind::Interrupted
        | ErrorKind::Terminated
        | ErrorKind::Local
        | ErrorKind::Internal => Reach::Run,
        ErrorKind::Source
        | ErrorKind::SourceUnavailable
        | ErrorKind::Truncated
        | ErrorKind::SnapshotLost
        | ErrorKind::Expired
        | ErrorKind::TooLarge
        | ErrorKind::Incomplete
        | ErrorKind::TryLater => Reach::Month,
    }
}

//! A run: plans, archives and reports every requested month.

pub(crate) mod report;

pub use report::{MonthReport, MonthState, RunReport};

use crate::{
    Archive, ArchiveRoot,
    exit::ExitCode,
    lock::Lock,
    monitoring::spans,
    month::MonthPipeline,
    observer::Observer,
    plan::{self, Action, Planned, Request, Rules, plan},
    provenance::{self, EventSource, Succession},
    replicate::{self, ReplicaReport, Replicator},
    report::Failure,
    settings::{self, Settings},
    stage, state,
    verify::{KnownDamage, Record},
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result, Sink, Source,
    progress::Whole,
    sink::{Commit, Location},
};
use archive_formats::{Chain, Dataset, Entry, Manifest};
use futures::{StreamExt, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// Archives the months of `request`. Errors concern the whole run, before any month was tried; failures of a month are
/// in its report. `stop` requests a stop: a started commit is completed, the rest is dropped.
pub async fn run(
    settings: &Settings,
    request: Request,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<RunReport> {
    let transforms = Arc::new(settings.transforms.load()?);
    let (formats, grace, now) = (settings.formats.clone(), settings.grace, clock.now());
    let rules = Rules { formats, transforms: transforms.records(), grace, now };
    let connect =
        |archive: &str| settings::connect(settings.source()?, archive, &settings.state_dir, &clock, &observer);
    // Planned before the lock is taken: mistakes are reported, and runs with nothing to do end, without waiting.
    replicate::check_options(&settings.replicas)?;
    let archive = Archive::find(&settings.archive).await?;
    let chain = archive.as_ref().map(Archive::chain);
    check_archive(archive.as_ref(), settings)?;
    let planned = plan_datasets(chain, settings, request, &rules)?;
    let dry_run = matches!(request, Request::Backfill { dry_run: true, .. });
    if dry_run || planned.iter().all(|planned| planned.action != Action::Archive) {
        if let (Some(archive), false) = (&archive, dry_run) {
            archive.sink().flush_head(archive.chain()).await?;
        }
        let months = report_only(&planned, archive.as_ref(), &rules, observer.as_ref()).await;
        if let (Some(archive), false) = (&archive, dry_run) {
            // A run with nothing to do does not need the source, which may be unusable, for example without a token.
            let source = connect(archive.id());
            cleanup(archive, source.ok().as_deref(), &planned).await;
        }
        let replicas = if dry_run { &[][..] } else { &settings.replicas };
        return Ok(Ending { settings, replicas, observer, stop }.report(archive, months).await);
    }
    replicate::check_not_behind(archive.as_ref(), &settings.replicas).await?;
    let state = state::private_folder(settings.state_dir.clone())?;
    let (root, source) = if let Some(archive) = archive {
        let source = connect(archive.id())?;
        (archive.into_root(), source)
    } else {
        ArchiveRoot::<Manifest>::check_place(&settings.archive).await?;
        // An unusable source fails before the archive is created.
        let identity = ArchiveRoot::new_identity(rules.now);
        let source = connect(&identity.archive)?;
        let root = ArchiveRoot::create(Sink::open(&settings.archive)?, &identity).await?;
        // Another run may have created the archive at the same time.
        let source = if root.id() == identity.archive { source } else { connect(root.id())? };
        (root, source)
    };
    let _lock = Lock::acquire(&state, root.id(), root.url(), settings.archive.directory())?;
    // Another run may have committed before the lock was acquired.
    let archive = root.read_chain().await?;
    archive.confirm_end().await?;
    let successions = provenance::successions(Some(archive.chain()), settings)?;
    let planned = plan_datasets(Some(archive.chain()), settings, request, &rules)?;
    let staging = state::staging(&state, archive.id())?;
    let mut pipeline = MonthPipeline::new(archive, source, clock, staging);
    pipeline.progress = Arc::clone(&observer) as Arc<dyn Progress>;
    pipeline.transforms = transforms;
    configure(&mut pipeline, settings, successions);
    begin(&planned, observer.as_ref());
    let run = Run { pipeline, rules, observer, stop, given_up: Mutex::default() };
    let months = stream::iter(planned.clone()).map(|planned| run.month(planned));
    let months = months.buffered(settings.jobs).collect::<Vec<_>>().await;
    let Run { pipeline, observer, stop, .. } = run;
    let (archive, source) = pipeline.into_parts();
    cleanup(&archive, Some(source.as_ref()), &planned).await;
    Ok(Ending { settings, replicas: &settings.replicas, observer, stop }.report(Some(archive), months).await)
}

/// What follows the months of a run.
struct Ending<'a> {
    settings: &'a Settings,
    replicas: &'a [Location],
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
}

impl Ending<'_> {
    /// Looks for known damage, updates the replicas, and reports both with the months.
    async fn report(self, archive: Option<Archive>, months: Vec<MonthReport>) -> RunReport {
        let Self { settings, replicas, observer, stop } = self;
        let url = Some(settings.archive.url().to_owned());
        let of = |archive: &Archive| (archive.head(), sources(archive.chain(), &months));
        let (head, sources) = archive.as_ref().map(of).unwrap_or_default();
        let known_damage = match &archive {
            Some(archive) => known_damage(archive, settings, &months, &stop).await,
            None => None,
        };
        let replicas = update_replicas(archive, replicas, observer, stop).await;
        RunReport { archive: url, head, sources, months, replicas, known_damage }
    }
}

/// Shows how many months there are to archive.
fn begin(planned: &[Planned], observer: &dyn Observer) {
    let wanted = planned.iter().filter(|planned| planned.action == Action::Archive).count();
    observer.begin(Whole::Months(wanted as u64));
}

fn configure(pipeline: &mut MonthPipeline, settings: &Settings, successions: BTreeMap<Dataset, Succession>) {
    pipeline.formats.clone_from(&settings.formats);
    pipeline.rules = settings.rows;
    pipeline.part_size = settings.part_size;
    pipeline.changes = successions.into_iter().filter_map(|(dataset, it)| Some((dataset, it.change()?))).collect();
}

/// Refuses an archive whose chain is known to be damaged, and a source that may not go on with a dataset; warns of one with
/// another address.
fn check_archive(archive: Option<&Archive>, settings: &Settings) -> Result<()> {
    let Some(archive) = archive else { return Ok(()) };
    Record::new(&settings.state_dir, archive.id(), &settings.archive).read().check_chain(archive.chain())?;
    for (dataset, succession) in provenance::successions(Some(archive.chain()), settings)? {
        if let Succession::OtherAddress(before) = succession {
            let before = before.sentence();
            tracing::warn!(%dataset, before, "the source has another address than that of the last month");
        }
    }
    Ok(())
}

/// The sources of the archived `months`.
fn sources(chain: &Chain, months: &[MonthReport]) -> Vec<EventSource> {
    provenance::event_sources(months.iter().filter_map(|report| chain.month(&report.dataset, report.month)))
}

/// Plans every dataset.
fn plan_datasets(chain: Option<&Chain>, settings: &Settings, request: Request, rules: &Rules) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for dataset in &settings.datasets {
        planned.extend(plan(request, dataset, chain, rules)?);
    }
    Ok(planned)
}

/// Completes the work of runs that crashed right after a commit. Failures are logged and left to the next run: no
/// committed event depends on it.
async fn cleanup(archive: &Archive, source: Option<&dyn Source>, planned: &[Planned]) {
    if let Err(error) = archive.sink().complete_sums(archive.chain()).await {
        tracing::warn!(%error, "could not add the SHA256SUMS that are missing");
    }
    for Planned { dataset, month, .. } in planned.iter().filter(|planned| planned.action == Action::Nothing) {
        stage::store::remove_orphans(archive, dataset, *month).await;
        if let Some(source) = source {
            source.on_committed(dataset, month.window());
        }
    }
}

/// What is known of the archive's damage besides the failures of these months. A stop does not wait for it.
async fn known_damage(
    archive: &Archive,
    settings: &Settings,
    months: &[MonthReport],
    stop: &CancellationToken,
) -> Option<Failure> {
    let known = stop.run_until_cancelled(KnownDamage::of(archive, settings)).await?;
    if let Some(Failure { message, .. }) = &known.unlooked {
        tracing::warn!(reason = message, "the files of the other months were not looked at");
    }
    let failed = |month: &&MonthReport| month.error.as_ref().is_some_and(|error| error.exit == ExitCode::Damaged);
    let failed = months.iter().filter(failed).map(|month| (&month.dataset, month.month)).collect::<BTreeSet<_>>();
    known.without(|dataset, month| failed.contains(&(dataset, month))).failure()
}

/// Brings the replicas up to date. Without an archive, they are reported as behind.
async fn update_replicas(
    archive: Option<Archive>,
    replicas: &[Location],
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Vec<ReplicaReport> {
    let Some(mut archive) = archive else {
        return replicas.iter().map(|location| ReplicaReport::behind(location.url())).collect();
    };
    let mut replicator = Replicator { archive: &mut archive, repair: false, observer, stop };
    let span = if replicas.is_empty() { Span::none() } else { spans::replicate() };
    let reports = replicator.update(replicas).instrument(span.clone()).await;
    if let Some(failure) = reports.iter().find_map(|report| report.error.as_ref()) {
        spans::record_failure(&span, failure);
    }
    reports
}

/// The reports of months of which none is archived by this run.
async fn report_only(
    planned: &[Planned],
    archive: Option<&Archive>,
    rules: &Rules,
    observer: &dyn Observer,
) -> Vec<MonthReport> {
    let mut months = Vec::new();
    for planned in planned {
        let archived =
            archive.and_then(|archive| Some((archive.sink(), archive.chain().month(&planned.dataset, planned.month)?)));
        let month = not_archived(planned, archived, rules).await;
        observer.month_finished(&month);
        months.push(month);
    }
    months
}

/// The report of a month that is not archived by this run. One that is `archived` fails if a file of it is missing.
async fn not_archived(planned: &Planned, archived: Option<(&Sink, &Entry)>, rules: &Rules) -> MonthReport {
    match (&planned.action, archived) {
        (Action::Wait, _) => MonthReport::failed(planned, Failure::from(plan::wait(planned.month, rules))),
        (_, Some((sink, entry))) => match sink.check_files(&entry.manifest.files).await {
            Ok(()) => MonthReport::committed(entry, MonthState::Already),
            Err(error) => MonthReport::failed(planned, Failure::from(error)),
        },
        (_, None) => MonthReport::planned(planned),
    }
}

struct Run {
    pipeline: MonthPipeline,
    rules: Rules,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    /// Failures that end a dataset, or with `None` the run.
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
        spans::record_month(&span, &report);
        let report = MonthReport { seconds: start.elapsed().as_secs_f64(), ..report };
        self.observer.month_finished(&report);
        report
    }

    async fn attempt(&self, planned: &Planned) -> std::result::Result<MonthReport, Failure> {
        if planned.action != Action::Archive {
            // Other months go on meanwhile.
            let (sink, entry) = {
                let archive = self.pipeline.archive().await;
                (archive.sink().clone(), archive.chain().month(&planned.dataset, planned.month).cloned())
            };
            let archived = entry.as_ref().map(|entry| (&sink, entry));
            return Ok(not_archived(planned, archived, &self.rules).await);
        }
        if let Some(earlier) = self.earlier_failure(&planned.dataset) {
            return Ok(MonthReport::not_tried(planned, earlier));
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
            ready = self.pipeline.prepare(&planned.dataset, planned.month) => ready?,
        };
        self.pipeline.commit(ready).await
    }
}

/// The months that a failure ends besides its own.
enum Reach {
    /// Nothing.
    Month,
    /// Those of its dataset: they would fail in the same way, for example for want of a column or of a permission.
    Dataset,
    /// All of them.
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

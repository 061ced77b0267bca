//! `backup drill`: a restore on trial, and the comparison with what was dumped.

use super::{
    Backups,
    database::{copy_to_replicas, lock},
    draft::BackupDraft,
    open_backups,
    restore::{RestorableBackup, Restoration, Stages},
    tiers::DatabaseTier,
    until_stopped,
};
use crate::{
    exit::ExitCode,
    human,
    lock::Lock,
    observer::Observer,
    replicate::{
        ReplicaReport,
        report::{replica_failures, replica_table, replicas_exit, replicas_failure},
    },
    report::{Failure, Report},
    settings::Settings,
    state::Scratch,
    style::{Style, Tone},
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result,
    postgres::{
        Server,
        databases::Databases,
        index_check::index_differences,
        programs::ProgramOptions,
        scratch::{Cluster, ClusterOptions},
    },
};
use archive_formats::{
    BackupManifest, Entry, Timestamp,
    backup_manifest::{BackupContent, DigestLevel, Drill},
    printable,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    num::NonZero,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The database in a scratch cluster, and the beginning of its name in the server of an operator.
const DATABASE: &str = "keeptrusts_drill";

/// The beginning of the comment of databases that drills of these backups make. Those of killed drills are dropped by it.
fn mark(backups: &str) -> String {
    format!("kt-archive drill of {backups} ")
}

/// What is restored on trial, and where.
#[derive(Clone, Debug)]
pub struct DrillRequest {
    /// The number of the backup's manifest; default: the newest backup.
    pub backup: Option<u64>,
    /// The server for a database of its own; default: a scratch cluster.
    pub into: Option<Server>,
    /// Where PostgreSQL's programs are.
    pub programs: ProgramOptions,
    /// Sessions that restore at the same time.
    pub jobs: NonZero<usize>,
}

/// Restores the backup that `request` names, compares, and commits the result. What is restored is dropped whatever happens.
/// Backups may be made meanwhile: only the commit needs the lock.
pub async fn drill(
    settings: &Settings,
    request: &DrillRequest,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<DrillReport> {
    let mut backups = open_backups(settings.backup.location()?).await?;
    let progress = Arc::clone(&observer) as Arc<dyn Progress>;
    let place = DrillPlace { clock, state: &settings.state_dir, progress: &progress, stop: &stop };
    let trial = Box::pin(place.restore(&backups, request)).await?;
    let _lock = lock_when_free(settings, &mut backups, &stop).await?;
    let entry = trial.commit(&mut backups).await?;
    let replicas = copy_to_replicas(&mut backups, settings, observer, stop).await;
    let tier = DatabaseTier::new(backups.chain(), settings.backup.objectives, clock.now());
    Ok(DrillReport { missed: tier.missed, ..DrillReport::new(&backups, &entry, replicas) })
}

/// Waits for the end of another command that commits.
async fn lock_when_free(settings: &Settings, backups: &mut Backups, stop: &CancellationToken) -> Result<Lock> {
    const PATIENCE: Duration = Duration::from_secs(3_600);
    const PAUSE: Duration = Duration::from_secs(2);
    let start = Instant::now();
    loop {
        match lock(settings, backups).await {
            Err(error) if error.kind() == ErrorKind::Locked && start.elapsed() < PATIENCE && !stop.is_cancelled() => {
                stop.run_until_cancelled(sleep(PAUSE)).await;
            }
            locked => return locked,
        }
    }
}

/// Where a drill works.
#[derive(Clone, Copy, Debug)]
pub struct DrillPlace<'a> {
    /// The clock of this host.
    pub clock: &'a dyn Clock,
    /// The state folder, for the scratch cluster.
    pub state: &'a Path,
    /// Receives progress.
    pub progress: &'a Arc<dyn Progress>,
    /// Requests a stop.
    pub stop: &'a CancellationToken,
}

/// A restore on trial that has ended.
struct Trial {
    draft: BackupDraft,
    /// Why the dump was not restored.
    failure: Option<Error>,
}

impl Trial {
    /// Commits the result. A dump that was not restored is an error after that: the backup is not proved any more.
    async fn commit(self, backups: &mut Backups) -> Result<Entry<BackupManifest>> {
        let entry = backups.commit(&self.draft, &[]).await?;
        match self.failure {
            None => Ok(entry),
            Some(error) => Err(error),
        }
    }
}

impl DrillPlace<'_> {
    /// Restores a backup into a scratch cluster, or into the server of an operator, compares every table with the manifest,
    /// and commits the result. A database that differs is a result, not an error.
    pub async fn drill(self, backups: &mut Backups, request: &DrillRequest) -> Result<Entry<BackupManifest>> {
        let trial = Box::pin(self.restore(backups, request)).await?;
        trial.commit(backups).await
    }

    async fn restore(self, backups: &Backups, request: &DrillRequest) -> Result<Trial> {
        let restored = RestorableBackup::find(backups, request.backup).await?;
        let (link, compared) = (restored.entry.link(), restored.backup.digests);
        let (taken_at, mut stages) = (self.clock.now(), Stages::begin());
        let scratch = Scratch::new(self.state, "drill")?;
        let how = Restoration {
            sink: backups.sink(),
            backups: backups.id(),
            programs: restored.programs(&request.programs),
            folder: scratch.path(),
            jobs: request.jobs,
            progress: self.progress,
        };
        let found = match &request.into {
            None => {
                // What it makes is removed when it is dropped.
                let work = Box::pin(in_scratch_cluster(&restored, &how, self.state, &mut stages));
                until_stopped(self.stop, work).await?
            }
            Some(server) => Box::pin(self.in_server(&restored, &how, server, &mut stages)).await?,
        };
        let Compared { server_version, mut differences, amcheck, failure } = found;
        if let Some(error) = &failure {
            differences.push(format!("it was not restored: {error}"));
        }
        let content = BackupContent::Drill(Drill {
            backup: link,
            server_version,
            compared,
            equal: match (compared, &failure) {
                (_, Some(_)) => None,
                (DigestLevel::Off, None) if differences.is_empty() => None,
                (_, None) => Some(differences.is_empty()),
            },
            amcheck,
            differences,
        });
        let (identity, committed_at) = (backups.identity_sha256(), self.clock.now());
        let draft = BackupDraft { identity, content, taken_at, committed_at, seconds: stages.seconds, follows: None };
        Ok(Trial { draft, failure })
    }

    /// Roles and extensions are those of the server: nothing is made there but a database.
    async fn in_server(
        self,
        restored: &RestorableBackup,
        how: &Restoration<'_>,
        server: &Server,
        stages: &mut Stages,
    ) -> Result<Compared> {
        let now = self.clock.now();
        let databases = Databases::connect(server).await?;
        for left in databases.unused(&mark(how.backups), DATABASE).await? {
            tracing::info!(database = left, "dropping the database of a killed drill");
            if let Err(error) = databases.drop(&left).await {
                tracing::warn!(%error, database = left, "the database of a killed drill is left");
            }
        }
        let name = format!("{DATABASE}_{}", &Uuid::new_v4().simple().to_string()[..12]);
        let (encoding, locale) = restored.encoding();
        databases.create(&name, &encoding, &locale).await?;
        let work = async {
            let server = server.with_database(&name);
            // Another drill drops databases without sessions.
            let held = Databases::hold(&server).await?;
            databases.set_comment(&name, &format!("{}{}", mark(how.backups), now.to_seconds_string())).await?;
            stages.end("database");
            let compared = match restored.restore(&server, how).await {
                Ok(()) => {
                    stages.end("restore");
                    let differences = restored.differences(server, how.jobs.get(), how.progress, false).await?;
                    stages.end("compare");
                    (differences, None)
                }
                Err(error) => (Vec::new(), Some(refused(error)?)),
            };
            held.close().await;
            Ok(compared)
        };
        let compared = until_stopped(self.stop, Box::pin(work)).await;
        let dropped = databases.drop(&name).await;
        let server_version = databases.version().to_owned();
        databases.close().await;
        let (differences, failure) = compared?;
        dropped?;
        Ok(Compared { server_version, differences, amcheck: false, failure })
    }
}

/// What a restored copy is like.
struct Compared {
    server_version: String,
    differences: Vec<String>,
    /// Whether the indexes were checked.
    amcheck: bool,
    /// Why the dump was not restored.
    failure: Option<Error>,
}

/// Divides the errors of a restore: a program that failed is a result of the drill.
fn refused(error: Error) -> Result<Error> {
    if error.kind() != ErrorKind::Source {
        return Err(error);
    }
    Ok(error.with_hint(
        "the dump does not restore here: see whether the host has all extensions, and whether checks and indexes call functions \
         that name their schemas",
    ))
}

async fn in_scratch_cluster(
    restored: &RestorableBackup,
    how: &Restoration<'_>,
    state: &Path,
    stages: &mut Stages,
) -> Result<Compared> {
    let (encoding, locale) = restored.encoding();
    let superuser = restored.superuser();
    let options = ClusterOptions { encoding, locale, superuser, settings: Vec::new() };
    let cluster = Cluster::start(&how.programs, state, &options).await?;
    stages.end("cluster");
    cluster.apply_globals(&restored.globals(how.sink).await?).await?;
    cluster.create_database(DATABASE).await?;
    let server = cluster.server(DATABASE);
    let (mut differences, mut amcheck, mut failure) = (Vec::new(), false, None);
    match restored.restore(&server, how).await {
        Ok(()) => {
            stages.end("restore");
            differences = restored.differences(server.clone(), how.jobs.get(), how.progress, true).await?;
            stages.end("compare");
            let of_indexes = index_differences(&server).await?;
            amcheck = of_indexes.is_some();
            differences.extend(of_indexes.into_iter().flatten());
            stages.end("indexes");
        }
        Err(error) => failure = Some(refused(error)?),
    }
    let server_version = cluster.version().to_owned();
    cluster.stop().await?;
    Ok(Compared { server_version, differences, amcheck, failure })
}

/// The report of `backup drill`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DrillReport {
    /// The URL of the backups, safe to print.
    pub backups: Option<String>,
    /// The number of the drill's manifest.
    pub sequence: Option<u64>,
    /// The number of the manifest of the backup that was restored.
    pub backup: Option<u64>,
    /// The time of its snapshot.
    pub taken_at: Option<Timestamp>,
    /// The version of the server that it was restored into.
    pub server_version: Option<String>,
    /// What was compared.
    pub compared: Option<DigestLevel>,
    /// Whether the restored database is the one that was dumped; null if nothing was compared.
    pub equal: Option<bool>,
    /// What differs.
    pub differences: Vec<String>,
    /// Seconds of each stage.
    pub seconds: BTreeMap<String, f64>,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaReport>,
    /// What was promised (`--rpo`, `--rto`) and is not kept.
    pub missed: Vec<String>,
}

impl DrillReport {
    fn new(backups: &Backups, entry: &Entry<BackupManifest>, replicas: Vec<ReplicaReport>) -> Self {
        let manifest = &entry.manifest;
        let BackupContent::Drill(drill) = &manifest.content else { return Self::default() };
        Self {
            backups: Some(backups.url().to_owned()),
            sequence: Some(manifest.sequence),
            backup: Some(drill.backup.sequence),
            taken_at: backups.chain().entry(drill.backup.sequence).map(|entry| entry.manifest.taken_at),
            server_version: Some(drill.server_version.clone()),
            compared: Some(drill.compared),
            equal: drill.equal,
            differences: drill.differences.clone(),
            seconds: manifest.seconds.clone(),
            replicas,
            missed: Vec::new(),
        }
    }
}

impl Report for DrillReport {
    fn exit(&self) -> ExitCode {
        if self.equal == Some(false) {
            return ExitCode::Damaged;
        }
        if !self.missed.is_empty() {
            return ExitCode::Incomplete;
        }
        replicas_exit(&self.replicas)
    }

    fn text(&self, style: Style) -> String {
        let (Some(backup), Some(taken_at)) = (self.backup, self.taken_at) else { return String::new() };
        let differences = self.differences.iter().map(|difference| {
            format!("{}  {}\n", style.paint(Tone::Bad, "differs"), style.fit(&printable(difference)))
        });
        let differences = differences.collect::<String>();
        let found = match self.equal {
            Some(true) if self.compared == Some(DigestLevel::Counts) => {
                "the numbers of rows are those of the dump".to_owned()
            }
            Some(true) => "equal to what was dumped".to_owned(),
            Some(false) => human::count(self.differences.len() as u64, "difference"),
            None => "restored, and not compared: the backup has no digests".to_owned(),
        };
        let seconds = human::time(self.seconds.values().sum());
        let summary = format!("backup {backup}  of {}  {found}  {seconds}", taken_at.to_seconds_string());
        format!("{differences}{}\n{}", style.fit(&summary), replica_table(&self.replicas, style))
    }

    fn failure(&self) -> Option<Failure> {
        if self.equal == Some(false) {
            return Some(Failure {
                message: "the restored database is not the one that was dumped".to_owned(),
                hint: "keep the older backups, find out why, and back up again: `kt-archive recover plan` names the newest \
                       proved one"
                    .to_owned(),
                exit: ExitCode::Damaged,
            });
        }
        if !self.missed.is_empty() {
            let hint = "see `kt-archive recover plan`; back up more often, or make restores faster".to_owned();
            return Some(Failure { message: self.missed.join("; "), hint, exit: self.exit() });
        }
        replicas_failure(&self.replicas)
    }

    fn details(&self) -> Vec<Failure> {
        if self.equal == Some(false) || !self.missed.is_empty() {
            Vec::new()
        } else {
            replica_failures(&self.replicas).collect()
        }
    }
}

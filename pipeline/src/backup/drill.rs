//! `backup drill`: a restore on trial, and the comparison with what was dumped.

use super::{
    Backups,
    database::{copy_to_replicas, open_locked},
    draft::BackupDraft,
    open_backups,
    restore::{RestorableBackup, Restoration, Stages},
};
use crate::{
    exit::ExitCode,
    human,
    observer::Observer,
    replicate::{
        ReplicaReport,
        report::{replica_failures, replica_table},
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
use std::{collections::BTreeMap, num::NonZero, path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The database in a scratch cluster, and the beginning of its name in the server of an operator.
const DATABASE: &str = "keeptrusts_drill";

/// The beginning of the comment of databases that drills make. Those of killed drills are dropped by it.
const MARK: &str = "kt-archive drill ";

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

/// Restores the backup that `request` names, compares, and commits the result. The database is dropped whatever happens.
pub async fn drill(
    settings: &Settings,
    request: &DrillRequest,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<DrillReport> {
    // Never begins backups.
    drop(open_backups(settings.backup.location()?).await?);
    let (mut backups, _lock) = open_locked(settings, clock).await?;
    let progress = Arc::clone(&observer) as Arc<dyn Progress>;
    let work = Box::pin(drill_backup(&mut backups, request, clock, &settings.state_dir, &progress));
    // What a drill makes is removed when it is dropped; a database in another server by the next drill.
    let entry = stop.run_until_cancelled(work).await.unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Interrupted, "stopped before the drill was done")
            .with_hint("run the same command again"))
    })?;
    let replicas = copy_to_replicas(&mut backups, settings, observer, stop).await;
    Ok(DrillReport::new(&backups, &entry, replicas))
}

/// Restores a backup into a scratch cluster below `state`, or into the server of an operator, compares every table with the
/// manifest, and commits the result. A database that differs is a result, not an error.
pub async fn drill_backup(
    backups: &mut Backups,
    request: &DrillRequest,
    clock: &dyn Clock,
    state: &Path,
    progress: &Arc<dyn Progress>,
) -> Result<Entry<BackupManifest>> {
    let restored = RestorableBackup::find(backups, request.backup)?;
    let (link, compared) = (restored.entry.link(), restored.backup.digests);
    let (taken_at, mut stages) = (clock.now(), Stages::begin());
    let scratch = Scratch::new(state, "drill")?;
    let how = Restoration {
        sink: backups.sink(),
        programs: restored.programs(&request.programs),
        folder: scratch.path(),
        jobs: request.jobs,
        progress,
    };
    let Compared { server_version, differences, amcheck } = match &request.into {
        None => Box::pin(in_scratch_cluster(restored, &how, state, &mut stages)).await?,
        Some(server) => Box::pin(in_server(restored, &how, server, &mut stages, taken_at)).await?,
    };
    let content = BackupContent::Drill(Drill {
        backup: link,
        server_version,
        compared,
        equal: match compared {
            DigestLevel::Off if differences.is_empty() => None,
            _ => Some(differences.is_empty()),
        },
        amcheck,
        differences,
    });
    let (identity, committed_at) = (backups.identity_sha256(), clock.now());
    backups.commit(&BackupDraft { identity, content, taken_at, committed_at, seconds: stages.seconds }, &[]).await
}

async fn in_scratch_cluster(
    restored: RestorableBackup<'_>,
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
    restored.restore(&server, how).await?;
    stages.end("restore");
    let mut differences = restored.differences(server.clone(), how.jobs.get(), how.progress, true).await?;
    stages.end("compare");
    let of_indexes = index_differences(&server).await?;
    stages.end("indexes");
    let (server_version, amcheck) = (cluster.version().to_owned(), of_indexes.is_some());
    cluster.stop().await?;
    differences.extend(of_indexes.into_iter().flatten());
    Ok(Compared { server_version, differences, amcheck })
}

/// What a restored copy is like.
struct Compared {
    server_version: String,
    differences: Vec<String>,
    /// Whether the indexes were checked.
    amcheck: bool,
}

/// Roles and extensions are those of the server: nothing is made there but a database.
async fn in_server(
    restored: RestorableBackup<'_>,
    how: &Restoration<'_>,
    server: &Server,
    stages: &mut Stages,
    now: Timestamp,
) -> Result<Compared> {
    let databases = Databases::connect(server).await?;
    for left in databases.unused(MARK).await? {
        tracing::info!(database = left, "dropping the database of a killed drill");
        databases.drop(&left).await?;
    }
    let name = format!("{DATABASE}_{}", &Uuid::new_v4().simple().to_string()[..12]);
    let (encoding, locale) = restored.encoding();
    databases.create(&name, &encoding, &locale).await?;
    let work = async {
        databases.set_comment(&name, &format!("{MARK}{}", now.to_seconds_string())).await?;
        let server = server.with_database(&name);
        stages.end("database");
        restored.restore(&server, how).await?;
        stages.end("restore");
        let differences = restored.differences(server, how.jobs.get(), how.progress, false).await?;
        stages.end("compare");
        Ok(differences)
    };
    let differences = Box::pin(work).await;
    let dropped = databases.drop(&name).await;
    let version = databases.version().to_owned();
    databases.close().await;
    let differences = differences?;
    dropped?;
    Ok(Compared { server_version: version, differences, amcheck: false })
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
        }
    }
}

impl Report for DrillReport {
    fn exit(&self) -> ExitCode {
        if self.equal == Some(false) {
            return ExitCode::Damaged;
        }
        ExitCode::combine(true, replica_failures(&self.replicas).map(|failure| failure.exit))
    }

    fn text(&self, style: Style) -> String {
        let (Some(backup), Some(taken_at)) = (self.backup, self.taken_at) else { return String::new() };
        let differences = self.differences.iter().map(|difference| {
            format!("{}  {}\n", style.paint(Tone::Bad, "differs"), style.fit(&printable(difference)))
        });
        let differences = differences.collect::<String>();
        let found = match self.equal {
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
        replica_failures(&self.replicas).next().map(|failure| Failure { exit: self.exit(), ..failure })
    }

    fn details(&self) -> Vec<Failure> {
        if self.equal == Some(false) { Vec::new() } else { replica_failures(&self.replicas).collect() }
    }
}

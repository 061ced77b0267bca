//! Backups of the platform's other tiers, in a root and a chain of their own.
//!
//! They share the sink, the commit protocol and `SHA256SUMS` with an archive of events, and nothing else: events are kept for
//! years, dumps for weeks, and dumps hold personal data and tokens.

mod artifacts;
mod configuration;
mod copies;
mod database;
mod draft;
mod drill;
mod leftovers;
mod plan;
mod prune;
mod recover;
mod restore;
mod spool;
mod tiers;
mod verify;
mod watch;

pub use artifacts::{ArtifactsOutcome, ArtifactsRequest, backup_artifacts};
pub use configuration::{
    ConfigurationFrom, ConfigurationItem, ConfigurationOutcome, ConfigurationRequest, ConfigurationState,
    RepositoryLink, backup_configuration,
};
pub use copies::{CopyOutcome, CopyReport, back_up_artifacts, back_up_configuration, replicate_backups};
pub use database::{BackupReport, DatabaseRequest, Workplace, back_up_database, backup_database};
pub use drill::{DrillPlace, DrillReport, DrillRequest, drill};
pub use plan::{PlanReport, recovery_plan};
pub use prune::{KeptBackup, PruneReport, prune};
pub use recover::{RecoverReport, RecoverRequest, Switch, recover};
pub use tiers::{BackupStatus, DatabaseTier, KnownBackup, backup_status};
pub use verify::{BackupVerifier, BackupVerifyReport, BackupVerifyRequest, verify_backups};

use crate::archive::{Archive, ArchiveRoot};
use archive_connectors::{
    Error, ErrorKind, Result, Sink,
    sink::{Location, StoredFile},
};
use archive_formats::{
    BackupManifest, CommitRecord as _, Entry, Manifest, Timestamp, backup_manifest::BackupFile,
    manifest::ArchiveDocument,
};
use draft::BackupDraft;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Backups whose chain of manifests was read and checked.
pub type Backups = Archive<BackupManifest>;

/// Opens the backups at `location`; `None` if there are none. Refuses an archive of events, whose files may be locked for
/// years.
pub async fn find_backups(location: &Location) -> Result<Option<Backups>> {
    let sink = open_private(location)?;
    if sink.document(Manifest::IDENTITY).await?.is_some() {
        return Err(not_apart(location, "an archive of events is here"));
    }
    match sink.identity::<BackupManifest>().await? {
        Some(identity) => ArchiveRoot::new(sink, identity).read_chain().await.map(Some),
        None => Ok(None),
    }
}

/// Opens the backups at `location`. Fails with [`ErrorKind::NoArchive`] if there are none.
pub async fn open_backups(location: &Location) -> Result<Backups> {
    find_backups(location).await?.ok_or_else(|| no_backups(location))
}

fn no_backups(location: &Location) -> Error {
    Error::new(ErrorKind::NoArchive, "no backups here")
        .with_context("backups", location.url())
        .with_hint("check --backups; `kt-archive backup database` makes the first one")
}

/// Opens the backups at `location`, or begins them there.
pub async fn open_or_begin(location: &Location, now: Timestamp) -> Result<Backups> {
    if let Some(backups) = find_backups(location).await? {
        return Ok(backups);
    }
    ArchiveRoot::<BackupManifest>::check_place(location).await?;
    let document = ArchiveDocument::new::<BackupManifest>(Uuid::new_v4().to_string(), now);
    let sink = open_private(location)?;
    let identity = sink.create::<BackupManifest>(&document).await?;
    ArchiveRoot::new(sink, identity).read_chain().await
}

/// Awaits `work` until `stop` is cancelled, which drops it and is an error.
pub async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    stop.run_until_cancelled(work).await.unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Interrupted, "stopped before it was done").with_hint("run the same command again"))
    })
}

fn not_apart(location: &Location, message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message.to_owned())
        .with_context("backups", location.url())
        .with_hint("name another folder or prefix with --backups: events and backups are kept apart")
}

impl Archive<BackupManifest> {
    /// Commits `draft` with `files`. Reads the end of the chain again first.
    async fn commit(&mut self, draft: &BackupDraft, files: &[StoredFile<BackupFile>]) -> Result<Entry<BackupManifest>> {
        self.confirm_end().await?;
        let (sink, chain) = self.commit_parts();
        sink.complete_sums(chain).await?;
        Ok(sink.commit(chain, draft, files).await?.entry().clone())
    }
}

/// Opens the store. Files of a directory can be read by their owner alone.
fn open_private(location: &Location) -> Result<Sink> {
    Sink::open(&location.clone().with_file_mode(0o600))
}

//! `backup database`: a dump of the database, committed and copied to the replicas.

mod dump;
pub(super) mod parts;
mod report;

pub(super) use dump::FOLDER;
pub use dump::{DatabaseRequest, Workplace, backup_database};
pub use report::BackupReport;

use super::{Backups, find_backups, leftovers, open_or_begin, restore::RestorableBackup};
use crate::{
    lock::Lock,
    observer::Observer,
    replicate::{Replicator, check_not_behind, check_options},
    settings::{BackupSettings, Settings},
    state,
};
use archive_connectors::{Clock, Error, ErrorKind, Progress, Result};
use archive_formats::{BackupManifest, backup_manifest::DigestLevel};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Backs up the database of `settings`. A replica that fails is in the report; any other failure leaves nothing behind.
pub async fn back_up_database(
    settings: &Settings,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<BackupReport> {
    let request = DatabaseRequest::from_settings(settings)?;
    let (mut backups, _lock) = open_locked(settings, clock).await?;
    let folder = state::staging(&settings.state_dir, backups.id())?;
    leftovers::remove(&backups, clock.now()).await;
    let progress = Arc::clone(&observer) as Arc<dyn Progress>;
    let place = Workplace { clock, folder: &folder, progress: &progress };
    // Before the dump: what fails after the commit must not look like a backup that failed.
    let before = RestorableBackup::newest(&backups).await?;
    // Stopped inside, so that the parts of an unfinished dump are removed.
    let entry = Box::pin(backup_database(&mut backups, &request, place, &stop)).await?;
    let replicas = copy_to_replicas(&mut backups, settings, observer, stop).await;
    Ok(BackupReport::new(&backups, &entry, replicas).compared_with(before.as_ref()))
}

/// Opens or begins the backups of `settings` for a command that commits.
pub(super) async fn open_locked(settings: &Settings, clock: &dyn Clock) -> Result<(Backups, Lock)> {
    let BackupSettings { replicas, .. } = &settings.backup;
    let location = settings.backup.location()?;
    let mut backups = if let Some(found) = find_backups(location).await? {
        found
    } else {
        check_options(replicas)?;
        check_not_behind::<BackupManifest>(None, replicas).await?;
        open_or_begin(location, clock.now()).await?
    };
    let lock = lock(settings, &mut backups).await?;
    Ok((backups, lock))
}

/// Locks backups that were opened, for a command that commits, after the cheap checks of its replicas. Reads what another
/// process committed before the lock.
pub(super) async fn lock(settings: &Settings, backups: &mut Backups) -> Result<Lock> {
    let BackupSettings { replicas, .. } = &settings.backup;
    check_options(replicas)?;
    check_not_behind(Some(backups), replicas).await?;
    let directory = settings.backup.location()?.directory();
    let lock = Lock::acquire(&settings.state_dir, backups.id(), backups.url(), directory)?;
    backups.refresh().await?;
    Ok(lock)
}

/// Brings the replicas of `settings` up to `backups`.
pub(super) async fn copy_to_replicas(
    backups: &mut Backups,
    settings: &Settings,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Vec<crate::replicate::ReplicaReport> {
    let mut replicator = Replicator { archive: backups, repair: false, observer, stop };
    replicator.update(&settings.backup.replicas).await
}

impl DatabaseRequest {
    fn from_settings(settings: &Settings) -> Result<Self> {
        let backup = &settings.backup;
        let (server, is_behind_command) = (backup.database()?.clone(), backup.is_behind_command);
        let digests = match backup.digests {
            Some(level) if level != DigestLevel::Off && is_behind_command => {
                let error =
                    Error::new(ErrorKind::Configuration, "digests need a connection, and a command reaches the server");
                return Err(
                    error.with_hint("publish the server's port and leave --pg-command out, or use --digests off")
                );
            }
            None if is_behind_command => DigestLevel::Off,
            chosen => chosen.unwrap_or_default(),
        };
        Ok(Self {
            server,
            programs: backup.programs.clone(),
            is_behind_command,
            digests,
            passwords: backup.role_passwords,
            part_size: settings.part_size,
            connections: backup.connections,
            statement_timeout: backup.statement_timeout,
            lock_timeout: backup.lock_timeout,
        })
    }
}

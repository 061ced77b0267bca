//! Checks that a backup and a drill would work: the place, the server, the rights, and the programs.

use super::{Check, store::with_probes};
use crate::{
    ArchiveRoot,
    backup::{DatabaseTier, find_backups},
    human,
    settings::Settings,
};
use archive_connectors::{
    Error, ErrorKind, Result,
    postgres::{
        contents::{Access, DatabaseSnapshot},
        programs::{ProgramName, Programs, major_version},
    },
    sink::Location,
};
use archive_formats::{BackupManifest, DatabaseContents, Timestamp, backup_manifest::DigestLevel};

/// The checks of backups, if their place or their database is named.
pub(super) async fn checks(settings: &Settings, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(location) = &settings.backup.location {
        checks.extend(with_probes("backups", location, content(location, settings, now).await).await);
    }
    for replica in &settings.backup.replicas {
        let name = format!("backups-replica {}", replica.url());
        checks.extend(with_probes(&name, replica, content(replica, settings, now).await).await);
    }
    if let Some(server) = &settings.backup.database {
        checks.extend(database(settings, server).await);
    }
    checks
}

async fn content(location: &Location, settings: &Settings, now: Timestamp) -> Result<String> {
    let Some(backups) = find_backups(location).await? else {
        ArchiveRoot::<BackupManifest>::check_place(location).await?;
        return Ok(format!("{}: no backups yet, the first one begins them", location.url()));
    };
    let tier = DatabaseTier::new(backups.chain(), settings.backup.objectives, now);
    let newest = tier.newest.map_or_else(
        || "no backup of a database".to_owned(),
        |newest| format!("the newest is of {}", human::date(newest.taken_at)),
    );
    let proved = tier.newest_proved.map_or_else(
        || "none is proved".to_owned(),
        |proved| format!("the newest proved one of {}", human::date(proved.taken_at)),
    );
    if let Some(missed) = tier.missed.first() {
        return Err(Error::new(ErrorKind::Incomplete, missed.clone()).with_hint("back up or drill again"));
    }
    Ok(format!("{}: backups {}, {newest}, {proved}", backups.url(), backups.id()))
}

/// Takes a snapshot, which checks the rights, and finds the programs. Behind a command, only the programs can be asked.
async fn database(settings: &Settings, server: &archive_connectors::postgres::Server) -> Vec<Check> {
    let backup = &settings.backup;
    let mut major = None;
    let mut checks = Vec::new();
    if !backup.is_behind_command {
        let access = Access {
            server: server.clone(),
            connections: 1,
            statement_timeout: backup.statement_timeout,
            lock_timeout: backup.lock_timeout,
        };
        let taken = Box::pin(async {
            let snapshot = DatabaseSnapshot::take(access).await?;
            let source = snapshot.source().clone();
            let nothing = DatabaseContents { level: DigestLevel::Off, ..DatabaseContents::default() };
            snapshot.finish(nothing).await?;
            Ok(source)
        });
        let source = taken.await;
        major = source.as_ref().ok().and_then(|source| major_version(&source.server_version));
        checks.push(Check::new(
            "backup database",
            source.map(|source| {
                let size = source.bytes.map_or_else(String::new, |bytes| format!(", {}", human::size(bytes)));
                format!("{}: PostgreSQL {}{size}, all of it can be read", server.url(), source.server_version)
            }),
        ));
        if major.is_none() {
            return checks;
        }
    }
    let programs = Programs::new(backup.programs.clone(), major);
    for name in [ProgramName::Dump, ProgramName::DumpAll] {
        checks.push(Check::new(name.as_str(), programs.client(name).await.map(|found| found.version)));
    }
    let restore = programs.local(ProgramName::Restore).await;
    checks.push(Check::new(ProgramName::Restore.as_str(), restore.map(|found| found.version)));
    for name in [ProgramName::Initdb, ProgramName::Postgres] {
        checks.push(match programs.local(name).await {
            Ok(found) => Check::new(name.as_str(), Ok(found.version)),
            // Backups are made without a server on this host.
            Err(error) => Check::new(name.as_str(), Ok("not found: drills need --into".to_owned()))
                .with_hint(Some(error.hint().to_owned())),
        });
    }
    checks
}

//! The backup of a database: a dump in parts, the roles, and digests of the contents, all of one snapshot.

use super::{Backups, draft::BackupDraft, parts::Parts};
use archive_connectors::{
    Clock, Result,
    error::local,
    postgres::{
        Server,
        contents::{Access, DatabaseSnapshot, ReadAmounts},
        programs::{Compression, Dump, DumpOptions, ProgramOptions, Programs, WholeDump, dump_globals, major_version},
    },
    sink::{StagedFile, StoredFile},
};
use archive_formats::{
    BackupManifest, Entry, Sha256, Timestamp,
    backup_manifest::{BackupContent, BackupFile, DatabaseBackup, DigestLevel},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// What to back up, and how.
#[derive(Clone, Debug)]
pub struct DatabaseRequest {
    /// The server, the database and the credentials.
    pub server: Server,
    /// Where the server's programs are.
    pub programs: ProgramOptions,
    /// What is computed of the contents.
    pub digests: DigestLevel,
    /// Whether the passwords of roles are saved too, as the server stores them.
    pub passwords: bool,
    /// Size in bytes at which a part ends and the next begins.
    pub part_size: u64,
    /// Connections that read the contents, beside the one that holds the snapshot.
    pub connections: usize,
    /// How long a statement may take; zero means no limit.
    pub statement_timeout: Duration,
    /// How long a statement, and `pg_dump`, may wait for a lock; zero means ten seconds. Without a limit, a session that
    /// wants to alter a table would wait for the snapshot, and the dump for that session.
    pub lock_timeout: Duration,
}

/// The limit of waits for a lock, if none is given.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Dumps a database into `backups`, by way of `folder`, a private local one, and commits the dump with what it holds.
///
/// Nothing is committed unless `pg_dump` succeeded, a `pg_restore` has read the same bytes to their end, and the snapshot
/// lasted until then.
pub async fn backup_database(
    backups: &mut Backups,
    request: &DatabaseRequest,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<Entry<BackupManifest>> {
    let DatabaseRequest { server, digests, connections, statement_timeout, lock_timeout, .. } = request;
    let lock_timeout = if lock_timeout.is_zero() { LOCK_TIMEOUT } else { *lock_timeout };
    let access = Access {
        server: server.clone(),
        connections: *connections,
        statement_timeout: *statement_timeout,
        lock_timeout,
    };
    let start = Instant::now();
    let snapshot = DatabaseSnapshot::take(access).await?;
    let programs = Programs::new(request.programs.clone(), major_version(&snapshot.source().server_version));
    let globals = dump_globals(&programs, server, request.passwords).await?;
    let path = format!("database/{}", folder_name(snapshot.taken_at()));
    let options = DumpOptions {
        snapshot: Some(snapshot.name().to_owned()),
        compression: Compression::default(),
        lock_timeout: Some(lock_timeout),
    };
    let dump = Dump::start(&programs, server, &options).await?;
    let mut seconds = BTreeMap::from([("begin".to_owned(), start.elapsed().as_secs_f64())]);
    let parts = Parts::new(backups.sink(), folder, path.clone(), request.part_size);
    let dumping = timed(store(dump, parts));
    let digesting = timed(snapshot.contents(*digests, Arc::new(ReadAmounts::default())));
    let (((dump, mut files), dumped), (contents, digested)) = tokio::try_join!(dumping, digesting)?;
    seconds.extend([("dump".to_owned(), dumped), ("digests".to_owned(), digested)]);
    let (source, taken_at) = (snapshot.source().clone(), snapshot.taken_at());
    let contents = snapshot.finish(contents).await?;
    files.push(store_globals(backups, folder, &path, globals.script).await?);
    let mut program = dump.record().clone();
    program.warnings.extend(globals.program.warnings);
    let content = BackupContent::Database(Box::new(DatabaseBackup {
        source,
        program,
        digests: contents.level,
        tables: contents.tables,
        sequences: contents.sequences,
        large_objects: contents.large_objects,
    }));
    let draft =
        BackupDraft { identity: backups.identity_sha256(), content, taken_at, committed_at: clock.now(), seconds };
    backups.commit(&draft, &files).await
}

/// Stores a dump, and proves that it is whole.
async fn store(mut dump: Dump, mut parts: Parts) -> Result<(WholeDump, Vec<StoredFile<BackupFile>>)> {
    while let Some(block) = dump.next_block().await {
        parts.push(block).await?;
    }
    // Before the last part is stored, which a failed dump does not need.
    let dump = dump.finish().await?;
    Ok((dump, parts.finish().await?))
}

/// Stores the script of the roles.
async fn store_globals(backups: &Backups, folder: &Path, path: &str, script: String) -> Result<StoredFile<BackupFile>> {
    let file = tempfile::NamedTempFile::new_in(folder).map_err(local("create a file for the roles", folder))?;
    std::fs::write(file.path(), &script).map_err(local("write the roles", file.path()))?;
    let (bytes, sha256) = (script.len() as u64, Sha256::digest(script.as_bytes()));
    let path = format!("{path}/globals-{}.sql", sha256.short());
    let staged = StagedFile::new(file.into_temp_path(), BackupFile { path, bytes, sha256 })?;
    backups.sink().store(&staged, |_| ()).await
}

/// The result of `work`, and how many seconds it took.
async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
    let start = Instant::now();
    let done = work.await?;
    Ok((done, start.elapsed().as_secs_f64()))
}

/// The name of a backup's folder: `2026-11-29T020000Z`.
fn folder_name(taken_at: Timestamp) -> String {
    taken_at.to_seconds_string().replace(':', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_backup_has_its_time() {
        let taken_at = "2026-11-29T02:00:00.5Z".parse().unwrap();
        assert_eq!(folder_name(taken_at), "2026-11-29T020000Z");
    }
}

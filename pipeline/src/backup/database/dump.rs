//! The backup of a database: a dump in parts, the roles, and digests of the contents, all of one snapshot.

use super::{
    super::{Backups, draft::BackupDraft, spool::store_bytes, tiers, until_stopped, watch::watch_tables},
    parts::Parts,
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result,
    postgres::{
        Server,
        contents::{Access, DatabaseSnapshot},
        programs::{
            Compression, Dump, DumpOptions, Globals, ProgramOptions, Programs, WholeDump, dump_globals, major_version,
        },
    },
    progress::{Step, Subject},
    sink::StoredFile,
};
use archive_formats::{
    BackupManifest, Chain, Entry, Sha256, Timestamp,
    backup_manifest::{BackupContent, BackupFile, DatabaseBackup, DatabaseSource, DigestLevel},
    database_contents::DatabaseContents,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What to back up, and how.
#[derive(Clone, Debug)]
pub struct DatabaseRequest {
    /// The server, the database and the credentials.
    pub server: Server,
    /// Where the server's programs are.
    pub programs: ProgramOptions,
    /// Whether they run behind a command, which alone reaches the server: then there is no session of our own.
    pub is_behind_command: bool,
    /// What is computed of the contents; nothing behind a command.
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

/// How far two clocks may differ without a warning.
const CLOCKS: Duration = Duration::from_secs(300);

/// The limit of waits for a lock, if none is given.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a backup is made: the clock, a private local folder, and who watches.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// The clock of this host.
    pub clock: &'a dyn Clock,
    /// A private folder on a local disk, with room for two parts.
    pub folder: &'a Path,
    /// Receives progress.
    pub progress: &'a Arc<dyn Progress>,
}

/// Dumps a database into `backups`, and commits the dump with what it holds.
///
/// Nothing is committed unless `pg_dump` succeeded, a `pg_restore` has read the same bytes to their end, and the snapshot
/// lasted until then. What was stored of a dump that failed is removed again.
pub async fn backup_database(
    backups: &mut Backups,
    request: &DatabaseRequest,
    place: Workplace<'_>,
    stop: &CancellationToken,
) -> Result<Entry<BackupManifest>> {
    let mut stored = Parts::new(backups.sink(), place.folder, request.part_size);
    let making = async {
        if request.is_behind_command {
            Box::pin(dump_behind_command(backups.chain(), request, place, &mut stored)).await
        } else {
            Box::pin(dump_snapshot(backups.chain(), request, place, &mut stored)).await
        }
    };
    let made = until_stopped(stop, Box::pin(making)).await;
    let whole = match made {
        Ok(made) => complete(backups, made, &stored, place).await,
        Err(error) => Err(error),
    };
    match whole {
        // After an error the commit may have happened: what it may name stays.
        Ok((draft, files)) => backups.commit(&draft, &files).await,
        Err(error) => {
            stored.remove().await;
            Err(error)
        }
    }
}

/// A dump that is stored whole, and what it holds.
struct Made {
    source: DatabaseSource,
    taken_at: Timestamp,
    dump: WholeDump,
    globals: Globals,
    contents: DatabaseContents,
    seconds: BTreeMap<String, f64>,
}

/// Stores the roles of a dump, and describes the backup.
async fn complete(
    backups: &Backups,
    made: Made,
    stored: &Parts,
    place: Workplace<'_>,
) -> Result<(BackupDraft, Vec<StoredFile<BackupFile>>)> {
    let Made { source, taken_at, dump, globals, contents, seconds } = made;
    let path = |sha256: &Sha256| format!("{}/globals-{}.sql", stored.path(), sha256.short());
    let mut files = stored.stored().to_vec();
    files.push(store_bytes(backups.sink(), place.folder, globals.script, path).await?);
    let mut program = dump.record().clone();
    program.warnings.extend(globals.program.warnings);
    if taken_at > place.clock.now().plus(CLOCKS) {
        program
            .warnings
            .push(format!("the server's clock is ahead of this host's: its time is {}", taken_at.to_seconds_string()));
    }
    let content = BackupContent::Database(Box::new(DatabaseBackup {
        source,
        program,
        digests: contents.level,
        tables: contents.tables,
        sequences: contents.sequences,
        large_objects: contents.large_objects,
        roles: contents.roles,
    }));
    let (identity, committed_at) = (backups.identity_sha256(), place.clock.now());
    Ok((BackupDraft { identity, content, taken_at, committed_at, seconds, follows: None }, files))
}

/// Dumps the snapshot of a session of our own, and reads its contents meanwhile.
async fn dump_snapshot(
    chain: &Chain<BackupManifest>,
    request: &DatabaseRequest,
    place: Workplace<'_>,
    stored: &mut Parts,
) -> Result<Made> {
    let DatabaseRequest { server, digests, connections, statement_timeout, .. } = request;
    let (statement_timeout, lock_timeout) = (*statement_timeout, request.lock_timeout());
    let access = Access { server: server.clone(), connections: *connections, statement_timeout, lock_timeout };
    let start = Instant::now();
    let snapshot = DatabaseSnapshot::take(access).await?;
    let (source, taken_at) = (snapshot.source().clone(), snapshot.taken_at());
    check_database(chain, &source.database)?;
    let programs = Programs::new(request.programs.clone(), major_version(&source.server_version));
    let globals = dump_globals(&programs, server, request.passwords).await?;
    let dump = Dump::start(&programs, server, &request.dump_options(Some(snapshot.name().to_owned()))).await?;
    let mut seconds = BTreeMap::from([("begin".to_owned(), start.elapsed().as_secs_f64())]);
    stored.begin(folder(chain, taken_at));
    let dumping = timed(store(dump, stored, place.progress));
    let reading = watch_tables(place.progress, "digests", |amounts| snapshot.contents(*digests, amounts));
    let ((dump, dumped), (contents, digested)) = tokio::try_join!(dumping, timed(reading))?;
    seconds.extend([("dump".to_owned(), dumped), ("digests".to_owned(), digested)]);
    let contents = snapshot.finish(contents).await?;
    Ok(Made { source, taken_at, dump, globals, contents, seconds })
}

/// Dumps by a command that reaches the server. What the dump holds is not known.
async fn dump_behind_command(
    chain: &Chain<BackupManifest>,
    request: &DatabaseRequest,
    place: Workplace<'_>,
    stored: &mut Parts,
) -> Result<Made> {
    let start = Instant::now();
    let programs = Programs::new(request.programs.clone(), None);
    let globals = dump_globals(&programs, &request.server, request.passwords).await?;
    // The snapshot is not older than that.
    let taken_at = place.clock.now();
    let dump = Dump::start(&programs, &request.server, &request.dump_options(None)).await?;
    let header = dump.header().clone();
    check_database(chain, &header.database)?;
    let begun = start.elapsed().as_secs_f64();
    stored.begin(folder(chain, taken_at));
    let (dump, dumped) = timed(store(dump, stored, place.progress)).await?;
    let source = DatabaseSource {
        database: header.database,
        server_version: header.server_version,
        ..DatabaseSource::default()
    };
    let contents = DatabaseContents { level: DigestLevel::Off, ..DatabaseContents::default() };
    let seconds = BTreeMap::from([("begin".to_owned(), begun), ("dump".to_owned(), dumped)]);
    Ok(Made { source, taken_at, dump, globals, contents, seconds })
}

/// Refuses a database of another name than the backups have: a place tells no databases apart, so that one would push the
/// other's backups out, and hide that they stopped.
fn check_database(chain: &Chain<BackupManifest>, database: &str) -> Result<()> {
    let (_, other) = match tiers::databases(chain).pop() {
        Some(newest) if newest.1.source.database != database => newest,
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Configuration, "the place has backups of another database")
        .with_context("database", database)
        .with_context("other", &other.source.database)
        .with_hint("give each database a place of its own with --backups"))
}

impl DatabaseRequest {
    const fn lock_timeout(&self) -> Duration {
        if self.lock_timeout.is_zero() { LOCK_TIMEOUT } else { self.lock_timeout }
    }

    fn dump_options(&self, snapshot: Option<String>) -> DumpOptions {
        DumpOptions { snapshot, compression: Compression::default(), lock_timeout: Some(self.lock_timeout()) }
    }
}

/// Stores a dump, and proves that it is whole.
async fn store(mut dump: Dump, parts: &mut Parts, progress: &Arc<dyn Progress>) -> Result<WholeDump> {
    let subject = Subject::Backup("database".to_owned());
    progress.step(&subject, Step::Dump, None);
    while let Some(block) = dump.next_block().await {
        progress.advance(&subject, block.len() as u64);
        parts.push(block).await?;
    }
    // Before the last part is stored, which a failed dump does not need.
    let dump = dump.finish().await?;
    parts.finish().await?;
    progress.finish(&subject);
    Ok(dump)
}

/// The result of `work`, and how many seconds it took.
async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
    let start = Instant::now();
    let done = work.await?;
    Ok((done, start.elapsed().as_secs_f64()))
}

/// The folder of a backup that was taken then: `database/2026-11-29T020000Z`. One that has a backup is left to it: the parts
/// of a folder, one after the other, are one dump.
fn folder(chain: &Chain<BackupManifest>, taken_at: Timestamp) -> String {
    let taken =
        chain.entries().iter().flat_map(|entry| &entry.manifest.files).filter_map(|file| file.path.rsplit_once('/'));
    let taken = taken.map(|(folder, _)| folder).collect::<std::collections::HashSet<_>>();
    let seconds = (0..).map(|seconds| taken_at.plus(Duration::from_secs(seconds)));
    let mut folders = seconds.map(|at| format!("{FOLDER}/{}", at.to_seconds_string().replace(':', "")));
    folders.find(|folder| !taken.contains(folder.as_str())).unwrap_or_default()
}

/// The folder of all backups of databases.
pub(in crate::backup) const FOLDER: &str = "database";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_backup_has_its_time() {
        let taken_at = "2026-11-29T02:00:00.5Z".parse().unwrap();
        assert_eq!(folder(&Chain::new(String::new()), taken_at), "database/2026-11-29T020000Z");
    }
}

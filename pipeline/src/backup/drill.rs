//! A drill: the restore of a dump into a scratch cluster, and the comparison with what was dumped.

use super::{Backups, draft::BackupDraft, parts};
use archive_connectors::{
    Clock, Error, ErrorKind, Result, Sink,
    postgres::{
        contents::{Access, DatabaseSnapshot, ReadAmounts},
        programs::{ProgramOptions, Programs, major_version, restore_stream},
        scratch::{Cluster, ClusterOptions},
    },
};
use archive_formats::{
    BackupManifest, DatabaseContents, Entry, FileRecord as _, Sha256,
    backup_manifest::{BackupContent, BackupFile, DatabaseBackup, DigestLevel, Drill},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The database in the scratch cluster.
const DATABASE: &str = "keeptrusts_drill";

/// The backup of a database that a drill restores.
#[derive(Debug)]
struct Restored<'a> {
    entry: &'a Entry<BackupManifest>,
    backup: &'a DatabaseBackup,
}

/// Restores a dump, by default the newest one, into a scratch cluster below `state`, compares every table with the manifest,
/// and commits the result. Everything is dropped whatever happens. A database that differs is a result, not an error.
pub async fn drill(
    backups: &mut Backups,
    sequence: Option<u64>,
    programs: &ProgramOptions,
    clock: &dyn Clock,
    state: &Path,
) -> Result<Entry<BackupManifest>> {
    let restored = dump(backups, sequence)?;
    let (entry, backup) = (restored.entry, restored.backup);
    let link = entry.link();
    let (taken_at, mut seconds) = (clock.now(), BTreeMap::new());
    let restoring = restored.restore(backups.sink(), programs, state, Lap::new(&mut seconds));
    let found = Box::pin(restoring).await?;
    let differences = DatabaseContents::from(backup).differences(&found.contents);
    let content = BackupContent::Drill(Drill {
        backup: link,
        server_version: found.server_version,
        compared: backup.digests,
        equal: (backup.digests != DigestLevel::Off).then_some(differences.is_empty()),
        differences,
    });
    let draft =
        BackupDraft { identity: backups.identity_sha256(), content, taken_at, committed_at: clock.now(), seconds };
    backups.commit(&draft, &[]).await
}

/// The dump with this number, or the newest one.
fn dump(backups: &Backups, sequence: Option<u64>) -> Result<Restored<'_>> {
    fn database(entry: &Entry<BackupManifest>) -> Option<Restored<'_>> {
        match &entry.manifest.content {
            BackupContent::Database(backup) => Some(Restored { entry, backup }),
            BackupContent::Drill(_) | BackupContent::Removal(_) => None,
        }
    }
    let found = match sequence {
        Some(sequence) => backups.chain().entry(sequence).and_then(database),
        None => backups.chain().entries().iter().rev().find_map(database),
    };
    found.ok_or_else(|| {
        let error = Error::new(ErrorKind::Configuration, "there is no such backup of a database");
        let error = match sequence {
            Some(sequence) => error.with_context("number", sequence),
            None => error,
        };
        error.with_context("backups", backups.sink().url()).with_hint("look at the manifests for the numbers of dumps")
    })
}

/// What a restored database holds.
struct Found {
    server_version: String,
    contents: DatabaseContents,
}

impl Restored<'_> {
    /// Restores it into a scratch cluster, and reads what is there.
    async fn restore(&self, sink: &Sink, programs: &ProgramOptions, state: &Path, mut lap: Lap<'_>) -> Result<Found> {
        let source = &self.backup.source;
        let (Some(encoding), Some(locale)) = (source.encoding.clone(), source.locale.clone()) else {
            let error = Error::new(ErrorKind::Configuration, "the manifest does not name the encoding of the database");
            return Err(error.with_hint("a dump behind a command has no digests to compare either"));
        };
        let programs = Programs::new(programs.clone(), major_version(&source.server_version));
        let options = ClusterOptions { encoding, locale, superuser: "postgres".to_owned(), settings: Vec::new() };
        let cluster = Cluster::start(&programs, state, &options).await?;
        lap.end("cluster");
        let (globals, parts) = divide(&self.entry.manifest.files)?;
        cluster.apply_globals(&script(sink, globals).await?).await?;
        cluster.create_database(DATABASE).await?;
        let server = cluster.server(DATABASE);
        restore_stream(&programs, &server, blocks(sink, parts)).await?;
        lap.end("restore");
        let access = Access { server, connections: 2, statement_timeout: Duration::ZERO, lock_timeout: Duration::ZERO };
        let snapshot = DatabaseSnapshot::take(access).await?;
        let contents = snapshot.contents(self.backup.digests, Arc::new(ReadAmounts::default())).await?;
        let contents = snapshot.finish(contents).await?;
        let server_version = cluster.version().to_owned();
        cluster.stop().await?;
        lap.end("compare");
        Ok(Found { server_version, contents })
    }
}

/// The roles of a backup, and the parts of its dump in order.
fn divide(files: &[BackupFile]) -> Result<(&BackupFile, Vec<&BackupFile>)> {
    let (globals, parts): (Vec<_>, Vec<_>) = files.iter().partition(|file| !file.path.ends_with(parts::EXTENSION));
    match globals[..] {
        [globals] => Ok((globals, parts)),
        _ => Err(Error::new(ErrorKind::BrokenChain, "the backup has no file of the roles, or several")),
    }
}

async fn script(sink: &Sink, file: &BackupFile) -> Result<String> {
    let bytes = sink.document(&file.path).await?.filter(|bytes| Sha256::digest(bytes) == file.sha256);
    let script = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    script.ok_or_else(|| damaged(sink, file))
}

/// The bytes of a dump. A part that is not what was committed is an error at its end, after which `pg_restore` has not
/// succeeded.
fn blocks<'a>(sink: &'a Sink, parts: Vec<&'a BackupFile>) -> impl Stream<Item = Result<Bytes>> + Send + 'a {
    stream::iter(parts).flat_map(move |file| sink.read_committed(file.object(), move || damaged(sink, file)))
}

fn damaged(sink: &Sink, file: &BackupFile) -> Error {
    Error::new(ErrorKind::BrokenChain, "a file of a backup is missing or damaged")
        .with_context("path", &file.path)
        .with_context("backups", sink.url())
        .with_hint("restore an earlier backup, or this one from a replica")
}

/// Measures stages one after the other.
struct Lap<'a> {
    seconds: &'a mut BTreeMap<String, f64>,
    start: Instant,
}

impl<'a> Lap<'a> {
    fn new(seconds: &'a mut BTreeMap<String, f64>) -> Self {
        Self { seconds, start: Instant::now() }
    }

    fn end(&mut self, stage: &str) {
        self.seconds.insert(stage.to_owned(), self.start.elapsed().as_secs_f64());
        self.start = Instant::now();
    }
}

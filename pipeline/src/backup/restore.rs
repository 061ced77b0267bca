//! Restores a backup of a database into an empty one, and compares every table with the manifest.

use super::{Backups, database::parts, tiers, watch::watch_tables};
use archive_connectors::{
    Error, ErrorKind, Progress, Result, Sink,
    error::local,
    postgres::{
        Server,
        contents::{Access, DatabaseSnapshot},
        programs::{ProgramOptions, Programs, major_version, restore_file, restore_stream},
    },
    progress::{Step, Subject},
};
use archive_formats::{
    BackupManifest, CommitRecord as _, DatabaseContents, Entry, FileRecord as _, Sha256,
    backup_manifest::{BackupContent, BackupFile, DatabaseBackup, Locale},
    key,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use std::{
    collections::BTreeMap,
    num::NonZero,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;

/// A backup of a database, with all that its manifest names.
#[derive(Clone, Debug)]
pub(super) struct RestorableBackup {
    pub(super) entry: Entry<BackupManifest>,
    pub(super) backup: DatabaseBackup,
}

/// How a backup is restored.
#[derive(Clone, Debug)]
pub(super) struct Restoration<'a> {
    pub(super) sink: &'a Sink,
    /// The UUID of the backups.
    pub(super) backups: &'a str,
    pub(super) programs: Programs,
    /// A private local folder.
    pub(super) folder: &'a Path,
    /// Sessions that restore at the same time. More than one need the whole dump on the local disk.
    pub(super) jobs: NonZero<usize>,
    pub(super) progress: &'a Arc<dyn Progress>,
}

/// What a restore shows on bars.
const RESTORE: &str = "restore";

impl RestorableBackup {
    /// The backup whose manifest has this number, or the newest one. Refuses one that was removed.
    pub(super) async fn find(backups: &Backups, sequence: Option<u64>) -> Result<Self> {
        let kept = tiers::databases(backups.chain());
        let found = match sequence {
            Some(sequence) => kept.into_iter().find(|(entry, _)| entry.manifest.sequence == sequence),
            None => kept.into_iter().next_back(),
        };
        let (entry, _) = found.ok_or_else(|| {
            let message = match sequence.and_then(|sequence| backups.chain().entry(sequence)) {
                None => "there is no such backup of a database",
                Some(entry) if matches!(entry.manifest.content, BackupContent::Database(_)) => {
                    "the files of this backup were removed"
                }
                Some(_) => "this manifest is not that of a backup of a database",
            };
            let error = Error::new(ErrorKind::Configuration, message).with_context("backups", backups.url());
            let error = sequence.into_iter().fold(error, |error, sequence| error.with_context("number", sequence));
            error.with_hint("`kt-archive recover plan` names the backups that can be restored")
        })?;
        Self::read(backups.sink(), entry).await
    }

    /// The newest backup; `None` if there is none.
    pub(super) async fn newest(backups: &Backups) -> Result<Option<Self>> {
        match tiers::databases(backups.chain()).pop() {
            Some((entry, _)) => Self::read(backups.sink(), entry).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the manifest of `entry` again: the chain in memory does not have its lists.
    async fn read(sink: &Sink, entry: &Entry<BackupManifest>) -> Result<Self> {
        let path = key::manifest(entry.manifest.sequence);
        let bytes = sink.document(&path).await?.filter(|bytes| Sha256::digest(bytes) == entry.sha256);
        let manifest = bytes.and_then(|bytes| BackupManifest::from_bytes(&bytes).ok());
        match manifest.map(|manifest| (manifest.content.clone(), manifest)) {
            Some((BackupContent::Database(backup), manifest)) => {
                Ok(Self { entry: Entry { sha256: entry.sha256, manifest }, backup: *backup })
            }
            _ => Err(Error::new(ErrorKind::BrokenChain, "the manifest of the backup changed while it was read")
                .with_context("path", path)
                .with_context("backups", sink.url())),
        }
    }

    /// The programs of its server's version.
    pub(super) fn programs(&self, options: &ProgramOptions) -> Programs {
        Programs::new(options.clone(), major_version(&self.backup.source.server_version))
    }

    /// The encoding and the locale of the database. A dump behind a command does not name them.
    pub(super) fn encoding(&self) -> (String, Locale) {
        let source = &self.backup.source;
        let unknown = || Locale { collate: "C".to_owned(), ctype: "C".to_owned(), provided: None };
        (source.encoding.clone().unwrap_or_else(|| "UTF8".to_owned()), source.locale.clone().unwrap_or_else(unknown))
    }

    /// The superuser that the source began with, or the usual one.
    pub(super) fn superuser(&self) -> String {
        self.backup.source.superuser.clone().unwrap_or_else(|| "postgres".to_owned())
    }

    /// The script of its roles.
    pub(super) async fn globals(&self, sink: &Sink) -> Result<String> {
        let (globals, _) = self.divide()?;
        let bytes = sink.document(&globals.path).await?.filter(|bytes| Sha256::digest(bytes) == globals.sha256);
        let script = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        script.ok_or_else(|| damaged(sink, globals))
    }

    /// The file of the roles, and the parts of the dump in order.
    fn divide(&self) -> Result<(&BackupFile, Vec<&BackupFile>)> {
        let files = &self.entry.manifest.files;
        let (globals, parts): (Vec<_>, Vec<_>) = files.iter().partition(|file| !file.path.ends_with(parts::EXTENSION));
        match globals[..] {
            [globals] => Ok((globals, parts)),
            _ => Err(Error::new(ErrorKind::BrokenChain, "the backup has no file of the roles, or several")),
        }
    }

    /// The blocks of the dump. A part that is not what was committed is an error at its end, after which `pg_restore` has
    /// not succeeded.
    pub(super) fn blocks<'a>(&'a self, sink: &'a Sink) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'a> {
        let (_, parts) = self.divide()?;
        let blocks = stream::iter(parts);
        Ok(blocks.flat_map(move |file| sink.read_committed(file.object(), move || damaged(sink, file))))
    }

    /// Restores the dump into the database of `server`, which is empty.
    pub(super) async fn restore(&self, server: &Server, how: &Restoration<'_>) -> Result<()> {
        let subject = Subject::Backup(RESTORE.to_owned());
        let bytes = self.entry.manifest.files.iter().map(|file| file.bytes).sum();
        how.progress.step(&subject, Step::Restore, Some(bytes));
        let blocks = self.blocks(how.sink)?.inspect_ok(|block| how.progress.advance(&subject, block.len() as u64));
        let restored = if how.jobs.get() == 1 {
            restore_stream(&how.programs, server, blocks).await
        } else {
            let file = gather(blocks, how.folder).await?;
            restore_file(&how.programs, server, &file, how.jobs).await
        };
        how.progress.finish(&subject);
        restored.map(drop)
    }

    /// How the restored database of `server` differs from what was dumped; empty also if nothing was recorded. `with_roles`
    /// compares the roles too, which are those of the backup in a scratch cluster alone.
    pub(super) async fn differences(
        &self,
        server: Server,
        connections: usize,
        progress: &Arc<dyn Progress>,
        with_roles: bool,
    ) -> Result<Vec<String>> {
        let access = Access { server, connections, statement_timeout: Duration::ZERO, lock_timeout: Duration::ZERO };
        let snapshot = Box::pin(DatabaseSnapshot::take(access)).await?;
        let level = self.backup.digests;
        let reading = watch_tables(progress, "compare", |amounts| snapshot.contents(level, amounts));
        let contents = Box::pin(reading).await?;
        let contents = Box::pin(snapshot.finish(contents)).await?;
        let mut expected = DatabaseContents::from(&self.backup);
        if !with_roles {
            expected.roles.clear();
        }
        Ok(expected.differences(&contents))
    }
}

/// Writes `blocks` into one file in `folder`, which is removed when it is dropped.
async fn gather(blocks: impl Stream<Item = Result<Bytes>> + Send, folder: &Path) -> Result<TempPath> {
    let made = NamedTempFile::new_in(folder).map_err(local("create a file for the dump", folder))?;
    let (file, path) = made.into_parts();
    let (mut blocks, mut file) = (std::pin::pin!(blocks), tokio::fs::File::from_std(file));
    while let Some(block) = blocks.try_next().await? {
        file.write_all(&block).await.map_err(local("write the dump", &path))?;
    }
    file.flush().await.map_err(local("write the dump", &path))?;
    Ok(path)
}

pub(super) fn damaged(sink: &Sink, file: &BackupFile) -> Error {
    Error::new(ErrorKind::BrokenChain, "a file of a backup is missing or damaged")
        .with_context("path", &file.path)
        .with_context("backups", sink.url())
        .with_hint("restore an earlier backup, or mend it from a whole replica: `kt-archive backup replicate --repair`")
}

/// Measures stages one after the other.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) seconds: BTreeMap<String, f64>,
    start: Instant,
}

impl Stages {
    pub(super) fn begin() -> Self {
        Self { seconds: BTreeMap::new(), start: Instant::now() }
    }

    /// Ends a stage, and begins the next.
    pub(super) fn end(&mut self, stage: &str) {
        self.seconds.insert(stage.to_owned(), self.start.elapsed().as_secs_f64());
        self.start = Instant::now();
    }
}

//! The backup of export artifacts: copies by digest. An artifact that the platform deletes stays, and one that is overwritten
//! is kept in both versions.

use super::{Backups, draft::BackupDraft, spool::SpooledFile, tiers::kept};
use crate::exit::ExitCode;
use archive_connectors::{
    Clock, Error, ErrorKind, Result, Sink,
    sink::{Location, StoredFile, StoredObject},
};
use archive_formats::{
    Sha256, Timestamp,
    backup_manifest::{ArtifactRecord, ArtifactsBackup, BackupContent, BackupFile},
    key,
};
use futures::TryStreamExt as _;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    time::Instant,
};

/// What to copy.
#[derive(Clone, Debug)]
pub struct ArtifactsRequest {
    /// The folder or bucket of the artifacts.
    pub from: Location,
    /// Whether files are read too whose name, size and time are those of an artifact that is backed up.
    pub reread: bool,
}

/// What became of the artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArtifactsOutcome {
    /// Manifests that were committed; none without a new artifact.
    pub sequences: Vec<u64>,
    /// Artifacts that these manifests name.
    pub new: u64,
    /// Objects that were stored: fewer than new artifacts if some have one content, or that of a known one.
    pub stored: u64,
    /// The size of these objects in bytes.
    pub bytes: u64,
    /// Artifacts that are backed up by earlier manifests.
    pub already: u64,
    /// Hidden and partial files, which were passed over.
    pub skipped: u64,
    /// Files that changed while they were read, and are left for the next run.
    pub changed: Vec<String>,
    /// What the user should know although nothing failed.
    pub warnings: Vec<String>,
}

impl ArtifactsOutcome {
    /// To try again later if a file changed while it was read.
    pub fn exit(&self) -> ExitCode {
        if self.changed.is_empty() { ExitCode::Done } else { ExitCode::TryLater }
    }
}

/// Artifacts in a manifest: a run with more makes several, so that none is too large to be read.
const IN_MANIFEST: usize = 10_000;

/// How often a file is read that changes meanwhile.
const TRIES: usize = 2;

/// Copies the artifacts of a folder or a bucket that are not backed up into `backups`, by way of `folder`, a private local
/// one. Symbolic links are not followed.
pub async fn backup_artifacts(
    backups: &mut Backups,
    request: &ArtifactsRequest,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<ArtifactsOutcome> {
    let from = open(&request.from)?;
    if backups.sink().overlaps(&from) {
        return Err(Error::new(ErrorKind::Configuration, "the artifacts and the backups are in one place")
            .with_context("artifacts", from.url())
            .with_context("backups", backups.sink().url()));
    }
    let known = Known::new(backups);
    let (batch, outcome) = (Batch::new(clock.now()), ArtifactsOutcome::default());
    let mut run = ArtifactsRun { backups, request, clock, folder, from, known, batch, outcome };
    let mut objects = run.from.list_without_links();
    let mut seen = 0_u64;
    while let Some(object) = objects.try_next().await.map_err(|error| unreadable(&run.from, error))? {
        seen += 1;
        run.add(object).await?;
        if run.batch.artifacts.len() >= IN_MANIFEST {
            run.commit().await?;
        }
    }
    run.commit().await?;
    if seen == 0 {
        run.outcome.warnings.push(format!("there are no files in {}", run.from.url()));
    }
    Ok(run.outcome)
}

/// Opens the place of the artifacts. A folder that is not there is an error: it would look empty.
fn open(location: &Location) -> Result<Sink> {
    if let Some(folder) = location.directory() {
        let unusable = |message| {
            Error::new(ErrorKind::Configuration, message)
                .with_context("path", folder.display())
                .with_hint("name the folder in which the platform keeps its export artifacts")
        };
        let metadata = std::fs::metadata(folder);
        let metadata = metadata.map_err(|error| unusable("could not open the artifacts").with_source(error))?;
        if !metadata.is_dir() {
            return Err(unusable("the artifacts are not in a folder"));
        }
    }
    Sink::open(location)
}

fn unreadable(from: &Sink, error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::Store | ErrorKind::BrokenChain => ErrorKind::Source,
        kind => kind,
    };
    let hint = error.hint().to_owned();
    Error::new(kind, "could not read the artifacts").with_context("from", from.url()).with_hint(hint).with_source(error)
}

/// Whether a file is hidden, in a hidden folder, or is being written by its name.
fn is_passed_over(path: &str) -> bool {
    let is_partial = [".part", ".tmp"].iter().any(|end| path.ends_with(end));
    is_partial || path.split('/').any(|part| part.starts_with('.'))
}

/// The artifacts that are backed up.
#[derive(Debug, Default)]
struct Known {
    /// The newest content of each name, with its size and its time.
    newest: HashMap<String, (u64, Timestamp)>,
    named: HashSet<(String, Sha256)>,
    contents: HashSet<Sha256>,
}

impl Known {
    fn new(backups: &Backups) -> Self {
        let mut known = Self::default();
        for entry in kept(backups.chain()) {
            if let BackupContent::Artifacts(backup) = &entry.manifest.content {
                backup.artifacts.iter().for_each(|artifact| known.add(artifact));
            }
        }
        known
    }

    fn add(&mut self, ArtifactRecord { name, bytes, sha256, modified_at }: &ArtifactRecord) {
        self.newest.insert(name.clone(), (*bytes, *modified_at));
        self.named.insert((name.clone(), *sha256));
        self.contents.insert(*sha256);
    }

    /// Whether a file looks as the newest content of its name did.
    fn looks_the_same(&self, StoredObject { path, bytes, modified_at }: &StoredObject) -> bool {
        self.newest.get(path) == Some(&(*bytes, *modified_at))
    }
}

/// What the next manifest names.
#[derive(Debug)]
struct Batch {
    taken_at: Timestamp,
    start: Instant,
    artifacts: Vec<ArtifactRecord>,
    files: Vec<StoredFile<BackupFile>>,
}

impl Batch {
    fn new(taken_at: Timestamp) -> Self {
        Self { taken_at, start: Instant::now(), artifacts: Vec::new(), files: Vec::new() }
    }
}

/// A backup of artifacts that is under way.
struct ArtifactsRun<'a> {
    backups: &'a mut Backups,
    request: &'a ArtifactsRequest,
    clock: &'a dyn Clock,
    folder: &'a Path,
    from: Sink,
    known: Known,
    batch: Batch,
    outcome: ArtifactsOutcome,
}

impl ArtifactsRun<'_> {
    /// Stores an artifact unless it is backed up.
    async fn add(&mut self, object: StoredObject) -> Result<()> {
        if is_passed_over(&object.path) {
            self.outcome.skipped += 1;
            return Ok(());
        }
        if !self.request.reread && self.known.looks_the_same(&object) {
            self.outcome.already += 1;
            return Ok(());
        }
        let Some(spooled) = self.read(&object.path).await? else { return Ok(()) };
        let staged = spooled.stage(key::export_artifact)?;
        let BackupFile { bytes, sha256, .. } = staged.file;
        let StoredObject { path: name, modified_at, .. } = object;
        if self.known.named.contains(&(name.clone(), sha256)) {
            self.outcome.already += 1;
            return Ok(());
        }
        if !self.known.contents.contains(&sha256) {
            self.batch.files.push(self.backups.sink().store(&staged, |_| ()).await?);
            self.outcome.stored += 1;
            self.outcome.bytes += bytes;
        }
        let artifact = ArtifactRecord { name, bytes, sha256, modified_at };
        self.known.add(&artifact);
        self.batch.artifacts.push(artifact);
        self.outcome.new += 1;
        Ok(())
    }

    /// Reads an artifact into a local file; `None` if it goes on changing, or is gone.
    async fn read(&mut self, path: &str) -> Result<Option<SpooledFile>> {
        let find = async |from: &Sink| from.find(path).await.map_err(|error| unreadable(from, error));
        for _ in 0..TRIES {
            // Not what the listing showed: some stores have finer times in listings.
            let before = find(&self.from).await?;
            let Some(bytes) = before.as_ref().map(|object| object.bytes) else {
                self.outcome.warnings.push(format!("{path} was deleted before it was read"));
                return Ok(None);
            };
            let read = self.spool(path).await;
            if find(&self.from).await? != before {
                continue;
            }
            let spooled = read?;
            if spooled.bytes() == bytes {
                return Ok(Some(spooled));
            }
        }
        self.outcome.changed.push(path.to_owned());
        Ok(None)
    }

    async fn spool(&self, path: &str) -> Result<SpooledFile> {
        let mut spooled = SpooledFile::begin(self.folder)?;
        let mut blocks = self.from.read(path);
        while let Some(block) = blocks.try_next().await.map_err(|error| unreadable(&self.from, error))? {
            spooled = spooled.append(vec![block]).await?;
        }
        Ok(spooled)
    }

    /// Commits what the batch names, and begins another.
    async fn commit(&mut self) -> Result<()> {
        let now = self.clock.now();
        let Batch { taken_at, start, artifacts, files } = std::mem::replace(&mut self.batch, Batch::new(now));
        if artifacts.is_empty() {
            return Ok(());
        }
        let draft = BackupDraft {
            follows: None,
            identity: self.backups.identity_sha256(),
            content: BackupContent::Artifacts(ArtifactsBackup { source: self.from.url().to_owned(), artifacts }),
            taken_at,
            committed_at: now,
            seconds: BTreeMap::from([("copy".to_owned(), start.elapsed().as_secs_f64())]),
        };
        let entry = self.backups.commit(&draft, &files).await?;
        self.outcome.sequences.push(entry.manifest.sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_partial_files_are_passed_over() {
        for path in [".hidden", "a/.git/config", "export.csv.part", "a/export.tmp", ".part"] {
            assert!(is_passed_over(path), "{path}");
        }
        for path in ["export.csv", "a/part", "a.part/export.csv", "tmp/x", "a..b"] {
            assert!(!is_passed_over(path), "{path}");
        }
    }
}

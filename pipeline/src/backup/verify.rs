//! `backup verify`: the chain, the names, sizes and bytes of all objects, and every dump to its end.

use super::{database::parts, no_backups, open_private, restore::RestorableBackup, tiers::last_drill};
use crate::{
    archive::removed,
    config::Level,
    exit::ExitCode,
    expected_head::ExpectedHead,
    human::{count, size},
    report::{Failure, Report},
    settings::Settings,
    style::Style,
    verify::{
        Code, Commit, Commits, Finding, Findings, Severity, StoredChain, VerifiedRecord, check_size, expect_head,
        findings, listing, paragraph,
    },
};
use archive_connectors::{
    ErrorKind, Progress, Result, Sink,
    postgres::programs::{ProgramOptions, major_version, read_stream},
    progress::{Step, Subject, Whole},
};
use archive_formats::{
    BackupManifest, CommitRecord as _, Entry, FileRecord as _,
    backup_manifest::{BackupContent, BackupFile},
    key::{self, ObjectName},
};
use futures::TryStreamExt as _;
use serde::Serialize;
use std::{collections::HashSet, sync::Arc};

/// How thoroughly backups are verified.
#[derive(Clone, Debug, Default)]
pub struct BackupVerifyRequest {
    /// [`Level::Full`] hashes every byte, and reads every dump to its end.
    pub level: Level,
    /// The head that the chain must have reached.
    pub expect_head: Option<ExpectedHead>,
}

/// Verifies the backups of `settings`. Findings are in the report; an error means that the store could not be read.
pub async fn verify_backups(
    settings: &Settings,
    request: &BackupVerifyRequest,
    progress: Arc<dyn Progress>,
) -> Result<BackupVerifyReport> {
    let location = settings.backup.location()?;
    let sink = open_private(location)?;
    let identity = sink.identity::<BackupManifest>().await?.ok_or_else(|| no_backups(location))?;
    let verifier = BackupVerifier { sink: &sink, programs: &settings.backup.programs, progress };
    verifier.verify(&identity.document.archive, request).await
}

/// Verifies backups in a store.
#[derive(Debug)]
pub struct BackupVerifier<'a> {
    /// The store.
    pub sink: &'a Sink,
    /// Where `pg_restore` is.
    pub programs: &'a ProgramOptions,
    /// Receives progress.
    pub progress: Arc<dyn Progress>,
}

impl BackupVerifier<'_> {
    /// Verifies the backups with the UUID `archive`.
    pub async fn verify(&self, archive: &str, request: &BackupVerifyRequest) -> Result<BackupVerifyReport> {
        let (listing, mut findings) = (listing(self.sink).await?, Findings::default());
        let stored = StoredChain { sink: self.sink, archive, listing: &listing };
        let commits = stored.verify::<BackupManifest>(&mut findings).await?;
        if let Some(expected) = &request.expect_head {
            expect_head(&commits, expected, "the expected head", &mut findings);
        }
        let removed = removed(commits.values().map(|commit| &commit.manifest));
        let kept = commits.iter().filter(|(sequence, _)| !removed.contains(sequence)).map(|(_, commit)| commit);
        let kept = kept.collect::<Vec<_>>();
        let named = commits.values().flat_map(|commit| &commit.manifest.files).map(|file| file.path.as_str());
        let named = named.collect::<HashSet<_>>();
        for path in listing.keys().filter(|path| is_unnamed(path, &named)) {
            findings.warning(Code::Unnamed, path, "no manifest names this file");
        }
        let files = || kept.iter().flat_map(|commit| &commit.manifest.files);
        if request.level == Level::Full {
            self.progress.begin(Whole::Bytes(files().map(|file| file.bytes).sum()));
        }
        let mut unread = None;
        unproved(&commits, &kept, &mut findings);
        for commit in &kept {
            let whole = commit
                .manifest
                .files
                .iter()
                .filter(|file| check_size(file.object(), listing.get(&file.path).copied(), &mut findings));
            let whole = whole.collect::<Vec<_>>();
            if request.level == Level::Full {
                let entry = Entry { sha256: commit.sha256, manifest: commit.manifest.clone() };
                self.read(&entry, &whole, &mut findings, &mut unread).await?;
            }
        }
        Ok(BackupVerifyReport {
            level: Some(request.level),
            manifests: commits.len() as u64,
            files: files().count() as u64,
            bytes: files().map(|file| file.bytes).sum(),
            findings: findings.sorted(),
            unread,
        })
    }

    /// Reads the files of a backup, of which `whole` have the right size: a dump by `pg_restore`, while its parts are hashed.
    /// Notes in `failure` why a dump was not read to its end.
    async fn read(
        &self,
        entry: &Entry<BackupManifest>,
        whole: &[&BackupFile],
        findings: &mut Findings,
        failure: &mut Option<Failure>,
    ) -> Result<()> {
        let manifest = &entry.manifest;
        let subject = Subject::Backup(format!("{} {}", manifest.content.kind(), manifest.sequence));
        self.progress.step(&subject, Step::Check, Some(whole.iter().map(|file| file.bytes).sum()));
        let mut unread = whole.to_vec();
        if let BackupContent::Database(backup) = &manifest.content
            && whole.len() == manifest.files.len()
        {
            let restorable = RestorableBackup { entry: entry.clone(), backup: backup.as_ref().clone() };
            match self.read_dump(&restorable, &subject).await {
                Ok(()) => unread.retain(|file| !file.path.ends_with(parts::EXTENSION)),
                // The parts are hashed one by one below, which finds the damaged ones.
                Err(error) if error.kind() == ErrorKind::BrokenChain => {}
                Err(error) if error.kind() == ErrorKind::Source => {
                    findings.damage(Code::Dump, key::manifest(manifest.sequence), error.to_string());
                }
                Err(error) if error.kind() == ErrorKind::Configuration => {
                    let message = format!("the dump was hashed, and not read to its end: {error}");
                    findings.warning(Code::Dump, key::manifest(manifest.sequence), message);
                    failure.get_or_insert(Failure::from(&error));
                }
                Err(error) => return Err(error),
            }
        }
        for file in unread {
            match self.sink.digest(&file.path).await? {
                Some((_, sha256)) if sha256 == file.sha256 => {}
                Some((_, sha256)) => {
                    let message = format!("the object has the SHA-256 {sha256} instead of {}", file.sha256);
                    findings.damage(Code::Digest, &file.path, message);
                }
                None => findings.damage(Code::Missing, &file.path, "the object is missing"),
            }
            self.progress.advance(&subject, file.bytes);
        }
        self.progress.finish(&subject);
        Ok(())
    }

    async fn read_dump(&self, backup: &RestorableBackup, subject: &Subject) -> Result<()> {
        let blocks = backup.blocks(self.sink)?;
        let blocks = blocks.inspect_ok(|block| self.progress.advance(subject, block.len() as u64));
        let major = major_version(&backup.backup.source.server_version).unwrap_or_default();
        read_stream(&backup.programs(self.programs), major, blocks).await
    }
}

/// V041: backups of which the last drill found something different. Their files are what was committed.
fn unproved(commits: &Commits<BackupManifest>, kept: &[&Commit<BackupManifest>], findings: &mut Findings) {
    for manifest in kept.iter().map(|commit| &commit.manifest) {
        let last = last_drill(commits.values().map(|commit| &commit.manifest), manifest.sequence);
        if let Some((trial, drill)) = last.filter(|(_, drill)| drill.equal == Some(false) || drill.has_failed()) {
            let message = format!("drill {} did not prove it: {}", trial.sequence, drill.differences.join("; "));
            findings.warning(Code::Unproved, key::manifest(manifest.sequence), message);
        }
    }
}

fn is_unnamed(path: &str, named: &HashSet<&str>) -> bool {
    let is_of_chain = matches!(ObjectName::parse(path), ObjectName::Manifest(_) | ObjectName::Sums(_));
    !is_of_chain && path != BackupManifest::IDENTITY && !named.contains(path)
}

impl VerifiedRecord for BackupManifest {
    fn check_content(&self, before: &Commits<Self>, findings: &mut Findings) {
        let path = key::manifest(self.sequence);
        let links = match &self.content {
            BackupContent::Database(_) => {
                let parts = self.files.iter().filter(|file| file.path.ends_with(parts::EXTENSION)).count();
                if parts == 0 || self.files.len() != parts + 1 {
                    let message = "a backup of a database has parts of a dump, and one file of the roles";
                    findings.damage(Code::Dump, path.clone(), message);
                }
                &[][..]
            }
            BackupContent::Drill(drill) => std::slice::from_ref(&drill.backup),
            BackupContent::Removal(removal) => &removal.removed,
            BackupContent::Configuration(_) | BackupContent::Artifacts(_) | BackupContent::Wal(_) => &[],
        };
        for link in links {
            let named = before.get(&link.sequence).filter(|commit| commit.sha256 == link.sha256);
            if named.is_none() {
                let message = format!("the manifest names {} of the chain, which is another", link.sequence);
                findings.damage(Code::ChainBroken, path.clone(), message);
            }
        }
        let folder = format!("{}/", self.content.kind());
        for file in self.files.iter().filter(|file| !file.path.starts_with(&folder)) {
            let message = format!("manifest {} names this file, which is not below {folder}", self.sequence);
            findings.damage(Code::OutsideMonth, file.path.clone(), message);
        }
    }
}

/// The report of `backup verify`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackupVerifyReport {
    /// How thoroughly the backups were read.
    pub level: Option<Level>,
    /// Manifests that were read.
    pub manifests: u64,
    /// Files that were checked.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The findings, in their order.
    pub findings: Vec<Finding>,
    /// Why a dump was not read to its end at level full, although its bytes are right.
    pub unread: Option<Failure>,
}

impl BackupVerifyReport {
    fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Damage)
    }
}

impl Report for BackupVerifyReport {
    fn exit(&self) -> ExitCode {
        match self.is_damaged() {
            true => ExitCode::Damaged,
            false if self.unread.is_some() => ExitCode::Usage,
            false if self.manifests == 0 => ExitCode::Incomplete,
            false => ExitCode::Done,
        }
    }

    fn text(&self, style: Style) -> String {
        let listed = self.findings.iter().map(|finding| paragraph(finding, style)).collect::<String>();
        let parts = [count(self.manifests, "manifest"), count(self.files, "file"), size(self.bytes)];
        let level = if self.level == Some(Level::Quick) { " by name and size" } else { "" };
        let summary = format!("verified {}{level}: {}", parts.join(", "), findings(&self.findings, true));
        format!("{listed}{}\n", style.fit(&summary))
    }

    fn failure(&self) -> Option<Failure> {
        let exit = self.exit();
        if let (ExitCode::Usage, Some(unread)) = (exit, &self.unread) {
            let message = format!("dumps were hashed, and not read to their end: {}", unread.message);
            return Some(Failure { message, hint: format!("{}; or use --level quick", unread.hint), exit });
        }
        let (message, hint) = match exit {
            ExitCode::Done => return None,
            ExitCode::Incomplete => ("there is nothing to verify: no backup is here", "check --backups"),
            _ => (
                "the backups are damaged",
                "keep them as they are; a whole replica mends them: `kt-archive backup replicate --repair` with the replica as --backups",
            ),
        };
        Some(Failure { message: message.to_owned(), hint: hint.to_owned(), exit })
    }
}

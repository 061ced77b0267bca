//! Proof that an archive is what was committed: nothing missing, nothing added, nothing changed.
//!
//! Verification trusts nothing that it did not compute. It goes on after every finding, so that one run shows all of
//! the damage, and it needs neither the source nor the state folder: a copy of an archive is verified like the archive.

mod chain;
mod files;
mod record;
mod report;
mod rows;

pub use crate::config::Level;
pub use record::{Record, Verification, Verifications};
pub use report::{Code, Finding, Severity, VerifyReport};

use crate::{archive::ArchiveRoot, expected_head::ExpectedHead, settings::Settings, state::Scratch};
use archive_connectors::{Clock, Progress, Result, Sink};
use archive_formats::{Dataset, Head, Manifest, Month};
use futures::TryStreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// What is to be verified.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The months whose files are read, and which must be there; by default all that are committed. The chain is always
    /// verified whole.
    pub range: Option<(Month, Month)>,
    /// How thoroughly.
    pub level: Level,
    /// What the caller knows of the head.
    pub expect_head: Option<ExpectedHead>,
}

/// What verification works with.
#[derive(Debug)]
pub struct Verifier {
    /// The archive.
    pub sink: Sink,
    /// A local folder for files that are fetched; it must exist.
    pub folder: PathBuf,
    /// Receives progress.
    pub progress: Arc<dyn Progress>,
}

/// Verifies the archive of `settings`, and puts what was found on record. Findings are in the report; an error means
/// that the archive could not be read.
pub async fn verify(
    settings: &Settings,
    request: &VerifyRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
) -> Result<VerifyReport> {
    let root = ArchiveRoot::open(&settings.archive).await?;
    let scratch = Scratch::new(&settings.state_dir, "verify")?;
    let folder = scratch.path().to_owned();
    let report = Verifier { sink: root.sink().clone(), folder, progress }.verify(root.id(), request).await?;
    let record = Record::of(&settings.state_dir, root.id(), &settings.archive);
    // Whoever may only read verifies all the same.
    if let Err(error) = record.add(Verification::new(request, &report, clock.now())) {
        tracing::warn!(%error, "what was found is not on record for `kt-archive report`");
    }
    Ok(report)
}

/// The objects of an archive by their paths, with their sizes.
type Listing = BTreeMap<String, u64>;

/// Findings, collected.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn damage(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Damage, path: path.into(), message: message.into() });
    }

    fn warning(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Warning, path: path.into(), message: message.into() });
    }
}

impl Verifier {
    /// Verifies the archive with the UUID `archive`.
    pub async fn verify(&self, archive: &str, request: &VerifyRequest) -> Result<VerifyReport> {
        let listing = self.listing().await?;
        let mut findings = Findings::default();
        let commits = self.chain(archive, &listing, &mut findings).await?;
        if let Some(expected) = &request.expect_head {
            chain::expect_head(&commits, expected, &mut findings);
        }
        files::unnamed(&listing, &commits, request.range, &mut findings);
        missing_months(&commits, request, &mut findings);
        let in_range =
            |manifest: &&Manifest| request.range.is_none_or(|(first, last)| (first..=last).contains(&manifest.month));
        let wanted = commits.values().map(|commit| &commit.manifest).filter(in_range).collect::<Vec<_>>();
        for manifest in &wanted {
            self.month(manifest, request.level, &listing, &mut findings).await?;
        }
        let mut findings = findings.0;
        findings.sort_by(|left, right| left.path.cmp(&right.path).then(left.code.cmp(&right.code)));
        let files = || wanted.iter().flat_map(|manifest| &manifest.files);
        Ok(VerifyReport {
            level: Some(request.level),
            head: commits
                .last_key_value()
                .map(|(sequence, commit)| Head { sequence: *sequence, sha256: commit.sha256 }),
            manifests: commits.len() as u64,
            files: files().count() as u64,
            events: wanted.iter().map(|manifest| manifest.events.archived).sum(),
            bytes: files().map(|file| file.bytes).sum(),
            findings,
        })
    }

    async fn listing(&self) -> Result<Listing> {
        self.sink.list(None).map_ok(|object| (object.path, object.bytes)).try_collect().await
    }
}

/// V030: months of the range that no manifest commits.
fn missing_months(commits: &chain::Commits, request: &VerifyRequest, findings: &mut Findings) {
    let Some((first, last)) = request.range else { return };
    let mut datasets = commits.values().map(|commit| &commit.manifest.dataset).collect::<BTreeSet<_>>();
    let default = Dataset::default();
    if datasets.is_empty() {
        datasets.insert(&default);
    }
    for dataset in datasets {
        for month in Month::range(first, last) {
            let committed =
                |commit: &chain::Commit| commit.manifest.dataset == *dataset && commit.manifest.month == month;
            if !commits.values().any(committed) {
                findings.warning(Code::MonthMissing, dataset.as_str(), format!("{month} is not archived"));
            }
        }
    }
}

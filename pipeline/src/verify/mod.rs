//! Proves that an archive is exactly what was committed: nothing missing, added or changed.
//!
//! Verification recomputes everything. It continues after findings, so that one run reports all damage, and it needs
//! neither the source nor the state folder: copies of an archive are verified in the same way.

mod chain;
mod files;
mod known;
mod record;
mod recorded;
mod report;
mod rows;

pub use crate::config::Level;
pub(crate) use chain::{Commit, Commits, StoredChain, VerifiedRecord, expect_head};
pub(crate) use files::check_size;
pub use known::KnownDamage;
pub(crate) use known::failure as known_failure;
pub use record::Record;
pub use recorded::{RecordedDamage, Verification, Verifications};
pub use report::{Code, Finding, Severity, VerifyReport};
pub(crate) use report::{findings, paragraph};

use crate::{archive::ArchiveRoot, expected_head::ExpectedHead, settings::Settings, state::Scratch};
use archive_connectors::{Clock, Progress, Result, Sink, progress::Whole};
use archive_formats::{Dataset, Head, Manifest, Month};
use futures::TryStreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// The parameters of a verification.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The months whose files are read, and which must be archived; default: all committed ones. The chain is always
    /// verified as a whole.
    pub range: Option<(Month, Month)>,
    /// How thoroughly to verify.
    pub level: Level,
    /// The head that the archive must have reached.
    pub expect_head: Option<ExpectedHead>,
    /// The head that an earlier verification found. [`verify()`] sets it where no head is expected.
    pub recorded_head: Option<Head>,
}

/// Verifies an archive.
#[derive(Debug)]
pub struct Verifier {
    /// The archive.
    pub sink: Sink,
    /// An existing local folder for fetched files.
    pub folder: PathBuf,
    /// Receives progress.
    pub progress: Arc<dyn Progress>,
}

/// Verifies the archive of `settings`, and records the result. Findings are in the report; an error means that the
/// archive could not be read.
pub async fn verify(
    settings: &Settings,
    request: &VerifyRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
) -> Result<VerifyReport> {
    let root = ArchiveRoot::open(&settings.archive).await?;
    let scratch = Scratch::new(&settings.state_dir, "verify")?;
    let folder = scratch.path().to_owned();
    let record = Record::new(&settings.state_dir, root.id(), &settings.archive);
    let recorded_head = record.read().head.filter(|_| request.expect_head.is_none());
    let request = VerifyRequest { recorded_head, ..request.clone() };
    let report = Verifier { sink: root.sink().clone(), folder, progress }.verify(root.id(), &request).await?;
    let damage = report.findings.iter().filter(|finding| finding.severity == Severity::Damage);
    let damage = damage.cloned().collect::<Vec<_>>();
    let known = record.add(Verification::new(&request, &report, clock.now()), &damage);
    let found = damage.iter().map(|finding| (&finding.path, finding.code)).collect::<BTreeSet<_>>();
    let is_earlier = |known: &RecordedDamage| !found.contains(&(&known.finding.path, known.finding.code));
    let mut earlier = known.recorded.into_iter().filter(is_earlier).collect::<Vec<_>>();
    earlier.sort_by(|one, other| one.finding.cmp(&other.finding));
    Ok(VerifyReport { earlier, unlisted: known.unlisted, ..report })
}

/// Sizes of an archive's objects by path.
pub(crate) type Listing = BTreeMap<String, u64>;

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn damage(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Damage, path: path.into(), message: message.into() });
    }

    pub(crate) fn warning(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Warning, path: path.into(), message: message.into() });
    }
}

impl Findings {
    /// The findings in their order.
    pub(crate) fn sorted(self) -> Vec<Finding> {
        let mut findings = self.0;
        findings.sort();
        findings
    }
}

impl Verifier {
    /// Verifies the archive with the UUID `archive`.
    pub async fn verify(&self, archive: &str, request: &VerifyRequest) -> Result<VerifyReport> {
        let listing = listing(&self.sink).await?;
        let mut findings = Findings::default();
        let stored = StoredChain { sink: &self.sink, archive, listing: &listing };
        let commits = stored.verify::<Manifest>(&mut findings).await?;
        if let Some(expected) = &request.expect_head {
            expect_head(&commits, expected, "the expected head", &mut findings);
        }
        if let Some(recorded) = &request.recorded_head {
            expect_head(&commits, &recorded.into(), "the head of an earlier verification", &mut findings);
        }
        files::unnamed(&listing, &commits, request.range, &mut findings);
        missing_months(&commits, request, &mut findings);
        let in_range =
            |manifest: &&Manifest| request.range.is_none_or(|(first, last)| (first..=last).contains(&manifest.month));
        let wanted = commits.values().map(|commit| &commit.manifest).filter(in_range).collect::<Vec<_>>();
        if request.level == Level::Full {
            self.progress.begin(Whole::Bytes(wanted.iter().map(|manifest| manifest.bytes()).sum()));
        }
        for manifest in &wanted {
            self.month(manifest, request.level, &listing, &mut findings).await?;
        }
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
            findings: findings.sorted(),
            ..VerifyReport::default()
        })
    }
}

/// Lists every object of an archive.
pub(crate) async fn listing(sink: &Sink) -> Result<Listing> {
    sink.list(None).map_ok(|object| (object.path, object.bytes)).try_collect().await
}

/// V030: months of the range that are not committed.
fn missing_months(commits: &Commits, request: &VerifyRequest, findings: &mut Findings) {
    let Some((first, last)) = request.range else { return };
    let mut datasets = commits.values().map(|commit| &commit.manifest.dataset).collect::<BTreeSet<_>>();
    let default = Dataset::default();
    if datasets.is_empty() {
        datasets.insert(&default);
    }
    for dataset in datasets {
        for month in Month::range(first, last) {
            let committed = |commit: &Commit| commit.manifest.dataset == *dataset && commit.manifest.month == month;
            if !commits.values().any(committed) {
                findings.warning(Code::MonthMissing, dataset.as_str(), format!("{month} is not archived"));
            }
        }
    }
}

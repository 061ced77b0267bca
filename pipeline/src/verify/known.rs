//! What is known of an archive's damage without reading it again: what verifications found and none has cleared, and what
//! a look at names and sizes finds now. Every command that shows the state of an archive takes it from here.

use super::{Code, Finding, Findings, Listing, Record, RecordedDamage, Verifications, files};
use crate::{
    Archive, ArchiveRoot,
    exit::ExitCode,
    human::{count, month_ranges},
    report::Failure,
    settings::Settings,
};
use archive_connectors::Result;
use archive_formats::{CommitRecord as _, Dataset, FileRecord as _, Month, key::ObjectName};
use futures::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// The known damage of an archive.
#[derive(Clone, Debug, Default)]
pub struct KnownDamage {
    /// What was found earlier, and what is missing or has another size now, in their order.
    pub findings: Vec<Finding>,
    /// The verifications on record.
    pub verifications: Verifications,
    /// Why the files could not be looked at.
    pub unlooked: Option<Failure>,
    /// The months whose files it concerns.
    months: BTreeSet<(Dataset, Month)>,
}

impl KnownDamage {
    /// Reads the record, and lists the objects of `archive`, the one of `settings`.
    pub async fn of(archive: &Archive, settings: &Settings) -> Self {
        let verifications = Record::new(&settings.state_dir, archive.id(), &settings.archive).read();
        Self::with(verifications, archive).await
    }

    /// That of the archive of `settings`, whose chain may be broken: then its files cannot be looked at.
    pub async fn find(settings: &Settings) -> Result<Self> {
        let root = ArchiveRoot::open(&settings.archive).await?;
        let verifications = Record::new(&settings.state_dir, root.id(), &settings.archive).read();
        Ok(match root.read_chain().await {
            Ok(archive) => Self::with(verifications, &archive).await,
            Err(error) => Self::new(verifications, Err(error)),
        })
    }

    async fn with(verifications: Verifications, archive: &Archive) -> Self {
        match look(archive, &verifications.recorded).await {
            Ok((recorded, found)) => Self::new(Verifications { recorded, ..verifications }, Ok(found)),
            Err(error) => Self::new(verifications, Err(error)),
        }
    }

    /// What is on record, and what a look at the files `found`.
    fn new(verifications: Verifications, found: Result<Vec<Finding>>) -> Self {
        let (found, unlooked) = match found {
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(Failure::from(error))),
        };
        let recorded = verifications.recorded.iter().map(|damage| damage.finding.clone());
        let all = recorded.chain(found).map(|finding| ((finding.path.clone(), finding.code), finding));
        let mut findings = all.collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>();
        findings.sort();
        Self { months: findings.iter().filter_map(month_of).collect(), findings, verifications, unlooked }
    }

    /// Whether there is any.
    pub const fn is_damaged(&self) -> bool {
        !self.findings.is_empty() || self.verifications.unlisted.is_some()
    }

    /// The failure of a command whose own work is done; `None` without damage.
    pub fn failure(&self) -> Option<Failure> {
        failure(&self.findings, self.verifications.unlisted.is_some())
    }

    /// Leaves out the damage of months that a report names already.
    pub(crate) fn without(mut self, is_named: impl Fn(&Dataset, Month) -> bool) -> Self {
        let is_new = |finding: &Finding| month_of(finding).is_none_or(|(dataset, month)| !is_named(&dataset, month));
        self.findings.retain(is_new);
        self
    }

    /// Whether files of the month are damaged.
    pub fn concerns(&self, dataset: &Dataset, month: Month) -> bool {
        self.months.contains(&(dataset.clone(), month))
    }
}

/// The failure of an archive with these findings on record, and perhaps `more` than can be listed.
pub(crate) fn failure(findings: &[Finding], more: bool) -> Option<Failure> {
    let mut datasets = BTreeMap::<Dataset, BTreeSet<Month>>::new();
    for (dataset, month) in findings.iter().filter_map(month_of) {
        datasets.entry(dataset).or_default().insert(month);
    }
    let months = datasets.into_iter().map(|(dataset, months)| format!("{dataset} {}", month_ranges(months)));
    let months = months.collect::<Vec<_>>().join(", ");
    let objects = count(findings.len() as u64, "object");
    let more = if more { ", and more than can be listed" } else { "" };
    let of = if months.is_empty() { String::new() } else { format!(", of {months}") };
    (!findings.is_empty() || !more.is_empty()).then(|| Failure {
        message: format!("the archive is known to be damaged: {objects}{of}{more}"),
        hint: REPAIR.to_owned(),
        exit: ExitCode::Damaged,
    })
}

const REPAIR: &str = "`kt-archive verify` shows all of it; keep the archive as it is; a whole replica mends it: \
    `kt-archive replicate --repair` with the replica as --archive, then verify again";

/// The month whose files a finding concerns.
fn month_of(finding: &Finding) -> Option<(Dataset, Month)> {
    match ObjectName::parse(&finding.path) {
        ObjectName::Data { dataset, month } => Some((dataset, month)),
        ObjectName::Archive | ObjectName::Manifest(_) | ObjectName::Sums(_) | ObjectName::Other => None,
    }
}

/// Whether damage on record was put right without a verification: a run removes files that no manifest names, and adds a
/// missing SHA256SUMS.
async fn is_mended(finding: &Finding, listing: &Listing, archive: &Archive) -> Result<bool> {
    match (finding.code, ObjectName::parse(&finding.path)) {
        (Code::Unnamed, _) => Ok(!listing.contains_key(&finding.path)),
        (Code::Sums, ObjectName::Sums(sequence)) => {
            let Some(entry) = archive.chain().entry(sequence) else { return Ok(false) };
            let found = archive.sink().document(&finding.path).await?;
            Ok(found.is_some_and(|found| found == entry.manifest.sha256sums(&entry.sha256)))
        }
        _ => Ok(false),
    }
}

/// Lists the archive. Returns what of the damage `recorded` was not mended, and V010 and V011 of all committed files.
async fn look(archive: &Archive, recorded: &[RecordedDamage]) -> Result<(Vec<RecordedDamage>, Vec<Finding>)> {
    let objects = archive.sink().list(None).map_ok(|object| (object.path, object.bytes));
    let listing = objects.try_collect::<Listing>().await?;
    let mut still = Vec::new();
    for damage in recorded {
        if !is_mended(&damage.finding, &listing, archive).await? {
            still.push(damage.clone());
        }
    }
    let mut findings = Findings::default();
    for file in archive.chain().entries().iter().flat_map(|entry| &entry.manifest.files) {
        files::check_size(file.object(), listing.get(&file.path).copied(), &mut findings);
    }
    Ok((still, findings.0))
}

#[cfg(test)]
mod tests {
    use super::{super::Severity, *};

    fn finding(path: &str) -> Finding {
        let message = "the object has other bytes".to_owned();
        Finding { code: Code::Digest, severity: Severity::Damage, path: path.to_owned(), message }
    }

    #[test]
    fn failure_names_the_months_of_each_dataset() {
        let message = |paths: &[&str], more| {
            let found = paths.iter().map(|path| finding(path)).collect::<Vec<_>>();
            failure(&found, more).map(|failure| failure.message)
        };
        assert_eq!(message(&[], false), None);
        let known = |rest: &str| Some(format!("the archive is known to be damaged: {rest}"));
        let name = "part-00000-0123456789abcdef.parquet";
        let [april, may, traces] =
            ["events/parquet/month=2025-04", "events/parquet/month=2025-05", "traces/parquet/month=2025-01"]
                .map(|folder| format!("{folder}/{name}"));
        assert_eq!(
            message(&[&may, &april, &traces], false),
            known("3 objects, of events 2025-04 to 2025-05, traces 2025-01")
        );
        assert_eq!(message(&["manifests/00000001.SHA256SUMS"], false), known("1 object"));
        assert_eq!(message(&[], true), known("0 objects, and more than can be listed"));
    }
}

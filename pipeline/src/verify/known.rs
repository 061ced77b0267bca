//! What is known of an archive's damage without reading it again: what verifications found and none has cleared, and what
//! a look at names and sizes finds now. Every command that shows the state of an archive takes it from here.

use super::{Finding, Findings, Listing, Record, Verifications, files};
use crate::{Archive, report::Failure, settings::Settings};
use archive_connectors::{Result, Sink};
use archive_formats::{Chain, Dataset, Month, key::ObjectName};
use futures::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// The known damage of an archive.
#[derive(Clone, Debug, Default)]
pub struct KnownDamage {
    /// What was found earlier, and what is missing or has another size now; ordered by path.
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
        let (found, unlooked) = match look(archive.sink(), archive.chain()).await {
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(Failure::from(error))),
        };
        let recorded = verifications.recorded.iter().map(|damage| damage.finding.clone());
        let all = recorded.chain(found).map(|finding| ((finding.path.clone(), finding.code), finding));
        let findings = all.collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>();
        let months = findings.iter().filter_map(|finding| match ObjectName::parse(&finding.path) {
            ObjectName::Data { dataset, month } => Some((dataset, month)),
            ObjectName::Archive | ObjectName::Manifest(_) | ObjectName::Sums(_) | ObjectName::Other => None,
        });
        Self { months: months.collect(), findings, verifications, unlooked }
    }

    /// Whether there is any.
    pub const fn is_damaged(&self) -> bool {
        !self.findings.is_empty() || self.verifications.unlisted.is_some()
    }

    /// Whether files of the month are damaged.
    pub fn concerns(&self, dataset: &Dataset, month: Month) -> bool {
        self.months.contains(&(dataset.clone(), month))
    }
}

/// V010 and V011 of all committed files, by listing the archive once.
async fn look(sink: &Sink, chain: &Chain) -> Result<Vec<Finding>> {
    let listing = sink.list(None).map_ok(|object| (object.path, object.bytes)).try_collect::<Listing>().await?;
    let mut findings = Findings::default();
    for file in chain.entries().iter().flat_map(|entry| &entry.manifest.files) {
        files::check_size(file, listing.get(&file.path).copied(), &mut findings);
    }
    Ok(findings.0)
}

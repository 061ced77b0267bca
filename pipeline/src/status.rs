//! Where an archive stands: which months are there, and which are not.

use crate::{
    place,
    plan::Rules,
    report::{DatasetStatus, MonthStatus, Presence, StatusReport},
    settings::Settings,
};
use archive_connectors::{Clock, Result};
use archive_formats::{Chain, Dataset, Month};

/// What is to be shown.
#[derive(Clone, Debug, Default)]
pub struct StatusRequest {
    /// First month; by default the first archived one.
    pub from: Option<Month>,
    /// Last month; by default the last one that is over.
    pub to: Option<Month>,
    /// Datasets; all when empty.
    pub datasets: Vec<Dataset>,
}

/// The state of the archive of `settings`.
pub async fn status(settings: &Settings, request: &StatusRequest, clock: &dyn Clock) -> Result<StatusReport> {
    let (sink, document) = place::existing(settings).await?;
    let chain = sink.chain(&document.archive).await?;
    let formats = settings.formats.clone();
    let rules = Rules { formats, transforms: Vec::new(), grace: settings.grace, now: clock.now() };
    months(&chain, request, &rules)
}

/// The state of every wanted month.
fn months(chain: &Chain, request: &StatusRequest, rules: &Rules) -> Result<StatusReport> {
    let wanted = |dataset: &&Dataset| request.datasets.is_empty() || request.datasets.contains(dataset);
    // A dataset that was asked for is shown even when nothing of it is archived.
    let datasets = chain.datasets().into_iter().filter(wanted).chain(&request.datasets);
    let datasets = datasets.collect::<std::collections::BTreeSet<_>>();
    let datasets = datasets.into_iter().map(|dataset| {
        let months = range(chain, dataset, request, rules)?.map(|month| month_status(chain, dataset, month, rules));
        Ok(DatasetStatus { dataset: dataset.clone(), months: months.collect() })
    });
    Ok(StatusReport { head: chain.head(), datasets: datasets.collect::<Result<_>>()? })
}

fn range(
    chain: &Chain,
    dataset: &Dataset,
    request: &StatusRequest,
    rules: &Rules,
) -> Result<impl Iterator<Item = Month>> {
    let last_closed = rules.last_closed()?;
    let (first, last) = chain.span(dataset).unwrap_or((last_closed.next(), last_closed));
    let to = request.to.unwrap_or_else(|| last.max(last_closed));
    Ok(Month::range(request.from.unwrap_or_else(|| first.min(to.next())), to))
}

fn month_status(chain: &Chain, dataset: &Dataset, month: Month, rules: &Rules) -> MonthStatus {
    match chain.month(dataset, month) {
        Some(entry) => MonthStatus {
            month,
            state: Presence::Archived,
            events: Some(entry.manifest.events.archived),
            bytes: Some(entry.manifest.bytes()),
            committed_at: Some(entry.manifest.committed_at),
            sequence: Some(entry.manifest.sequence),
        },
        None => MonthStatus {
            month,
            state: if rules.is_closed(month) { Presence::Missing } else { Presence::Open },
            events: None,
            bytes: None,
            committed_at: None,
            sequence: None,
        },
    }
}

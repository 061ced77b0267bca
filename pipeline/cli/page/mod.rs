//! The HTML report of an archive, for auditors.
//!
//! [`write()`] collects the values into a [`Page`], [`render`] turns them into HTML. The page is self-contained: it has no
//! script and loads nothing.

mod command;
mod html;
mod model;
mod outcome;

pub(crate) use command::report;
pub(crate) use html::render;
pub(crate) use model::{DatasetPage, Page, Since, VerificationRecord, Verified};
pub(crate) use outcome::{PageReport, UnreadMonth};

use archive::{
    Archive,
    activity::{Activity, Counter},
    output::OutputFile,
    replicate,
    settings::Settings,
    status::{self, DatasetStatus, StatusRequest},
    verify::Record,
};
use archive_connectors::{Clock, Progress, Result};
use std::{path::PathBuf, sync::Arc};

/// The request for a page.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest {
    /// Months and datasets of the page.
    pub status: StatusRequest,
    /// The file to write.
    pub output: PathBuf,
    /// Whether an existing file is replaced.
    pub force: bool,
}

/// Writes the page of the archive of `settings`. The page and the report name months that cannot be read; after an error
/// there is no page.
pub(crate) async fn write(
    settings: &Settings,
    request: &PageRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
) -> Result<PageReport> {
    let output = OutputFile::new(&request.output, request.force)?.outside_of(settings.archive.directory())?;
    replicate::check_options(&settings.replicas)?;
    let archive = Archive::open(&settings.archive).await?;
    let chain = archive.chain();
    let record = Record::new(&settings.state_dir, archive.id(), &settings.archive);
    let now = clock.now();
    let statuses = status::datasets(chain, &request.status, settings, now)?;
    let datasets = datasets(&archive, statuses, settings, progress).await?;
    let page = Page {
        archive: archive.url().to_owned(),
        uuid: archive.id().to_owned(),
        created_at: archive.created_at(),
        made_at: now,
        version: env!("CARGO_PKG_VERSION"),
        head: chain.head(),
        committed_at: chain.entries().last().map(|entry| entry.manifest.committed_at),
        datasets,
        replicas: replicate::replica_statuses(chain, &settings.replicas).await,
        verified: Verified::new(record.read(), chain),
    };
    let text = render(&page);
    output.write("report", text.as_bytes())?;
    Ok(PageReport {
        output: Some(output.path().display().to_string()),
        bytes: text.len() as u64,
        archive: Some(page.archive.clone()),
        head: page.head,
        unread: unread(&page),
    })
}

/// Counts the events of the datasets, one dataset at a time.
async fn datasets(
    archive: &Archive,
    statuses: Vec<DatasetStatus>,
    settings: &Settings,
    progress: Arc<dyn Progress>,
) -> Result<Vec<DatasetPage>> {
    let counter = Counter::new(archive.sink().clone(), &settings.state_dir, progress)?;
    let mut datasets = Vec::new();
    for status in statuses {
        let range = status.months.first().zip(status.months.last()).map(|(first, last)| (first.month, last.month));
        let activity = match range {
            Some((first, last)) => counter.count(archive.chain(), &status.dataset, first, last).await?,
            None => Activity::default(),
        };
        datasets.push(DatasetPage { status, activity });
    }
    Ok(datasets)
}

fn unread(page: &Page) -> Vec<UnreadMonth> {
    let unread_months = |dataset: &DatasetPage| {
        let unread = dataset.activity.unread.clone().into_iter();
        let name = dataset.status.dataset.clone();
        unread.map(move |(month, error)| UnreadMonth { dataset: name.clone(), month, error }).collect::<Vec<_>>()
    };
    page.datasets.iter().flat_map(unread_months).collect()
}

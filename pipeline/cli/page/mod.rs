//! The HTML report of an archive, for auditors.
//!
//! [`write()`] collects the values into a [`Page`], [`render`] turns them into HTML. The page is self-contained: it has no
//! script and loads nothing.

mod command;
mod html;
mod model;
mod outcome;
mod transforms;

pub(crate) use command::report;
pub(crate) use html::render;
pub(crate) use model::{DatasetPage, Page, Protection, Since, VerificationRecord, Verified};
pub(crate) use outcome::{PageReport, UnreadMonth};

use archive::{
    Archive,
    activity::{Activity, Counter},
    backup::{BackupStatus, backup_status},
    output::OutputFile,
    replicate,
    settings::Settings,
    status::{self, DatasetStatus, StatusRequest},
    verify::KnownDamage,
};
use archive_connectors::{
    Clock, Progress, Result,
    sink::{Location, object_lock},
};
use std::{fs, path::PathBuf, sync::Arc};

/// The request for a page.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest {
    /// Months and datasets of the page.
    pub status: StatusRequest,
    /// Whose archive it is.
    pub organisation: Option<String>,
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
    if request.status.refuses_unknown {
        archive.expect_datasets(&request.status.datasets)?;
    }
    let known = KnownDamage::of(&archive, settings).await;
    let now = clock.now();
    let statuses = status::datasets(chain, &request.status, settings, now, &known)?;
    let datasets = datasets(&archive, statuses, settings, progress).await?;
    let page = Page {
        organisation: request.organisation.clone(),
        archive: absolute(&settings.archive),
        protection: protection(&settings.archive).await,
        uuid: archive.id().to_owned(),
        created_at: archive.created_at(),
        made_at: now,
        version: env!("CARGO_PKG_VERSION"),
        head: chain.head(),
        committed_at: chain.entries().last().map(|entry| entry.manifest.committed_at),
        datasets,
        replicas: replicate::replica_statuses(&archive, settings).await,
        backups: backup_status(settings, now).await,
        verified: Verified::new(known.verifications.clone(), chain),
        damage: known.findings,
        unlooked: known.unlooked,
    };
    let text = render(&page);
    output.write("report", text.as_bytes())?;
    Ok(PageReport {
        output: Some(output.path().display().to_string()),
        bytes: text.len() as u64,
        archive: Some(page.archive.clone()),
        head: page.head,
        unread: unread(&page),
        is_damaged: page.is_damaged(),
        missed: page.backups.as_ref().filter(|backups| backups.misses()).map(BackupStatus::lacks).unwrap_or_default(),
        damage: page.damage,
    })
}

/// The address of the archive, also for readers on other hosts: a relative path has no meaning there.
fn absolute(location: &Location) -> String {
    match location.directory() {
        Some(path) => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string(),
        None => location.url().to_owned(),
    }
}

async fn protection(location: &Location) -> Protection {
    match object_lock(location).await {
        Ok(Some(lock)) => Protection::Bucket(lock),
        Ok(None) if location.directory().is_some() => Protection::Folder,
        Ok(None) => Protection::Unknown("this cloud has no interface for it".to_owned()),
        Err(error) => Protection::Unknown(error.to_string()),
    }
}

/// Counts the events of the datasets, one dataset at a time.
async fn datasets(
    archive: &Archive,
    statuses: Vec<DatasetStatus>,
    settings: &Settings,
    progress: Arc<dyn Progress>,
) -> Result<Vec<DatasetPage>> {
    let counter = Counter::new(&settings.archive, &settings.state_dir, progress)?;
    let mut datasets = Vec::new();
    for status in statuses {
        let range = status.months.first().zip(status.months.last()).map(|(first, last)| (first.month, last.month));
        let activity = match range {
            Some((first, last)) => counter.count(archive.chain(), &status.dataset, first, last).await?,
            None => Activity::default(),
        };
        let transforms = transforms::sentences(archive.chain(), &status.dataset);
        datasets.push(DatasetPage { transforms, status, activity });
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

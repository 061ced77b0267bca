//! From a window to its artifact: the one in the spool, the one of an earlier run's job, or a new one.

use super::{
    artifact::Artifact,
    client::Client,
    config::{Config, Endpoints},
    download::Download,
    job::Jobs,
    journal::{Entry, Intent, Journal, State, is_fresh},
};
use crate::{Clock, Error, ErrorKind, Result, progress::Meter, spool::Spool};
use archive_formats::{Dataset, Timestamp, Window};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

/// Fetches the artifacts of one server for one archive.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) config: Config,
    /// The base of the API as manifests and the journal record it.
    pub(super) url: String,
    client: Client,
    journal: Journal,
    spool: Spool,
    cache: ArtifactCache,
    clock: Arc<dyn Clock>,
    archive: Uuid,
    /// The endpoints that the server turned out to have.
    known: OnceLock<Endpoints>,
}

/// The artifact of a window.
#[derive(Debug)]
pub(super) enum Fetched {
    Artifact(Arc<Artifact>),
    /// The server refuses the window as too large: fetch each half.
    Halves(Window, Window),
}

/// The artifacts of this process, each behind a lock that lets one read at a time fetch it.
#[derive(Debug, Default)]
struct ArtifactCache(Mutex<HashMap<String, Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Artifact>>>>;

impl ArtifactCache {
    fn slot(&self, key: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }

    fn remove(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Fetcher {
    pub(super) fn new(config: Config, clock: Arc<dyn Clock>, state: &Path, archive: Uuid) -> Result<Self> {
        let config = config.validated()?;
        Ok(Self {
            client: Client::new(&config, Arc::clone(&clock))?,
            journal: Journal::new(state.join("journal")),
            spool: Spool::new(state.join("spool")),
            cache: ArtifactCache::default(),
            clock,
            archive,
            url: config.url(),
            known: OnceLock::new(),
            config,
        })
    }

    /// The artifact for `window` of `dataset`.
    pub(super) async fn fetch(&self, dataset: &Dataset, window: Window, meter: &Meter) -> Result<Fetched> {
        let intent = self.intent(dataset, window);
        let key = intent.key();
        let slot = self.cache.slot(&key);
        let mut slot = slot.lock().await;
        if slot.is_none() {
            *slot = self.find_spooled(&key).await?.map(Arc::new);
        }
        if let Some(artifact) = &*slot {
            return Ok(Fetched::Artifact(Arc::clone(artifact)));
        }
        match self.obtain(&intent, &key, meter).await {
            Ok(artifact) => Ok(Fetched::Artifact(Arc::clone(slot.insert(Arc::new(artifact))))),
            Err(error) if error.kind() == ErrorKind::TooLarge => self.split(intent, window, error).await,
            Err(error) if error.kind() == ErrorKind::Incomplete => {
                self.clear(&key, true);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the files of a failed read: wrong bytes are downloaded again, and a job with an unusable artifact is not
    /// used again.
    pub(super) fn discard(&self, dataset: &Dataset, window: Window, kind: ErrorKind) {
        let key = self.intent(dataset, window).key();
        match kind {
            ErrorKind::Truncated | ErrorKind::Local => self.clear(&key, false),
            ErrorKind::Source | ErrorKind::Incomplete => self.clear(&key, true),
            _ => {}
        }
    }

    /// Keeps the files of `window` for this process alone: the next one creates a new job.
    pub(super) fn disown(&self, dataset: &Dataset, window: Window) {
        let key = self.intent(dataset, window).key();
        log(self.spool.forget(&key));
        log(self.journal.disown(&key));
    }

    /// Removes the files of abandoned windows: artifacts hold events, and must not stay on the host for good.
    pub(super) fn remove_abandoned(&self) {
        for key in self.journal.abandoned(self.clock.now()) {
            self.clear(&key, true);
        }
    }

    /// Removes the files of `window`, and of the parts that it may have been split into.
    pub(super) fn remove_window(&self, dataset: &Dataset, window: Window) {
        self.clear(&self.intent(dataset, window).key(), true);
        if let Some((first, second)) = halves(window) {
            self.remove_window(dataset, first);
            self.remove_window(dataset, second);
        }
    }

    /// The artifact of an earlier run, unless it is too old.
    async fn find_spooled(&self, key: &str) -> Result<Option<Artifact>> {
        let artifact = self.spool.find(key).await?.and_then(Artifact::from_spool);
        let now = self.clock.now();
        let artifact = artifact.filter(|artifact| is_fresh(artifact.metadata.asked_at, now));
        Ok(artifact.filter(|artifact| self.config.layout.candidates().contains(&artifact.metadata.endpoints)))
    }

    /// The artifact of a job. If it has expired, one new job is made.
    async fn obtain(&self, intent: &Intent, key: &str, meter: &Meter) -> Result<Artifact> {
        let deadline = Instant::now() + self.config.job_timeout;
        let expired = match self.obtain_once(intent, key, meter, deadline).await {
            Err(error) if error.kind() == ErrorKind::Expired => error,
            done => return done,
        };
        tracing::warn!(error = %expired, "making a new export job");
        self.journal.remove(key)?;
        match self.obtain_once(intent, key, meter, deadline).await {
            Err(error) if error.kind() == ErrorKind::Expired => {
                self.journal.remove(key)?;
                Err(Error::new(ErrorKind::Source, "the artifact expired before it was downloaded, twice")
                    .with_source(error)
                    .with_hint("the server may keep artifacts for too short a time"))
            }
            done => done,
        }
    }

    async fn obtain_once(&self, intent: &Intent, key: &str, meter: &Meter, deadline: Instant) -> Result<Artifact> {
        let jobs = Jobs {
            client: &self.client,
            journal: &self.journal,
            clock: &*self.clock,
            layout: self.config.layout,
            harmless: &self.config.rules.harmless,
            known: &self.known,
            meter,
            deadline,
        };
        let job = jobs.finished(intent).instrument(info_span!(target: crate::TRACE_TARGET, "job")).await?;
        // The download has as long again, however long the job took.
        let deadline = Instant::now() + self.config.job_timeout;
        let (client, spool, format) = (&self.client, &self.spool, self.config.format);
        let download = Download { client, job: &job, format, spool, key, meter, deadline };
        download.run().instrument(info_span!(target: crate::TRACE_TARGET, "download")).await
    }

    async fn split(&self, intent: Intent, window: Window, refused: Error) -> Result<Fetched> {
        let Some((first, second)) = halves(window) else {
            self.journal.remove(&intent.key())?;
            return Err(Error::new(ErrorKind::Source, "the server refuses to export even a single day")
                .with_context("window", window)
                .with_source(refused));
        };
        tracing::info!(%window, "the server asks for a smaller window");
        let mut entry = Entry::new(intent, self.clock.now());
        entry.state = State::Split;
        self.journal.write(&entry).await?;
        Ok(Fetched::Halves(first, second))
    }

    fn intent(&self, dataset: &Dataset, window: Window) -> Intent {
        Intent {
            archive: self.archive.to_string(),
            url: self.url.clone(),
            dataset: dataset.clone(),
            window: window.widen(self.config.margin),
            format: self.config.format,
        }
    }

    fn clear(&self, key: &str, with_job: bool) {
        self.cache.remove(key);
        log(self.spool.remove(key));
        if with_job {
            log(self.journal.remove(key));
        }
    }
}

/// Logs a failed removal: it costs disk, never data.
fn log(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "could not remove a file that is no longer needed");
    }
}

/// The window, split at a midnight near its middle; `None` if it has less than two days.
fn halves(window: Window) -> Option<(Window, Window)> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let days = window.length().as_secs() / DAY.as_secs();
    let whole_days = u32::try_from(days / 2).ok()?;
    let middle: Timestamp = window.from().plus(DAY * whole_days);
    window.split_at(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::Month;

    fn days(window: Window, all: &mut Vec<Window>) {
        match halves(window) {
            Some((first, second)) => {
                days(first, all);
                days(second, all);
            }
            None => all.push(window),
        }
    }

    #[test]
    fn a_month_splits_into_days_without_gap_or_overlap() {
        let month = "2024-02".parse::<Month>().unwrap().window();
        let mut all = Vec::new();
        days(month, &mut all);
        assert_eq!(all.len(), 29);
        assert_eq!((all[0].from(), all[28].to()), (month.from(), month.to()));
        assert!(all.windows(2).all(|pair| pair[0].to() == pair[1].from()));
    }

    #[test]
    fn less_than_two_days_are_not_split() {
        let from = Timestamp::from_micros(0);
        let window = Window::new(from, from.plus(Duration::from_secs(47 * 3600))).unwrap();
        assert!(halves(window).is_none());
    }
}

//! The journal of export jobs. It is written before a job is created and again before its id is used, so that the run
//! after a crash finds the job instead of creating a second one.

use super::{
    config::{ArtifactFormat, Endpoints},
    wire::JobId,
};
use crate::{
    Result,
    spool::{on_blocking_thread, read_if_exists, remove_if_exists, write_durably},
};
use archive_formats::{Dataset, Sha256, Timestamp, Window};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};
use uuid::Uuid;

/// How long a job is used again: servers keep artifacts for about a day.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The purpose of a job. Equal intents have one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    /// UUID of the archive.
    pub(super) archive: String,
    /// The base of the API.
    pub(super) url: String,
    pub(super) dataset: Dataset,
    /// The requested window, with its margin.
    pub(super) window: Window,
    pub(super) format: ArtifactFormat,
}

impl Intent {
    /// The name of the files of the intent.
    pub(super) fn key(&self) -> String {
        #[expect(clippy::expect_used, reason = "serialisation fails only for maps whose keys are no strings")]
        let json = serde_json::to_vec(self).expect("an intent has no maps");
        Sha256::digest(&json).to_string()
    }
}

/// The state of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// A create call was sent, and its response was not written down.
    Asked,
    /// The server created a job.
    Made {
        /// Its id.
        job: JobId,
        /// The endpoints of the job.
        endpoints: Endpoints,
    },
    /// The server refused the window as too large.
    Split,
    /// The artifact is for the process that fetched it alone; the next one creates a new job.
    Disowned,
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) intent: Intent,
    /// Differs between two attempts at the intent, so that a server that remembers keys creates a new job.
    attempt: String,
    pub(super) asked_at: Timestamp,
    pub(super) state: State,
}

impl Entry {
    /// An entry for `intent`, before its create call.
    pub(super) fn new(intent: Intent, now: Timestamp) -> Self {
        Self { intent, attempt: Uuid::new_v4().to_string(), asked_at: now, state: State::Asked }
    }

    /// The `Idempotency-Key` header: the same for each repetition of one create call, also after a crash.
    pub(super) fn idempotency_key(&self) -> String {
        Sha256::digest(format!("{} {}", self.intent.key(), self.attempt).as_bytes()).to_string()
    }
}

/// Whether a job or artifact of `then` can be used again at `now`, also if the clock was set back.
pub(super) fn is_fresh(then: Timestamp, now: Timestamp) -> bool {
    then.distance(now) < FRESH
}

/// A folder of entries, one file for each intent.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The entry for `intent`, unless it is too old. An unreadable entry counts as none: it costs a second job.
    pub(super) async fn find(&self, intent: &Intent, now: Timestamp) -> Result<Option<Entry>> {
        let path = self.path(&intent.key());
        let bytes = on_blocking_thread(move || read_if_exists(&path)).await?;
        let entry = bytes.and_then(|bytes| serde_json::from_slice::<Entry>(&bytes).ok());
        let entry = entry.filter(|entry| entry.state != State::Disowned);
        Ok(entry.filter(|entry| entry.intent == *intent && is_fresh(entry.asked_at, now)))
    }

    /// Writes `entry` durably.
    pub(super) async fn write(&self, entry: &Entry) -> Result<()> {
        let (path, entry) = (self.path(&entry.intent.key()), entry.clone());
        on_blocking_thread(move || write_durably(&path, &entry)).await
    }

    /// Hides the entry under `key` from [`Self::find`], but not from [`Self::abandoned`], which cleans the spool.
    pub(super) fn disown(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        let entry = read_if_exists(&path)?.and_then(|bytes| serde_json::from_slice::<Entry>(&bytes).ok());
        entry.map_or(Ok(()), |entry| write_durably(&path, &Entry { state: State::Disowned, ..entry }))
    }

    pub(super) fn remove(&self, key: &str) -> Result<()> {
        remove_if_exists(&self.path(key))
    }

    /// Keys of the entries older than a week. Their intents were given up, for another margin or another source. A clock
    /// that jumps by less than a week makes no entry abandoned.
    pub(super) fn abandoned(&self, now: Timestamp) -> Vec<String> {
        const ABANDONED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let entries = files.filter_map(|file| read_if_exists(&file.path()).ok().flatten());
        let entries = entries.filter_map(|bytes| serde_json::from_slice::<Entry>(&bytes).ok());
        let old = entries.filter(|entry| entry.asked_at.plus(ABANDONED) < now);
        old.map(|entry| entry.intent.key()).collect()
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_743_500_000_000_000);

    fn intent() -> Intent {
        Intent {
            archive: Uuid::nil().to_string(),
            url: "https://api.example/".to_owned(),
            dataset: "events".parse().unwrap(),
            window: "2025-03".parse::<archive_formats::Month>().unwrap().window(),
            format: ArtifactFormat::Csv,
        }
    }

    fn made(id: &str) -> State {
        State::Made { job: id.to_owned().try_into().unwrap(), endpoints: Endpoints::ExportsJobs }
    }

    #[tokio::test]
    async fn finds_a_job_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("journal"));
        assert_eq!(journal.find(&intent(), NOW).await.unwrap(), None);
        let mut entry = Entry::new(intent(), NOW);
        journal.write(&entry).await.unwrap();
        entry.state = made("exp_1");
        journal.write(&entry).await.unwrap();
        let hours = |hours: u64| NOW.plus(Duration::from_secs(hours * 3600));
        assert_eq!(journal.find(&intent(), hours(23)).await.unwrap(), Some(entry));
        assert_eq!(journal.find(&intent(), hours(24)).await.unwrap(), None);
        journal.remove(&intent().key()).unwrap();
        assert_eq!(journal.find(&intent(), NOW).await.unwrap(), None);
    }

    #[test]
    fn the_key_depends_on_every_part_of_an_intent() {
        let other_window = "2025-04".parse::<archive_formats::Month>().unwrap().window();
        let others = [
            Intent { archive: Uuid::max().to_string(), ..intent() },
            Intent { url: "https://other.example/".to_owned(), ..intent() },
            Intent { dataset: "traces".parse().unwrap(), ..intent() },
            Intent { window: other_window, ..intent() },
        ];
        assert!(others.iter().all(|other| other.key() != intent().key()));
        assert_eq!(intent().key().len(), 64);
    }

    #[test]
    fn repetitions_share_an_idempotency_key_and_attempts_do_not() {
        let entry = Entry::new(intent(), NOW);
        let written = serde_json::to_vec(&entry).unwrap();
        let read: Entry = serde_json::from_slice(&written).unwrap();
        assert_eq!(read.idempotency_key(), entry.idempotency_key());
        assert_ne!(Entry::new(intent(), NOW).idempotency_key(), entry.idempotency_key());
    }

    #[tokio::test]
    async fn a_torn_entry_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().to_owned());
        std::fs::write(journal.path(&intent().key()), b"{\"intent\": {").unwrap();
        assert_eq!(journal.find(&intent(), NOW).await.unwrap(), None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_journal() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("journal"));
        journal.write(&Entry::new(intent(), NOW)).await.unwrap();
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path().join("journal")), mode(journal.path(&intent().key()))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn an_entry_is_abandoned_after_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().to_owned());
        assert_eq!(journal.abandoned(NOW), [] as [String; 0]);
        journal.write(&Entry::new(intent(), NOW)).await.unwrap();
        journal.disown(&intent().key()).unwrap();
        assert_eq!(journal.find(&intent(), NOW).await.unwrap(), None);
        let week = NOW.plus(Duration::from_secs(7 * 24 * 60 * 60));
        assert_eq!(journal.abandoned(week), [] as [String; 0]);
        assert_eq!(journal.abandoned(week.plus(Duration::from_micros(1))), [intent().key()]);
    }
}

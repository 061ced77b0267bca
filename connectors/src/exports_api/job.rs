//! Creates an export job, or finds that of an earlier run, and waits for it.

use super::{
    client::{Client, Created, JobResponse},
    config::{Endpoints, Layout},
    journal::{Entry, Intent, Journal, State},
    wire::{Claims, CreateRequest, Job, JobId, Phase, left_out, other_count},
};
use crate::{
    Clock, Error, ErrorKind, Result,
    clock::check_skew,
    progress::{Meter, Step},
    retry::{Intervals, Policy, is_transient, retry},
};
use archive_formats::{Timestamp, decode::json::Harmless};
use serde_json::Value;
use std::{sync::OnceLock, time::Duration};
use tokio::time::{Instant, sleep};

/// The calls and the state that lead to a finished job, before a deadline.
#[derive(Debug)]
pub(super) struct Jobs<'a> {
    pub(super) client: &'a Client,
    pub(super) journal: &'a Journal,
    pub(super) clock: &'a dyn Clock,
    pub(super) layout: Layout,
    pub(super) harmless: &'a Harmless,
    /// The endpoints that the server turned out to have.
    pub(super) known: &'a OnceLock<Endpoints>,
    pub(super) meter: &'a Meter,
    pub(super) deadline: Instant,
}

/// A job in the journal.
struct CreatedJob {
    id: JobId,
    endpoints: Endpoints,
    asked_at: Timestamp,
    /// The response to the create call, if this run made it.
    response: Option<JobResponse>,
}

/// A finished job.
#[derive(Debug)]
pub(super) struct FinishedJob {
    pub(super) id: JobId,
    pub(super) endpoints: Endpoints,
    pub(super) asked_at: Timestamp,
    /// The address of the artifact, if the job names one.
    pub(super) target: Option<String>,
    pub(super) claims: Claims,
    /// The status words seen, without repetitions in a row.
    pub(super) status_words: Vec<String>,
    pub(super) server_clock: Option<Timestamp>,
}

impl Jobs<'_> {
    /// The finished job for `intent`: a fresh one of the journal, or a new one.
    pub(super) async fn finished(&self, intent: &Intent) -> Result<FinishedJob> {
        let known = self.journal.find(intent, self.clock.now()).await?;
        let created = match known {
            Some(Entry { state: State::Split, .. }) => {
                return Err(Error::new(ErrorKind::TooLarge, "the server refused the window as too large before"));
            }
            Some(Entry { state: State::Made { job, endpoints }, asked_at, .. }) if self.may_use(endpoints) => {
                tracing::info!(job = %job, "found the export job of an earlier run");
                CreatedJob { id: job, endpoints, asked_at, response: None }
            }
            Some(entry) if entry.state == State::Asked => self.create(entry).await?,
            _ => {
                let entry = Entry::new(intent.clone(), self.clock.now());
                self.journal.write(&entry).await?;
                self.create(entry).await?
            }
        };
        self.meter.step(Step::Wait, None);
        self.wait(created, &intent.key()).await
    }

    /// Creates the job of `entry`, and writes its id to the journal before using it.
    async fn create(&self, mut entry: Entry) -> Result<CreatedJob> {
        self.meter.step(Step::Create, None);
        let request = CreateRequest::new(&entry.intent.dataset, entry.intent.format, entry.intent.window);
        let key = entry.idempotency_key();
        let candidates = self.known.get().map_or(self.layout.candidates(), std::slice::from_ref);
        let mut missing = None;
        for &endpoints in candidates {
            let call = || self.client.create(endpoints, &request, &key);
            let response = match retry(Policy::per_call().until(self.deadline), call).await {
                Ok(Created::Job(response)) => response,
                Ok(Created::NoEndpoint(error)) => {
                    missing = Some(error);
                    continue;
                }
                Err(error) => return Err(self.late(error, "the export job could not be created in time")),
            };
            check_skew(response.date, self.clock.now())?;
            let id = Job::from_json(&response.json).id.ok_or_else(|| {
                Error::new(ErrorKind::Source, "the response to the create call holds no usable job id")
            })?;
            entry.state = State::Made { job: id.clone(), endpoints };
            self.journal.write(&entry).await?;
            // Another read may have set it meanwhile.
            self.known.get_or_init(|| endpoints);
            return Ok(CreatedJob { id, endpoints, asked_at: entry.asked_at, response: Some(response) });
        }
        Err(missing.unwrap_or_else(|| Error::new(ErrorKind::Internal, "there are no endpoints to try")))
    }

    /// Waits until the job is finished. Polls a job of an earlier run at once, a new one after the first interval.
    async fn wait(&self, created: CreatedJob, key: &str) -> Result<FinishedJob> {
        const FIRST: Duration = Duration::from_secs(2);
        const LONGEST: Duration = Duration::from_secs(30);
        let mut intervals = Intervals::steady(FIRST, LONGEST);
        let mut seen = SeenStatus::default();
        let CreatedJob { id, endpoints, asked_at, response } = created;
        let mut response = match response {
            Some(response) => response,
            None => self.poll(endpoints, &id).await?,
        };
        loop {
            check_skew(response.date, self.clock.now())?;
            seen.server_clock = response.date.or(seen.server_clock);
            let job = Job::from_json(&response.json);
            seen.add(&job, &id);
            match job.status.phase {
                Phase::Waiting | Phase::Unknown => {}
                Phase::Done => {
                    self.check_whole(&id, &response.json)?;
                    let SeenStatus { words: status_words, server_clock, .. } = seen;
                    let Job { target, claims, .. } = job;
                    return Ok(FinishedJob { id, endpoints, asked_at, target, claims, status_words, server_clock });
                }
                Phase::Failed => {
                    self.journal.remove(key)?;
                    return Err(self.failed(&id, &job).await);
                }
                Phase::Expired => return Err(expired(&id, &job.status.word)),
            }
            self.pause(intervals.next_wait(), response.wait, || seen.overdue(&id)).await?;
            response = self.poll(endpoints, &id).await?;
        }
    }

    /// Refuses a finished job that tells of events beyond its artifact.
    fn check_whole(&self, id: &JobId, response: &Value) -> Result<()> {
        let (message, member) = match (left_out(response, self.harmless), other_count(response, self.harmless)) {
            (Some(member), _) => ("the export job left out events", member),
            (None, Some(member)) => ("the export job has counts of its events that differ", member),
            (None, None) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Incomplete, message).with_context("job", id).with_context("member", member).with_hint(
            "nothing was committed; ask the platform's operator for the limit of exports. If the member does not tell \
             of further events, name it with --harmless-members",
        ))
    }

    async fn poll(&self, endpoints: Endpoints, id: &JobId) -> Result<JobResponse> {
        let response = retry(Policy::per_call().until(self.deadline), || self.client.status(endpoints, id)).await;
        response
            .map_err(|error| self.late(error, "the server did not return the export job's status in time"))
            .map_err(|error| error.with_context("job", id))
    }

    /// Sleeps, but not beyond the deadline, where the job is polled once more.
    async fn pause(&self, interval: Duration, asked: Option<Duration>, overdue: impl FnOnce() -> Error) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(overdue());
        }
        sleep(asked.map_or(interval, |asked| asked.max(interval)).min(left)).await;
        Ok(())
    }

    /// After a transient failure at the deadline, another run goes on with the same job.
    fn late(&self, error: Error, message: &str) -> Error {
        let transient = is_transient(error.kind()) && Instant::now() >= self.deadline;
        if transient || error.kind() == ErrorKind::TryLater { late(error, message) } else { error }
    }

    async fn failed(&self, id: &JobId, job: &Job) -> Error {
        let error = Error::new(ErrorKind::Source, "the export job failed")
            .with_context("job", id)
            .with_context("status", &job.status.word)
            .with_hint("run the same command again for a new job; if it fails too, ask the platform's operator");
        match &job.reason {
            // Not shown if the token that it may repeat cannot be read any more.
            Some(reason) => match self.client.excerpt(reason).await {
                Ok(reason) => error.with_context("reason", reason),
                Err(_) => error,
            },
            None => error,
        }
    }

    /// Whether the settings allow the endpoints of an earlier run.
    fn may_use(&self, endpoints: Endpoints) -> bool {
        self.layout.candidates().contains(&endpoints)
    }
}

/// The error of a call that the deadline ended.
pub(super) fn late(error: Error, message: &str) -> Error {
    Error::new(ErrorKind::TryLater, message).with_source(error).with_hint(LATER)
}

const LATER: &str = "run the same command again later: it goes on with the same export job; or raise --job-timeout";

/// The statuses seen while waiting for a job.
#[derive(Default)]
struct SeenStatus {
    words: Vec<String>,
    server_clock: Option<Timestamp>,
    warned: bool,
}

impl SeenStatus {
    fn add(&mut self, job: &Job, id: &JobId) {
        // The words are recorded in the manifest: a server must not fill it.
        const MOST: usize = 20;
        let word = &job.status.word;
        if self.words.last() != Some(word) && self.words.len() < MOST && !word.is_empty() {
            self.words.push(word.clone());
        }
        if job.status.phase == Phase::Unknown && !self.warned {
            self.warned = true;
            tracing::warn!(job = %id, status = ?word, "unknown status of the export job, still waiting");
        }
    }

    fn overdue(&self, id: &JobId) -> Error {
        let status = self.words.last().map_or("none", String::as_str);
        Error::new(ErrorKind::TryLater, "the export job was not finished in time")
            .with_context("job", id)
            .with_context("status", status)
            .with_hint(LATER)
    }
}

fn expired(id: &JobId, word: &str) -> Error {
    Error::new(ErrorKind::Expired, "the export job's artifact has expired")
        .with_context("job", id)
        .with_context("status", word)
}

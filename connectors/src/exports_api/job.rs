//! The life of an export job: asked for, waited for, ready.

use super::{
    client::{Answer, Client, Creation},
    config::{Endpoints, Layout},
    journal::{Entry, Intent, Journal, State},
    wire::{Claims, CreateRequest, JobId, JobView, Phase},
};
use crate::{
    Clock, Error, ErrorKind, Result,
    progress::Step,
    retry::{Intervals, Policy, is_transient, retry},
    skew,
};
use archive_formats::Timestamp;
use std::{sync::OnceLock, time::Duration};
use tokio::time::{Instant, sleep};

/// What it takes to get from an intent to a finished job, before a deadline.
#[derive(Debug)]
pub(super) struct Jobs<'a> {
    pub(super) client: &'a Client,
    pub(super) journal: &'a Journal,
    pub(super) clock: &'a dyn Clock,
    pub(super) layout: Layout,
    /// The endpoints that the server turned out to have.
    pub(super) known: &'a OnceLock<Endpoints>,
    pub(super) meter: &'a crate::progress::Meter,
    pub(super) deadline: Instant,
}

/// A job that the journal knows.
struct Made {
    id: JobId,
    endpoints: Endpoints,
    asked_at: Timestamp,
    /// What the create call answered, if it was this run's.
    answer: Option<Answer>,
}

/// A finished job.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) id: JobId,
    pub(super) endpoints: Endpoints,
    pub(super) asked_at: Timestamp,
    /// Where the job says that the artifact is.
    pub(super) target: Option<String>,
    pub(super) claims: Claims,
    /// The status words that were seen, without repetitions in a row.
    pub(super) words: Vec<String>,
    pub(super) server_clock: Option<Timestamp>,
}

impl Jobs<'_> {
    /// The finished job for `intent`: the journal's, if it has a fresh one, or else a new one.
    pub(super) async fn ready(&self, intent: &Intent) -> Result<Ready> {
        let known = self.journal.find(intent, self.clock.now()).await?;
        let made = match known {
            Some(Entry { state: State::Split, .. }) => {
                return Err(Error::new(ErrorKind::TooLarge, "the server asked for a smaller window before"));
            }
            Some(Entry { state: State::Made { job, endpoints }, asked_at, .. }) if self.may_use(endpoints) => {
                tracing::info!(job = %job, "found the export job of an earlier run");
                Made { id: job, endpoints, asked_at, answer: None }
            }
            Some(entry) if entry.state == State::Asked => self.ask(entry).await?,
            _ => {
                let entry = Entry::new(intent.clone(), self.clock.now());
                self.journal.write(&entry).await?;
                self.ask(entry).await?
            }
        };
        self.meter.step(Step::Wait, None);
        self.wait(made, &intent.key()).await
    }

    /// Asks for the job of `entry`, and writes its id down before anything is done with it.
    async fn ask(&self, mut entry: Entry) -> Result<Made> {
        self.meter.step(Step::Create, None);
        let request = CreateRequest::new(&entry.intent.dataset, entry.intent.format, entry.intent.window);
        let key = entry.idempotency_key();
        let candidates = self.known.get().map_or(self.layout.candidates(), std::slice::from_ref);
        let mut refused = None;
        for &endpoints in candidates {
            let call = || self.client.create(endpoints, &request, &key);
            let answer = match retry(Policy::per_call().until(self.deadline), call).await {
                Ok(Creation::Accepted(answer)) => answer,
                Ok(Creation::WrongLayout(error)) => {
                    refused = Some(error);
                    continue;
                }
                Err(error) => return Err(self.late(error, "the export job could not be created in time")),
            };
            skew::check(answer.date, self.clock.now())?;
            let id = JobView::read(&answer.json)
                .id
                .ok_or_else(|| Error::new(ErrorKind::Source, "the answer to the create call holds no usable job id"))?;
            entry.state = State::Made { job: id.clone(), endpoints };
            self.journal.write(&entry).await?;
            // Another read may have found the same at the same time.
            self.known.get_or_init(|| endpoints);
            return Ok(Made { id, endpoints, asked_at: entry.asked_at, answer: Some(answer) });
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Internal, "there are no endpoints to try")))
    }

    /// Waits until the job is finished. A job of an earlier run is looked at at once, a new one after a while.
    async fn wait(&self, made: Made, key: &str) -> Result<Ready> {
        const FIRST: Duration = Duration::from_secs(2);
        const LONGEST: Duration = Duration::from_secs(30);
        let mut intervals = Intervals::steady(FIRST, LONGEST);
        let mut watch = Watch::default();
        let Made { id, endpoints, asked_at, answer } = made;
        let mut answer = match answer {
            Some(answer) => answer,
            None => self.poll(endpoints, &id).await?,
        };
        loop {
            skew::check(answer.date, self.clock.now())?;
            watch.server_clock = answer.date.or(watch.server_clock);
            let view = JobView::read(&answer.json);
            watch.see(&view, &id);
            match view.status.phase {
                Phase::Waiting | Phase::Unknown => {}
                Phase::Done => {
                    let Watch { words, server_clock, .. } = watch;
                    let JobView { target, claims, .. } = view;
                    return Ok(Ready { id, endpoints, asked_at, target, claims, words, server_clock });
                }
                Phase::Failed => {
                    self.journal.remove(key)?;
                    return Err(self.failed(&id, &view).await);
                }
                Phase::Gone => return Err(gone(&id, &view.status.word)),
            }
            self.pause(intervals.next_wait(), answer.wait, || watch.overdue(&id)).await?;
            answer = self.poll(endpoints, &id).await?;
        }
    }

    async fn poll(&self, endpoints: Endpoints, id: &JobId) -> Result<Answer> {
        let answer = retry(Policy::per_call().until(self.deadline), || self.client.status(endpoints, id)).await;
        answer
            .map_err(|error| self.late(error, "the server did not tell the export job's status in time"))
            .map_err(|error| error.with_context("job", id))
    }

    /// Sleeps, but not beyond the deadline, so that there is one last look at it.
    async fn pause(&self, interval: Duration, asked: Option<Duration>, overdue: impl FnOnce() -> Error) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(overdue());
        }
        sleep(asked.map_or(interval, |asked| asked.max(interval)).min(left)).await;
        Ok(())
    }

    /// A passing failure at the deadline is not the end: another run goes on with the same job.
    fn late(&self, error: Error, message: &str) -> Error {
        let passing = is_transient(error.kind()) && Instant::now() >= self.deadline;
        if passing || error.kind() == ErrorKind::TryLater { late(error, message) } else { error }
    }

    async fn failed(&self, id: &JobId, view: &JobView) -> Error {
        let error = Error::new(ErrorKind::Source, "the export job failed")
            .with_context("job", id)
            .with_context("status", &view.status.word);
        match &view.reason {
            // Without a token there is nothing to blot out, but there was one a moment ago.
            Some(reason) => match self.client.shown(reason).await {
                Ok(reason) => error.with_context("reason", reason),
                Err(_) => error,
            },
            None => error,
        }
    }

    /// Whether the operator's choice of endpoints allows those of an earlier run.
    fn may_use(&self, endpoints: Endpoints) -> bool {
        self.layout.candidates().contains(&endpoints)
    }
}

/// The error of what the deadline ended.
pub(super) fn late(error: Error, message: &str) -> Error {
    Error::new(ErrorKind::TryLater, message).with_source(error).with_hint(LATER)
}

const LATER: &str = "run the same command again later: it goes on with the same export job; or raise --job-timeout";

/// What was seen of a job while waiting for it.
#[derive(Default)]
struct Watch {
    words: Vec<String>,
    server_clock: Option<Timestamp>,
    warned: bool,
}

impl Watch {
    fn see(&mut self, view: &JobView, id: &JobId) {
        // A server that makes words up shall not fill the manifest.
        const MOST: usize = 20;
        let word = &view.status.word;
        if self.words.last() != Some(word) && self.words.len() < MOST && !word.is_empty() {
            self.words.push(word.clone());
        }
        if view.status.phase == Phase::Unknown && !self.warned {
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

fn gone(id: &JobId, word: &str) -> Error {
    Error::new(ErrorKind::Expired, "the export job's artifact is not kept any more")
        .with_context("job", id)
        .with_context("status", word)
}

//! Measurements of a run: time by stage, and retries.

use crate::{observer::Observer, replicate::ReplicaReport, run::MonthReport};
use archive_connectors::{
    Progress,
    progress::{DatasetMonth, Step, Subject, Whole},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
};

/// Measurements of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Time that months spent in each stage, summed over months, concurrent ones included.
    pub stages: Vec<(Step, Duration)>,
    /// Calls that were retried.
    pub retries: RetryCounts,
}

/// Retried calls, by server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// Calls to the source.
    pub source: u64,
    /// Calls to the stores of the archive and of its replicas.
    pub store: u64,
}

/// An [`Observer`] that measures stages, and forwards every call.
#[derive(Debug)]
pub struct Stopwatch {
    next: Arc<dyn Observer>,
    times: Mutex<Times>,
}

impl Stopwatch {
    /// Forwards to `next`.
    pub fn new(next: Arc<dyn Observer>) -> Self {
        Self { next, times: Mutex::default() }
    }

    /// Time in each stage so far, unfinished months included.
    pub fn stages(&self) -> Vec<(Step, Duration)> {
        self.times().until(Instant::now())
    }

    /// A panic cannot leave the times inconsistent, so poisoning is ignored.
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Stopwatch {
    fn begin(&self, whole: Whole) {
        self.next.begin(whole);
    }

    fn step(&self, subject: &Subject, step: Step, total: Option<u64>) {
        self.times().enter(subject, step, Instant::now());
        self.next.step(subject, step, total);
    }

    fn advance(&self, subject: &Subject, amount: u64) {
        self.next.advance(subject, amount);
    }

    fn finish(&self, subject: &Subject) {
        self.times().leave(subject, Instant::now());
        self.next.finish(subject);
    }
}

impl Observer for Stopwatch {
    fn month_finished(&self, report: &MonthReport) {
        let subject = DatasetMonth { dataset: report.dataset.clone(), month: report.month }.into();
        self.times().leave(&subject, Instant::now());
        self.next.month_finished(report);
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.next.replica_finished(report);
    }
}

/// Holds entries for months in progress only.
#[derive(Clone, Debug, Default)]
struct Times {
    working: HashMap<Subject, (Step, Instant)>,
    spent: HashMap<Step, Duration>,
}

impl Times {
    fn enter(&mut self, subject: &Subject, step: Step, at: Instant) {
        self.leave(subject, at);
        self.working.insert(subject.clone(), (step, at));
    }

    fn leave(&mut self, subject: &Subject, at: Instant) {
        if let Some((step, entered)) = self.working.remove(subject) {
            *self.spent.entry(step).or_default() += at.saturating_duration_since(entered);
        }
    }

    fn until(&self, at: Instant) -> Vec<(Step, Duration)> {
        let mut closed = self.clone();
        for subject in self.working.keys() {
            closed.leave(subject, at);
        }
        Step::ALL.map(|step| (step, closed.spent.get(&step).copied().unwrap_or_default())).to_vec()
    }
}

/// Target of the events of retried calls to sources.
const SOURCE: &str = "archive_connectors::retry";
/// Target of the events of retried calls to stores.
const STORE: &str = "object_store::client::retry";

/// A layer that counts retries by their log events: `object_store` reports its own in no other way. Clones share the
/// counts.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    source: Arc<AtomicU64>,
    store: Arc<AtomicU64>,
}

impl Retries {
    /// The counts so far.
    pub fn counts(&self) -> RetryCounts {
        RetryCounts { source: self.source.load(Ordering::Relaxed), store: self.store.load(Ordering::Relaxed) }
    }

    /// The filter of this layer: the counted events only.
    pub fn filter() -> Targets {
        Targets::new().with_target(SOURCE, LevelFilter::WARN).with_target(STORE, LevelFilter::INFO)
    }
}

impl<S: Subscriber> Layer<S> for Retries {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        match event.metadata().target() {
            SOURCE => self.source.fetch_add(1, Ordering::Relaxed),
            STORE => self.store.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn subject(month: &str) -> Subject {
        DatasetMonth { dataset: "events".parse().unwrap(), month: month.parse().unwrap() }.into()
    }

    fn seconds(times: &Times, at: Instant) -> Vec<(&'static str, u64)> {
        let stages = times.until(at).into_iter().map(|(step, spent)| (step.name(), spent.as_secs()));
        stages.filter(|(_, seconds)| *seconds > 0).collect()
    }

    #[test]
    fn concurrent_months_are_summed() {
        let (mut times, start) = (Times::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let (one, other) = (subject("2025-01"), subject("2025-02"));
        times.enter(&one, Step::Wait, after(0));
        times.enter(&other, Step::Wait, after(10));
        times.enter(&one, Step::Decode, after(30));
        times.enter(&other, Step::Decode, after(40));
        times.leave(&one, after(41));
        times.leave(&one, after(90));
        assert_eq!(seconds(&times, after(45)), [("wait", 60), ("decode", 16)]);
        times.leave(&other, after(50));
        assert_eq!(seconds(&times, after(1_000)), [("wait", 60), ("decode", 21)]);
        assert!(times.working.is_empty(), "finished months are removed");
    }

    #[test]
    fn stage_entered_again_continues() {
        let (mut times, start) = (Times::default(), Instant::now());
        for second in [0, 2, 5] {
            times.enter(&subject("2025-01"), Step::Download, start + Duration::from_secs(second));
        }
        assert_eq!(seconds(&times, start + Duration::from_secs(9)), [("download", 9)]);
        assert_eq!(times.until(start).len(), Step::ALL.len(), "unused stages are listed");
    }

    #[test]
    fn retries_are_counted_at_any_log_level() {
        let retries = Retries::default();
        let quiet = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::ERROR);
        let subscriber =
            tracing_subscriber::registry().with(quiet).with(retries.clone().with_filter(Retries::filter()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "archive_connectors::retry", "waiting for another try");
            tracing::info!(target: "object_store::client::retry", "backing off");
            tracing::info!(target: "object_store::client::retry", "backing off");
            tracing::debug!(target: "object_store::client::retry", "something else");
            tracing::error!(target: "archive_connectors::exports_api", "something else");
        });
        assert_eq!(retries.counts(), RetryCounts { source: 1, store: 2 });
    }
}

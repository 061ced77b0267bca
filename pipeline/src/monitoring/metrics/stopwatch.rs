//! What a run spent: seconds by stage, and calls that had to be repeated.

use crate::{
    observer::Observer,
    report::{MonthReport, ReplicaReport},
};
use archive_connectors::{
    Progress,
    progress::{DatasetMonth, Step},
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

/// What a run spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How long months were in each stage, added up: of two months that were in it at once, each counts.
    pub stages: Vec<(Step, Duration)>,
    /// How often a call had to be repeated.
    pub retries: RetryCounts,
}

/// How often a call had to be repeated, by who did not answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// Calls to the source.
    pub source: u64,
    /// Calls to the stores of the archive and of its replicas.
    pub store: u64,
}

/// Measures stages, and passes all that it is told on.
#[derive(Debug)]
pub struct Stopwatch {
    next: Arc<dyn Observer>,
    times: Mutex<Times>,
}

impl Stopwatch {
    /// Tells `next` what it is told.
    pub fn new(next: Arc<dyn Observer>) -> Self {
        Self { next, times: Mutex::default() }
    }

    /// How long months were in each stage so far. What was given up in the middle of one counts, too.
    pub fn stages(&self) -> Vec<(Step, Duration)> {
        self.times().until(Instant::now())
    }

    /// A thread that panicked with the lock left times that are as good as before.
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Stopwatch {
    fn step(&self, coverage: &DatasetMonth, step: Step, total: Option<u64>) {
        self.times().enter(coverage, step, Instant::now());
        self.next.step(coverage, step, total);
    }

    fn advance(&self, coverage: &DatasetMonth, amount: u64) {
        self.next.advance(coverage, amount);
    }

    fn finish(&self, coverage: &DatasetMonth) {
        self.times().leave(coverage, Instant::now());
        self.next.finish(coverage);
    }
}

impl Observer for Stopwatch {
    fn month_finished(&self, report: &MonthReport) {
        let coverage = DatasetMonth { dataset: report.dataset.clone(), month: report.month };
        self.times().leave(&coverage, Instant::now());
        self.next.month_finished(report);
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.next.replica_finished(report);
    }
}

/// Only months in work are remembered, however many there are.
#[derive(Clone, Debug, Default)]
struct Times {
    working: HashMap<DatasetMonth, (Step, Instant)>,
    spent: HashMap<Step, Duration>,
}

impl Times {
    fn enter(&mut self, coverage: &DatasetMonth, step: Step, at: Instant) {
        self.leave(coverage, at);
        self.working.insert(coverage.clone(), (step, at));
    }

    fn leave(&mut self, coverage: &DatasetMonth, at: Instant) {
        if let Some((step, entered)) = self.working.remove(coverage) {
            *self.spent.entry(step).or_default() += at.saturating_duration_since(entered);
        }
    }

    fn until(&self, at: Instant) -> Vec<(Step, Duration)> {
        let mut closed = self.clone();
        for coverage in self.working.keys() {
            closed.leave(coverage, at);
        }
        Step::ALL.map(|step| (step, closed.spent.get(&step).copied().unwrap_or_default())).to_vec()
    }
}

/// The one place that repeats calls to sources, which logs nothing else.
const SOURCE: &str = "archive_connectors::retry";
/// The one that repeats calls to stores.
const STORE: &str = "object_store::client::retry";

/// Counts retries; its clones count together.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    source: Arc<AtomicU64>,
    store: Arc<AtomicU64>,
}

impl Retries {
    /// What was counted so far.
    pub fn counts(&self) -> RetryCounts {
        RetryCounts { source: self.source.load(Ordering::Relaxed), store: self.store.load(Ordering::Relaxed) }
    }

    /// The events that are counted, and no others: whoever adds the layer adds this filter.
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

    fn coverage(month: &str) -> DatasetMonth {
        DatasetMonth { dataset: "events".parse().unwrap(), month: month.parse().unwrap() }
    }

    fn seconds(times: &Times, at: Instant) -> Vec<(&'static str, u64)> {
        let stages = times.until(at).into_iter().map(|(step, spent)| (step.name(), spent.as_secs()));
        stages.filter(|(_, seconds)| *seconds > 0).collect()
    }

    #[test]
    fn months_that_are_in_a_stage_at_once_are_added_up() {
        let (mut times, start) = (Times::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let (one, other) = (coverage("2025-01"), coverage("2025-02"));
        times.enter(&one, Step::Wait, after(0));
        times.enter(&other, Step::Wait, after(10));
        times.enter(&one, Step::Decode, after(30));
        times.enter(&other, Step::Decode, after(40));
        times.leave(&one, after(41));
        times.leave(&one, after(90));
        assert_eq!(seconds(&times, after(45)), [("wait", 60), ("decode", 16)]);
        times.leave(&other, after(50));
        assert_eq!(seconds(&times, after(1_000)), [("wait", 60), ("decode", 21)]);
        assert!(times.working.is_empty(), "a month that is done is forgotten");
    }

    #[test]
    fn a_stage_that_is_entered_again_goes_on() {
        let (mut times, start) = (Times::default(), Instant::now());
        for second in [0, 2, 5] {
            times.enter(&coverage("2025-01"), Step::Download, start + Duration::from_secs(second));
        }
        assert_eq!(seconds(&times, start + Duration::from_secs(9)), [("download", 9)]);
        assert_eq!(times.until(start).len(), Step::ALL.len(), "a stage that nobody needed has no time");
    }

    #[test]
    fn retries_are_counted_however_little_is_logged() {
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

//! Who measures how long months are in each stage.

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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}

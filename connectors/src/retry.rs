//! Which failures are retried, and how long to wait before a retry.

use crate::{Error, ErrorKind, Result};
use backoff::{ExponentialBackoff, backoff::Backoff as _};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Whether a call that failed with `kind` may succeed when repeated.
pub const fn is_transient(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::SourceUnavailable | ErrorKind::Truncated | ErrorKind::SnapshotLost => true,
        ErrorKind::Configuration
        | ErrorKind::Unauthorized
        | ErrorKind::Source
        | ErrorKind::Expired
        | ErrorKind::TooLarge
        | ErrorKind::Incomplete
        | ErrorKind::Store
        | ErrorKind::BrokenChain
        | ErrorKind::NoArchive
        | ErrorKind::TryLater
        | ErrorKind::Locked
        | ErrorKind::Interrupted
        | ErrorKind::Terminated
        | ErrorKind::Local
        | ErrorKind::Internal => false,
    }
}

/// Limits the number of retries and their total time.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    retries: u32,
    budget: Duration,
    deadline: Option<Instant>,
}

impl Policy {
    /// For one call to a server: long enough for a restart of the server, too short to look hung.
    pub(crate) const fn per_call() -> Self {
        Self { retries: 5, budget: Duration::from_secs(120), deadline: None }
    }

    /// For a window that is read again from its beginning, which takes long and loads the source.
    pub const fn per_window() -> Self {
        Self { retries: 4, budget: Duration::from_secs(15 * 60), deadline: None }
    }

    /// The same policy without tries that start after `deadline`, or that end long after it.
    #[must_use]
    pub(crate) const fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Awaits `call`, but cuts it off ten seconds after the deadline: a response may never end.
    pub(crate) async fn bounded<T>(self, call: impl Future<Output = Result<T>>) -> Result<T> {
        const LAST_TRY: Duration = Duration::from_secs(10);
        let Some(deadline) = self.deadline else { return call.await };
        let cut_off = |_| Err(Error::new(ErrorKind::TryLater, "the deadline passed before the end of the response"));
        timeout_at(deadline + LAST_TRY, call).await.unwrap_or_else(cut_off)
    }
}

/// Repeats `call` until it succeeds, fails permanently, or `policy` is exhausted; returns the last error then.
pub(crate) async fn retry<T, C, F>(policy: Policy, mut call: C) -> Result<T>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T>>,
{
    let mut attempts = Attempts::new(policy);
    loop {
        match policy.bounded(call()).await {
            Ok(value) => return Ok(value),
            Err(error) => attempts.pause(error).await?,
        }
    }
}

/// The remaining retries of a policy, for callers whose tries differ.
#[derive(Debug)]
pub struct Attempts {
    all: u32,
    left: u32,
    ends: Instant,
    deadline: Option<Instant>,
    intervals: Intervals,
}

impl Attempts {
    /// All retries of `policy`, whose time starts now.
    pub fn new(policy: Policy) -> Self {
        const FIRST: Duration = Duration::from_millis(500);
        const LONGEST: Duration = Duration::from_secs(30);
        let budget_ends = Instant::now() + policy.budget;
        Self {
            all: policy.retries + 1,
            left: policy.retries,
            ends: policy.deadline.map_or(budget_ends, |deadline| deadline.min(budget_ends)),
            deadline: policy.deadline,
            intervals: Intervals::full_jitter(FIRST, LONGEST),
        }
    }

    /// Waits until the next try is due, or returns `error` when none is left.
    ///
    /// A wait that the server asked for ends at the deadline at the latest, and does not count against the budget.
    pub async fn pause(&mut self, error: Error) -> Result<()> {
        let now = Instant::now();
        let limit = if error.retry_after().is_some() { self.deadline.unwrap_or(self.ends) } else { self.ends };
        if !is_transient(error.kind()) || self.left == 0 || now >= limit {
            return Err(error);
        }
        self.left -= 1;
        let interval = self.intervals.next_wait();
        let wait = error.retry_after().map_or(interval, |asked| asked.max(interval)).min(limit - now);
        if let (Some(_), Some(deadline)) = (error.retry_after(), self.deadline) {
            self.ends = (self.ends + wait).min(deadline);
        }
        let (attempt, attempts) = (self.all - self.left, self.all);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, wait_ms, attempt, attempts, cause, "waiting for another try");
        sleep(wait).await;
        Ok(())
    }
}

/// Growing waits with jitter, so that many clients do not call at the same time.
#[derive(Debug)]
pub struct Intervals(ExponentialBackoff);

impl Intervals {
    /// Each wait is between zero and a cap that doubles from `first` to `longest`.
    fn full_jitter(first: Duration, longest: Duration) -> Self {
        // The crate randomises around an interval: a factor of one around half the cap gives zero to the cap.
        Self::spread(first / 2, longest / 2, 1.0, 2.0)
    }

    /// Waits that grow by a half from about `first` to about `longest`.
    pub fn steady(first: Duration, longest: Duration) -> Self {
        Self::spread(first, longest, 0.2, 1.5)
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    fn spread(first: Duration, longest: Duration, randomization_factor: f64, multiplier: f64) -> Self {
        Self(ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            max_interval: longest,
            randomization_factor,
            multiplier,
            // `Attempts` counts elapsed time, with the clock that tests can pause.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn unavailable() -> Error {
        Error::new(ErrorKind::SourceUnavailable, "busy")
    }

    async fn calls_and_time(policy: Policy, error: impl Fn() -> Error) -> (u32, Duration) {
        let (calls, start) = (Cell::new(0), Instant::now());
        let result: Result<()> = retry(policy, || {
            calls.set(calls.get() + 1);
            let error = error();
            async { Err(error) }
        })
        .await;
        assert!(result.is_err());
        (calls.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn fails_after_five_retries() {
        let (calls, spent) = calls_and_time(Policy::per_call(), unavailable).await;
        assert_eq!(calls, 6);
        assert!(spent <= Duration::from_secs(120), "{spent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn permanent_failures_are_not_retried() {
        for kind in [ErrorKind::Unauthorized, ErrorKind::Source, ErrorKind::Expired, ErrorKind::Local] {
            let (calls, spent) = calls_and_time(Policy::per_call(), || Error::new(kind, "no")).await;
            assert_eq!((calls, spent), (1, Duration::ZERO), "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requested_waits_may_exceed_the_budget() {
        let policy = Policy::per_call().until(Instant::now() + Duration::from_secs(3600));
        let asked = || unavailable().with_retry_after(Some(Duration::from_secs(600)));
        let (calls, spent) = calls_and_time(policy, asked).await;
        assert_eq!(calls, 6);
        assert!(spent >= Duration::from_secs(3000), "{spent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn requested_waits_end_at_the_deadline() {
        let policy = Policy::per_call().until(Instant::now() + Duration::from_secs(60));
        let year = || unavailable().with_retry_after(Some(Duration::from_secs(365 * 86_400)));
        let (calls, spent) = calls_and_time(policy, year).await;
        assert_eq!((calls, spent.as_secs()), (2, 60), "one last try at the deadline");
    }

    #[tokio::test(start_paused = true)]
    async fn endless_calls_are_cut_off_after_the_deadline() {
        let start = Instant::now();
        let policy = Policy::per_call().until(start + Duration::from_secs(60));
        let error = retry(policy, std::future::pending::<Result<()>>).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TryLater);
        assert!(start.elapsed() <= Duration::from_secs(90), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn requested_waits_without_a_deadline_end_with_the_budget() {
        let year = || unavailable().with_retry_after(Some(Duration::from_secs(365 * 86_400)));
        let (_, spent) = calls_and_time(Policy::per_call(), year).await;
        assert_eq!(spent.as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn retries_until_the_call_succeeds() {
        let calls = Cell::new(0);
        let result = retry(Policy::per_call(), || {
            calls.set(calls.get() + 1);
            let call = calls.get();
            async move { if call < 3 { Err(unavailable()) } else { Ok(call) } }
        });
        assert_eq!(result.await.unwrap(), 3);
    }

    #[test]
    fn waits_grow_within_their_bounds() {
        let (first, longest) = (Duration::from_secs(2), Duration::from_secs(30));
        let mut steady = Intervals::steady(first, longest);
        let waits = (0..20).map(|_| steady.next_wait()).collect::<Vec<_>>();
        assert!(waits[0] >= first.mul_f64(0.79) && waits[0] <= first.mul_f64(1.21), "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= longest.mul_f64(1.21)));
        assert!(waits[19] >= longest.mul_f64(0.79));
        let mut full = Intervals::full_jitter(first, longest);
        assert!((0..200).map(|_| full.next_wait()).all(|wait| wait <= longest + Duration::from_millis(1)));
    }
}

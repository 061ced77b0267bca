//! Where the time comes from.

use archive_formats::Timestamp;
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// The time of day. Passed in, so that a test can choose it; durations are measured with tokio's clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // chrono panics before 1970, where a host without a battery can begin.
        #[expect(clippy::disallowed_methods, reason = "the one place where the host's clock is read")]
        let now = SystemTime::now();
        let epoch = Timestamp::from_micros(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => epoch.plus(since),
            Err(before) => epoch.minus(before.duration()),
        }
    }
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

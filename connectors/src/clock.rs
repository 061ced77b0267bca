//! The current time, and the check that two clocks agree on which month is over.

use crate::{Error, ErrorKind, Result};
use archive_formats::Timestamp;
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
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

/// Refuses to work while the server's clock and ours are more than five minutes apart. A server that does not tell its
/// time is believed.
pub(crate) fn check_skew(server: Option<Timestamp>, ours: Timestamp) -> Result<()> {
    const TOLERANCE: Duration = Duration::from_secs(5 * 60);
    match server {
        Some(server) if server.distance(ours) > TOLERANCE => {
            Err(Error::new(ErrorKind::TryLater, "the source's clock and this host's clock are too far apart")
                .with_context("source", server)
                .with_context("host", ours)
                .with_hint("synchronise this host's clock, for example by NTP"))
        }
        _ => Ok(()),
    }
}

/// How far apart the clocks are, where that can be tolerated.
pub(crate) fn compare_clocks(server: Option<Timestamp>, ours: Timestamp) -> Result<String> {
    check_skew(server, ours)?;
    Ok(match server {
        Some(server) => format!("{} s apart from this host's", server.distance(ours).as_secs()),
        None => "the server does not tell its time".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_tolerated_in_either_direction() {
        let ours = Timestamp::from_micros(1_743_465_600_000_000);
        let apart = |seconds| Duration::from_secs(seconds);
        for server in [None, Some(ours), Some(ours.plus(apart(300))), Some(ours.minus(apart(300)))] {
            assert!(check_skew(server, ours).is_ok(), "{server:?}");
        }
        for server in [ours.plus(apart(301)), ours.minus(apart(301))] {
            let error = check_skew(Some(server), ours).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TryLater);
            assert!(error.to_string().contains(&server.to_string()) && error.to_string().contains(&ours.to_string()));
        }
    }
}

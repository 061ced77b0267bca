//! The current time, and the check that two clocks agree on which month is over.

use crate::{Error, ErrorKind, Result};
use archive_formats::Timestamp;
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The time of day, passed in so that tests can set it. Durations are measured with tokio's clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // chrono panics before 1970, the time at which a host without a battery starts.
        #[expect(clippy::disallowed_methods, reason = "the only read of the host's clock")]
        let now = SystemTime::now();
        let epoch = Timestamp::from_micros(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => epoch.plus(since),
            Err(before) => epoch.minus(before.duration()),
        }
    }
}

/// A clock that always shows the same time.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Fails when the clocks of the server and of this host differ by more than five minutes. A server that sends no time
/// passes.
pub(crate) fn check_skew(server: Option<Timestamp>, ours: Timestamp) -> Result<()> {
    const TOLERANCE: Duration = Duration::from_secs(5 * 60);
    match server {
        Some(server) if server.distance(ours) > TOLERANCE => {
            Err(Error::new(ErrorKind::TryLater, "the clocks of the source and of this host differ too much")
                .with_context("source", server)
                .with_context("host", ours)
                .with_hint("synchronise this host's clock, for example by NTP"))
        }
        _ => Ok(()),
    }
}

/// Describes the difference of the clocks, or fails like [`check_skew`].
pub(crate) fn compare_clocks(server: Option<Timestamp>, ours: Timestamp) -> Result<String> {
    check_skew(server, ours)?;
    Ok(match server {
        Some(server) => format!("differs by {} s from this host's", server.distance(ours).as_secs()),
        None => "the server sends no time".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_up_to_five_minutes_passes() {
        let ours = Timestamp::from_micros(1_743_465_600_000_000);
        let by = |seconds| Duration::from_secs(seconds);
        for server in [None, Some(ours), Some(ours.plus(by(300))), Some(ours.minus(by(300)))] {
            assert!(check_skew(server, ours).is_ok(), "{server:?}");
        }
        for server in [ours.plus(by(301)), ours.minus(by(301))] {
            let error = check_skew(Some(server), ours).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TryLater);
            assert!(error.to_string().contains(&server.to_string()) && error.to_string().contains(&ours.to_string()));
        }
    }
}

//! Whether two clocks agree on which month is over.

use crate::{Error, ErrorKind, Result};
use archive_formats::Timestamp;
use std::time::Duration;

/// Refuses to work while the server's clock and ours are more than five minutes apart. A server that does not tell its
/// time is believed.
pub(crate) fn check(server: Option<Timestamp>, ours: Timestamp) -> Result<()> {
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
pub(crate) fn compare(server: Option<Timestamp>, ours: Timestamp) -> Result<String> {
    check(server, ours)?;
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
            assert!(check(server, ours).is_ok(), "{server:?}");
        }
        for server in [ours.plus(apart(301)), ours.minus(apart(301))] {
            let error = check(Some(server), ours).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TryLater);
            assert!(error.to_string().contains(&server.to_string()) && error.to_string().contains(&ours.to_string()));
        }
    }
}

//! Whether runs work.

use super::{Family, Sample, Snapshot};
use archive_formats::Timestamp;

/// When the last attempt began: written before its work, so that one that was killed, or never ends, is seen.
pub(super) const LAST_ATTEMPT: &str = "kt_archive_last_attempt_timestamp_seconds";
/// How it ended: there is none while it works.
pub(super) const EXIT_CODE: &str = "kt_archive_last_attempt_exit_code";
/// Survives the attempts that fail.
pub(super) const LAST_SUCCESS: &str = "kt_archive_last_success_timestamp_seconds";

pub(super) fn families(snapshot: &Snapshot<'_>) -> Vec<Family> {
    let &Snapshot { archive, finished, last_success, .. } = snapshot;
    let success = last_success.map(|at| Sample::of(archive, at));
    vec![
        Family {
            name: "kt_archive_info",
            help: "The version of kt-archive that wrote these metrics; always 1.",
            samples: vec![Sample::of(archive, 1).with("version", env!("CARGO_PKG_VERSION"))],
        },
        Family {
            name: LAST_SUCCESS,
            help: "When the last run or backfill with exit code 0 ended, in seconds since 1970.",
            samples: success.into_iter().collect(),
        },
        began(archive, finished.attempt.started),
        ended(archive, finished.exit.code()),
    ]
}

/// What is known of an attempt as soon as it begins.
pub(super) fn began(archive: &str, at: Timestamp) -> Family {
    Family {
        name: LAST_ATTEMPT,
        help: "When the last run or backfill began, in seconds since 1970.",
        samples: vec![Sample::of(archive, at)],
    }
}

/// What is known of it once it is over.
pub(super) fn ended(archive: &str, exit: u8) -> Family {
    Family {
        name: EXIT_CODE,
        help: "Exit code of the last run or backfill; absent while it works, and after it was killed.",
        samples: vec![Sample::of(archive, u64::from(exit))],
    }
}

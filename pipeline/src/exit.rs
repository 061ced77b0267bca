//! Exit codes.

use crate::report::Failure;
use archive_connectors::ErrorKind;

/// Exit code of the program. Part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: done, or already archived.
    Done,
    /// 1: failed for another reason.
    Failed,
    /// 2: invalid usage or configuration.
    Usage,
    /// 3: some months or replicas succeeded, others failed.
    Partial,
    /// 4: damage, a broken chain, or a restored month that differs.
    Damaged,
    /// 5: the data are incomplete or contradictory.
    Incomplete,
    /// 6: permanent failure of the source, or of the database of a restore.
    Source,
    /// 7: permanent failure of a store.
    Store,
    /// 8: another run holds the lock.
    Locked,
    /// 9: not authorised.
    Unauthorized,
    /// 75: try again later (`EX_TEMPFAIL` of sysexits.h).
    TryLater,
    /// 130: interrupted by SIGINT.
    Interrupted,
    /// 143: stopped by SIGTERM.
    Terminated,
}

/// Exit codes by severity, for runs in which every month failed: failures that need an operator come before transient
/// ones.
const BY_SEVERITY: [ExitCode; 8] = [
    ExitCode::Damaged,
    ExitCode::Unauthorized,
    ExitCode::Store,
    ExitCode::Source,
    ExitCode::Incomplete,
    ExitCode::TryLater,
    ExitCode::Usage,
    ExitCode::Failed,
];

impl ExitCode {
    /// The numeric code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Damaged => 4,
            Self::Incomplete => 5,
            Self::Source => 6,
            Self::Store => 7,
            Self::Locked => 8,
            Self::Unauthorized => 9,
            Self::TryLater => 75,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Combines several outcomes into one code: a single failure keeps its own, success and failure together are
    /// partial, and of failures alone the most severe counts. A stop by signal keeps its own code.
    pub(crate) fn combine(good: bool, failures: impl IntoIterator<Item = Self>) -> Self {
        let failures = failures.into_iter().collect::<Vec<_>>();
        if let Some(signal) = failures.iter().find(|code| matches!(code, Self::Interrupted | Self::Terminated)) {
            return *signal;
        }
        match failures.as_slice() {
            [] => Self::Done,
            _ if good => Self::Partial,
            [only] => *only,
            _ => BY_SEVERITY.into_iter().find(|code| failures.contains(code)).unwrap_or(Self::Failed),
        }
    }
}

impl ExitCode {
    /// The code of a command over an archive of which damage may be `known`: it counts where nothing else failed.
    pub(crate) fn or_known(self, known: Option<&Failure>) -> Self {
        match (self, known) {
            (Self::Done, Some(known)) => known.exit,
            (own, _) => own,
        }
    }
}

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Configuration => Self::Usage,
            ErrorKind::Unauthorized => Self::Unauthorized,
            ErrorKind::Source
            | ErrorKind::SourceUnavailable
            | ErrorKind::Truncated
            | ErrorKind::SnapshotLost
            | ErrorKind::Expired
            | ErrorKind::TooLarge => Self::Source,
            ErrorKind::Incomplete => Self::Incomplete,
            ErrorKind::Store | ErrorKind::NoArchive => Self::Store,
            ErrorKind::BrokenChain => Self::Damaged,
            ErrorKind::TryLater => Self::TryLater,
            ErrorKind::Locked => Self::Locked,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::Terminated => Self::Terminated,
            ErrorKind::Local | ErrorKind::Internal => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_outcome_keeps_its_code() {
        assert_eq!(ExitCode::combine(true, []), ExitCode::Done);
        assert_eq!(ExitCode::combine(false, [ExitCode::TryLater]), ExitCode::TryLater);
    }

    #[test]
    fn success_and_failure_together_are_partial() {
        assert_eq!(ExitCode::combine(true, [ExitCode::Source]), ExitCode::Partial);
    }

    #[test]
    fn most_severe_of_several_failures_counts() {
        let codes = [ExitCode::Failed, ExitCode::TryLater, ExitCode::Incomplete, ExitCode::Source, ExitCode::Store];
        assert_eq!(ExitCode::combine(false, codes), ExitCode::Store);
        assert_eq!(ExitCode::combine(false, [ExitCode::TryLater, ExitCode::Incomplete]), ExitCode::Incomplete);
    }

    #[test]
    fn signal_code_wins_over_completed_months() {
        assert_eq!(ExitCode::combine(true, [ExitCode::Terminated]), ExitCode::Terminated);
    }
}

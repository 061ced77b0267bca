//! Exit codes: the one table of what a cron job sees.

use archive_connectors::ErrorKind;

/// The code that the program exits with. Part of the contract of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: done, or archived before.
    Done,
    /// 1: failed for another reason.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: some months or replicas done, some not.
    Partial,
    /// 4: damage, a broken chain, or a restored month that differs.
    Damaged,
    /// 5: the data are incomplete or contradict each other.
    Incomplete,
    /// 6: the source, or the database of a restore, failed for good.
    Source,
    /// 7: a store failed for good.
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

/// When every month failed, the first of these that occurred is the code of the run: what a person must mend comes
/// before what mends itself.
const GRAVEST_FIRST: [ExitCode; 8] = [
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
    /// The number.
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

    /// The code of several outcomes: one outcome gives its own, good and bad ones together are partial, and of bad ones
    /// alone the gravest counts. A stop by signal keeps its own code.
    pub fn combine(good: bool, failures: impl IntoIterator<Item = Self>) -> Self {
        let failures = failures.into_iter().collect::<Vec<_>>();
        if let Some(signal) = failures.iter().find(|code| matches!(code, Self::Interrupted | Self::Terminated)) {
            return *signal;
        }
        match failures.as_slice() {
            [] => Self::Done,
            _ if good => Self::Partial,
            [only] => *only,
            _ => GRAVEST_FIRST.into_iter().find(|code| failures.contains(code)).unwrap_or(Self::Failed),
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
    fn one_outcome_gives_its_own_code() {
        assert_eq!(ExitCode::combine(true, []), ExitCode::Done);
        assert_eq!(ExitCode::combine(false, [ExitCode::TryLater]), ExitCode::TryLater);
    }

    #[test]
    fn good_and_bad_outcomes_together_are_partial() {
        assert_eq!(ExitCode::combine(true, [ExitCode::Source]), ExitCode::Partial);
    }

    #[test]
    fn of_bad_outcomes_alone_the_gravest_counts() {
        let codes = [ExitCode::Failed, ExitCode::TryLater, ExitCode::Incomplete, ExitCode::Source, ExitCode::Store];
        assert_eq!(ExitCode::combine(false, codes), ExitCode::Store);
        assert_eq!(ExitCode::combine(false, [ExitCode::TryLater, ExitCode::Incomplete]), ExitCode::Incomplete);
    }

    #[test]
    fn a_signal_is_said_even_when_months_were_done() {
        assert_eq!(ExitCode::combine(true, [ExitCode::Terminated]), ExitCode::Terminated);
    }
}

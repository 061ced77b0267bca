//! The values of the page.

use archive::{
    activity::Activity,
    exit::ExitCode,
    replicate::ReplicaStatus,
    status::DatasetStatus,
    verify::{Verification, Verifications},
};
use archive_formats::{Chain, Head, Month, Timestamp};

/// All values of the page, which is a function of them.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The archive's URL, printable.
    pub(crate) archive: String,
    /// The archive's UUID.
    pub(crate) uuid: String,
    /// When the archive was created.
    pub(crate) created_at: Timestamp,
    /// When the page was made.
    pub(crate) made_at: Timestamp,
    /// The version of the program.
    pub(crate) version: &'static str,
    /// The last manifest.
    pub(crate) head: Option<Head>,
    /// When the last manifest was committed.
    pub(crate) committed_at: Option<Timestamp>,
    pub(crate) datasets: Vec<DatasetPage>,
    pub(crate) replicas: Vec<ReplicaStatus>,
    /// The recorded verifications.
    pub(crate) verified: Verified,
}

/// A dataset of the page.
#[derive(Clone, Debug)]
pub(crate) struct DatasetPage {
    /// The state of its months.
    pub(crate) status: DatasetStatus,
    /// Its events per day.
    pub(crate) activity: Activity,
}

impl DatasetPage {
    /// Whether the files of a month were damaged when its events were counted.
    pub(crate) fn is_damaged(&self, month: Month) -> bool {
        self.activity.unread.get(&month).is_some_and(|failure| failure.exit == ExitCode::Damaged)
    }
}

/// The recorded verifications, compared with the current chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verified {
    /// The last one.
    pub(crate) last: Option<VerificationRecord>,
    /// The last one that read every byte of every month.
    pub(crate) whole: Option<VerificationRecord>,
}

/// A recorded verification, and the commits after it.
#[derive(Clone, Debug)]
pub(crate) struct VerificationRecord {
    pub(crate) verification: Verification,
    /// The head of that time in the current chain.
    pub(crate) since: Since,
}

/// A former head in the current chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// The head is in the chain, followed by this number of commits.
    Commits(u64),
    /// The chain does not contain the head: the archive was truncated or replaced.
    Gone,
}

impl Verified {
    /// Compares `verifications` with `chain`.
    pub(crate) fn new(verifications: Verifications, chain: &Chain) -> Self {
        let record = |verification: Verification| VerificationRecord {
            since: Since::new(verification.head, chain),
            verification,
        };
        Self { last: verifications.last.map(record), whole: verifications.whole.map(record) }
    }
}

impl Since {
    fn new(head: Option<Head>, chain: &Chain) -> Self {
        let entries = chain.entries();
        let Some(Head { sequence, sha256 }) = head else { return Self::Commits(entries.len() as u64) };
        let mut after = entries.iter().rev();
        let found = after.position(|entry| entry.manifest.sequence == sequence && entry.sha256 == sha256);
        found.map_or(Self::Gone, |after| Self::Commits(after as u64))
    }
}

//! What the page says.

use archive::{
    activity::Activity,
    exit::ExitCode,
    report::{DatasetStatus, ReplicaStatus},
    verify::{Verification, Verifications},
};
use archive_formats::{Chain, Head, Month, Timestamp};

/// All that the page says. The same values make the same page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The archive's URL, printable.
    pub(crate) archive: String,
    /// Its UUID.
    pub(crate) uuid: String,
    /// When its place became an archive.
    pub(crate) created_at: Timestamp,
    /// When the page was made.
    pub(crate) made_at: Timestamp,
    /// The version of the program.
    pub(crate) version: &'static str,
    /// The last manifest.
    pub(crate) head: Option<Head>,
    /// When it was committed.
    pub(crate) committed_at: Option<Timestamp>,
    /// Every dataset.
    pub(crate) datasets: Vec<DatasetPage>,
    /// Every replica.
    pub(crate) replicas: Vec<ReplicaStatus>,
    /// What is on record of verifications.
    pub(crate) verified: Verified,
}

/// A dataset.
#[derive(Clone, Debug)]
pub(crate) struct DatasetPage {
    /// Its months.
    pub(crate) status: DatasetStatus,
    /// Its events by day.
    pub(crate) activity: Activity,
}

impl DatasetPage {
    /// Whether the files of a month were found damaged when its events were to be counted.
    pub(crate) fn is_damaged(&self, month: Month) -> bool {
        self.activity.unread.get(&month).is_some_and(|failure| failure.exit == ExitCode::Damaged)
    }
}

/// The verifications on record, held against the chain as it is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verified {
    /// The last one.
    pub(crate) last: Option<Look>,
    /// The last one that read every byte of every month.
    pub(crate) whole: Option<Look>,
}

/// A verification, and what came after it.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// The verification.
    pub(crate) verification: Verification,
    /// What the chain says about the head of that time.
    pub(crate) since: Since,
}

/// What became of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// It is in the chain, with so many commits after it.
    Commits(u64),
    /// The chain does not hold it any more: the archive was cut back or exchanged.
    Gone,
}

impl Verified {
    /// Holds `verifications` against `chain`.
    pub(crate) fn new(verifications: Verifications, chain: &Chain) -> Self {
        let look = |verification: Verification| Look { since: Since::of(verification.head, chain), verification };
        Self { last: verifications.last.map(look), whole: verifications.whole.map(look) }
    }
}

impl Since {
    fn of(head: Option<Head>, chain: &Chain) -> Self {
        let entries = chain.entries();
        let Some(Head { sequence, sha256 }) = head else { return Self::Commits(entries.len() as u64) };
        let mut after = entries.iter().rev();
        let found = after.position(|entry| entry.manifest.sequence == sequence && entry.sha256 == sha256);
        found.map_or(Self::Gone, |after| Self::Commits(after as u64))
    }
}

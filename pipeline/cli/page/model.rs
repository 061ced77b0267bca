//! The values of the page.

use archive::{
    activity::Activity,
    backup::BackupStatus,
    exit::ExitCode,
    replicate::ReplicaStatus,
    report::Failure,
    status::DatasetStatus,
    verify::{Finding, Verification, Verifications},
};
use archive_connectors::sink::ObjectLock;
use archive_formats::{Chain, Head, Month, Timestamp};

/// All values of the page, which is a function of them.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Whose archive it is.
    pub(crate) organisation: Option<String>,
    /// The archive's URL or absolute path, printable.
    pub(crate) archive: String,
    /// What keeps its objects from being changed.
    pub(crate) protection: Protection,
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
    /// Backups of other tiers, if they are named.
    pub(crate) backups: Option<BackupStatus>,
    /// The recorded verifications.
    pub(crate) verified: Verified,
    /// Known damage, before the events were counted.
    pub(crate) damage: Vec<Finding>,
    /// Why the files were not looked at.
    pub(crate) unlooked: Option<Failure>,
}

impl Page {
    /// Whether damage is known, or was found while events were counted.
    pub(crate) fn is_damaged(&self) -> bool {
        let of_month = |dataset: &DatasetPage| dataset.activity.unread.keys().any(|month| dataset.is_unread(*month));
        !self.damage.is_empty() || self.verified.is_more_damaged || self.datasets.iter().any(of_month)
    }
}

/// What keeps the objects of an archive from being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nothing: its operator can change the files of a folder.
    Folder,
    /// The lock of its bucket.
    Bucket(ObjectLock),
    /// It could not be read, with the reason.
    Unknown(String),
}

impl Protection {
    /// Whether objects are locked, in a word.
    pub(crate) const fn short(&self) -> &'static str {
        match self {
            Self::Bucket(ObjectLock::Default(_)) => "locked",
            Self::Folder | Self::Bucket(ObjectLock::Off | ObjectLock::WithoutRetention) => "not locked",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The lock and its retention.
    pub(crate) fn note(&self) -> String {
        match self {
            Self::Folder => "a folder, whose operator can change it".to_owned(),
            Self::Bucket(ObjectLock::Off) => "the bucket has no Object Lock".to_owned(),
            Self::Bucket(ObjectLock::WithoutRetention) => "Object Lock without a default retention".to_owned(),
            Self::Bucket(ObjectLock::Default(retention)) => {
                format!("Object Lock of the bucket: {}", retention.to_lowercase())
            }
            Self::Unknown(reason) => format!("the lock of the bucket was not read: {reason}"),
        }
    }
}

/// A dataset of the page.
#[derive(Clone, Debug)]
pub(crate) struct DatasetPage {
    /// What was left out of its events or changed in them, in sentences.
    pub(crate) transforms: Vec<String>,
    /// The state of its months.
    pub(crate) status: DatasetStatus,
    /// Its events per day.
    pub(crate) activity: Activity,
}

impl DatasetPage {
    /// Whether damage of a month's files is known, or was found when its events were counted.
    pub(crate) fn is_damaged(&self, month: Month) -> bool {
        let is_known = self.status.months.iter().any(|status| status.month == month && status.damaged);
        is_known || self.is_unread(month)
    }

    /// Whether the files of a month were damaged when its events were counted.
    fn is_unread(&self, month: Month) -> bool {
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
    /// Whether more damage is on record than can be listed.
    pub(crate) is_more_damaged: bool,
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
        Self {
            last: verifications.last.map(record),
            whole: verifications.whole.map(record),
            is_more_damaged: verifications.unlisted.is_some(),
        }
    }
}

impl Since {
    fn new(head: Option<Head>, chain: &Chain) -> Self {
        let Some(head) = head else { return Self::Commits(chain.entries().len() as u64) };
        chain.commits_after(head).map_or(Self::Gone, Self::Commits)
    }
}

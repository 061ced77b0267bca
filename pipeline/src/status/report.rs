//! The report of `status`.

use crate::{
    backup::BackupStatus,
    config::Level,
    human::{count, date},
    provenance::EventSource,
    replicate::report::ReplicaStatus,
    report::Failure,
    verify::{Finding, Verification},
};
use archive_formats::{Dataset, Head, Month, Timestamp};
use serde::Serialize;

/// The report of `status`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatusReport {
    /// The archive's URL, safe to print.
    pub archive: Option<String>,
    /// The last manifest; null for an empty archive.
    pub head: Option<Head>,
    /// Every dataset.
    pub datasets: Vec<DatasetStatus>,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaStatus>,
    /// The backups of other tiers; null if none are named.
    pub backups: Option<BackupStatus>,
    /// The last verification on record on this host.
    pub verification: Option<LastVerification>,
    /// Known damage: what verifications found and none has cleared, and files that are missing or have another size now.
    pub damage: Vec<Finding>,
    /// Whether more damage is on record than can be listed.
    #[serde(skip)]
    pub is_more_damaged: bool,
    /// Why the files were not looked at; null if they were.
    pub unlooked: Option<Failure>,
    /// Text layout of the months.
    #[serde(skip)]
    pub layout: Layout,
    /// Whether the exit code tells of damage and gaps.
    #[serde(skip)]
    pub is_check: bool,
}

/// The last verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LastVerification {
    /// When it ended.
    pub finished_at: Timestamp,
    /// How thorough it was.
    pub level: Level,
    /// The months whose files were read; null for all.
    pub range: Option<(Month, Month)>,
    /// Number of findings of damage.
    pub damage: u64,
    /// Number of warnings.
    pub warnings: u64,
}

impl From<&Verification> for LastVerification {
    fn from(verification: &Verification) -> Self {
        let &Verification { finished_at, level, range, damage, warnings, .. } = verification;
        Self { finished_at, level, range, damage, warnings }
    }
}

/// Text layout of the months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A row per year, a letter per month.
    #[default]
    Calendar,
    /// A line per month.
    List,
}

impl StatusReport {
    /// The archive's URL, safe to print.
    pub fn archive(&self) -> &str {
        self.archive.as_deref().unwrap_or_default()
    }
}

/// The state of a dataset.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetStatus {
    /// Its name.
    pub dataset: Dataset,
    /// The sources of its events, in the order in which they were first used.
    pub sources: Vec<EventSource>,
    /// Every month of the range, both ends inclusive.
    pub months: Vec<MonthStatus>,
    /// Number of missing months that ended more than three days ago, when the monthly job should have archived them.
    pub late: u64,
    /// End of the gapless months since the first archived one; `None` if none is archived.
    #[serde(skip)]
    pub complete_until: Option<Timestamp>,
    /// When the platform begins to delete unarchived events; null if its retention is not set.
    pub prune: Option<PruneDeadline>,
}

/// Sums over months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Archived months.
    pub archived: u64,
    /// Months that are over and not archived.
    pub missing: u64,
    /// Archived events.
    pub events: u64,
    /// Size of their files, in bytes.
    pub bytes: u64,
    /// Rejected rows that are kept.
    pub rejected: u64,
    /// Bytes that the source delivered, and bytes of the files, for the months where the former is known; `None` if
    /// there is no such month.
    pub delivered: Option<(u64, u64)>,
}

impl DatasetStatus {
    /// Sums over its months.
    pub fn totals(&self) -> Totals {
        Totals::from_months(&self.months)
    }

    /// The months that are over and not archived.
    pub fn missing(&self) -> impl Iterator<Item = Month> {
        self.months.iter().filter(|month| month.state == Presence::Missing).map(|month| month.month)
    }
}

impl Totals {
    /// Sums over `months`.
    pub fn from_months<'a>(months: impl IntoIterator<Item = &'a MonthStatus>) -> Self {
        months.into_iter().fold(Self::default(), Self::with)
    }

    fn with(self, month: &MonthStatus) -> Self {
        let bytes = month.bytes.unwrap_or_default();
        let (delivered, archived) = self.delivered.unwrap_or_default();
        let with_delivered = |more: u64| (delivered.saturating_add(more), archived.saturating_add(bytes));
        Self {
            archived: self.archived + u64::from(month.state == Presence::Archived),
            missing: self.missing + u64::from(month.state == Presence::Missing),
            events: self.events.saturating_add(month.events.unwrap_or_default()),
            bytes: self.bytes.saturating_add(bytes),
            rejected: self.rejected.saturating_add(month.rejected.unwrap_or_default()),
            delivered: month.source_bytes.map(with_delivered).or(self.delivered),
        }
    }
}

/// When the platform deletes unarchived events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PruneDeadline {
    /// The oldest unarchived month since the first archived one. It may not be over yet.
    pub month: Month,
    /// When its first event is deleted.
    pub at: Timestamp,
    /// Whole days until then; negative if it has passed.
    pub days: i64,
}

/// Urgency of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It has passed.
    Past,
    /// Less than 30 days left: the interval of a monthly job.
    Soon,
    /// More than that.
    Later,
}

/// Days below which a deadline is [`Urgency::Soon`].
const FEW_DAYS: i64 = 30;

impl PruneDeadline {
    /// The urgency of this deadline.
    pub const fn urgency(&self) -> Urgency {
        match self.days {
            ..0 => Urgency::Past,
            0..FEW_DAYS => Urgency::Soon,
            FEW_DAYS.. => Urgency::Later,
        }
    }

    /// The deadline as a sentence. Its days are counted `from_when`.
    pub fn sentence(&self, from_when: &str) -> String {
        let Self { month, days, .. } = self;
        let at = date(self.at);
        match *days {
            ..0 => format!("the platform began to prune {month} on {at}: what of it is gone cannot be archived"),
            0 => format!("the platform begins to prune {month} on {at}, less than a day {from_when}: archive it now"),
            days => {
                let days = count(days.unsigned_abs(), "day");
                format!("the platform begins to prune {month} on {at}, {days} {from_when}")
            }
        }
    }
}

/// The state of a month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthStatus {
    /// The month.
    pub month: Month,
    /// Whether it is archived.
    pub state: Presence,
    /// Its archived events.
    pub events: Option<u64>,
    /// Size of its files, in bytes.
    pub bytes: Option<u64>,
    /// Its rejected rows, which are kept beside the events.
    pub rejected: Option<u64>,
    /// Bytes that the source delivered before decoding, for sources of artifacts.
    #[serde(skip)]
    pub source_bytes: Option<u64>,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    /// Sequence number of its manifest.
    pub sequence: Option<u64>,
    /// Whether damage of its files is known.
    pub damaged: bool,
}

/// Whether a month is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Committed.
    Archived,
    /// Over, and not committed.
    Missing,
    /// Not over yet.
    Open,
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A month with ten thousand events in one mebibyte, if it is archived.
    pub(crate) fn month(month: &str, state: Presence) -> MonthStatus {
        let archived = state == Presence::Archived;
        MonthStatus {
            month: month.parse().unwrap(),
            state,
            events: archived.then_some(10_000),
            bytes: archived.then_some(1 << 20),
            source_bytes: None,
            rejected: None,
            committed_at: archived.then(|| "2025-05-01T02:03:04.567890Z".parse().unwrap()),
            sequence: archived.then_some(1),
            damaged: false,
        }
    }

    /// A dataset of these months.
    pub(crate) fn dataset(months: Vec<MonthStatus>) -> DatasetStatus {
        DatasetStatus {
            dataset: Dataset::default(),
            sources: Vec::new(),
            months,
            late: 0,
            prune: None,
            complete_until: None,
        }
    }

    #[test]
    fn delivered_bytes_are_compared_only_for_months_that_record_them() {
        let mut months = ["2025-01", "2025-02", "2025-03"].map(|name| month(name, Presence::Archived)).to_vec();
        months[1].source_bytes = Some(5 << 20);
        months.push(month("2025-04", Presence::Missing));
        let status = DatasetStatus { months, ..dataset(Vec::new()) };
        let delivered = Some((5 << 20, 1 << 20));
        let expected = Totals { archived: 3, missing: 1, events: 30_000, bytes: 3 << 20, delivered, rejected: 0 };
        assert_eq!(status.totals(), expected);
        assert_eq!(status.missing().map(|month| month.to_string()).collect::<Vec<_>>(), ["2025-04"]);
    }

    #[test]
    fn deadline_is_soon_within_30_days_and_explicit_when_passed() {
        let at = |days| {
            let at = "2025-04-01T00:00:00Z".parse().unwrap();
            let prune = PruneDeadline { month: "2024-04".parse().unwrap(), at, days };
            (prune.urgency(), prune.sentence("from now"))
        };
        let begins = |rest: &str| format!("the platform begins to prune 2024-04 on 2025-04-01, {rest}");
        assert_eq!(at(30), (Urgency::Later, begins("30 days from now")));
        assert_eq!(at(29), (Urgency::Soon, begins("29 days from now")));
        assert_eq!(at(1), (Urgency::Soon, begins("1 day from now")));
        assert_eq!(at(0), (Urgency::Soon, begins("less than a day from now: archive it now")));
        assert_eq!([at(-1).0, at(-400).0], [Urgency::Past; 2]);
        assert!(at(-400).1.starts_with("the platform began to prune 2024-04 on 2025-04-01: "), "{}", at(-400).1);
    }
}

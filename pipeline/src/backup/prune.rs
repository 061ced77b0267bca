//! `backup prune`: removes backups that are not kept. The removal is committed first, files are deleted after it.

use super::{
    Backups,
    database::{copy_to_replicas, lock},
    draft::BackupDraft,
    leftovers, open_backups,
    tiers::{DatabaseTier, KnownBackup, age, known},
};
use crate::{
    archive::remove_removed,
    exit::ExitCode,
    human::{count, size, time},
    observer::Observer,
    replicate::{
        ReplicaReport,
        report::{replica_failures, replica_table, replicas_exit, replicas_failure},
    },
    report::{Failure, Report},
    settings::{Keep, Settings},
    style::Style,
};
use archive_connectors::{Clock, Error, ErrorKind, Result};
use archive_formats::{
    Entry,
    backup_manifest::{BackupContent, Removal},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How old the newest backup may be without `--rpo`: a night that failed, and the next one.
const OVERDUE: Duration = Duration::from_secs(48 * 3_600);

/// Removes the backups of databases that `settings` do not keep; without `confirm`, names them.
pub async fn prune(
    settings: &Settings,
    confirm: bool,
    clock: &dyn Clock,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<PruneReport> {
    let keep = settings.backup.keep;
    if keep.daily.is_none() && keep.monthly.is_none() {
        return Err(Error::new(ErrorKind::Configuration, "nothing names the backups to keep")
            .with_hint("for example --keep-daily 30 --keep-monthly 12"));
    }
    let mut backups = open_backups(settings.backup.location()?).await?;
    if !confirm {
        let plan = plan(&backups, settings, clock)?;
        return Ok(PruneReport::new(&backups, &plan, false, 0, Vec::new()));
    }
    let _lock = lock(settings, &mut backups).await?;
    let plan = plan(&backups, settings, clock)?;
    if !plan.removed.is_empty() {
        let links = plan.removed.iter().filter_map(|backup| backups.chain().entry(backup.sequence)).map(Entry::link);
        let content = BackupContent::Removal(Removal { removed: links.collect() });
        let (identity, now) = (backups.identity_sha256(), clock.now());
        let (seconds, follows) = (BTreeMap::new(), backups.chain().link());
        let draft = BackupDraft { identity, content, taken_at: now, committed_at: now, seconds, follows };
        backups.commit(&draft, &[]).await?;
    }
    let left = remove_removed(backups.sink(), backups.chain()).await?;
    leftovers::remove(&backups, clock.now()).await;
    let replicas = copy_to_replicas(&mut backups, settings, observer, stop).await;
    Ok(PruneReport::new(&backups, &plan, true, left, replicas))
}

/// What is kept and what is removed, oldest first.
#[derive(Debug, Default)]
struct Plan {
    kept: Vec<KeptBackup>,
    removed: Vec<KnownBackup>,
}

/// Refuses while the newest backup is overdue: what is old may be all there is.
fn plan(backups: &Backups, settings: &Settings, clock: &dyn Clock) -> Result<Plan> {
    let objectives = settings.backup.objectives;
    let tier = DatabaseTier::new(backups.chain(), objectives, clock.now());
    let Some(newest) = &tier.newest else { return Ok(Plan::default()) };
    let (age, limit) = (age(newest.taken_at, clock.now()), objectives.rpo.unwrap_or(OVERDUE));
    if age > limit {
        let message = format!("the newest backup is {} old: nothing is removed", time(age.as_secs_f64()));
        return Err(Error::new(ErrorKind::Incomplete, message)
            .with_context("backups", backups.url())
            .with_hint("find out why backups stopped; if it may be that old, name the limit with --rpo"));
    }
    let newest_proved = tier.newest_proved.map(|backup| backup.sequence);
    Ok(choose(known(backups.chain()), newest_proved, settings.backup.keep))
}

/// A backup that is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptBackup {
    /// The backup.
    #[serde(flatten)]
    pub backup: KnownBackup,
    /// Why: newest, proved, daily, monthly, min.
    pub reasons: Vec<&'static str>,
}

/// Divides `known`, oldest first. A backup that a drill found different takes no place of a good one.
fn choose(known: Vec<KnownBackup>, newest_proved: Option<u64>, keep: Keep) -> Plan {
    let mut reasons = BTreeMap::<u64, Vec<&'static str>>::new();
    let mut note = |backup: &KnownBackup, reason| reasons.entry(backup.sequence).or_default().push(reason);
    known.last().into_iter().for_each(|newest| note(newest, "newest"));
    known.iter().filter(|backup| Some(backup.sequence) == newest_proved).for_each(|backup| note(backup, "proved"));
    let good = || known.iter().rev().filter(|backup| backup.proved != Some(false));
    for (reason, length, limit) in
        [("daily", "2026-11-29".len(), keep.daily), ("monthly", "2026-11".len(), keep.monthly)]
    {
        let mut periods = BTreeSet::new();
        for backup in good() {
            let period = backup.taken_at.to_seconds_string()[..length].to_owned();
            if periods.len() < limit.unwrap_or(0) as usize && periods.insert(period) {
                note(backup, reason);
            }
        }
    }
    // Good ones first; others are better than none.
    let others = known.iter().rev().filter(|backup| backup.proved == Some(false));
    good().chain(others).take(keep.min as usize).for_each(|backup| note(backup, "min"));
    let mut plan = Plan::default();
    for backup in known {
        match reasons.remove(&backup.sequence) {
            Some(reasons) => plan.kept.push(KeptBackup { backup, reasons }),
            None => plan.removed.push(backup),
        }
    }
    plan
}

/// The report of `backup prune`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PruneReport {
    /// The URL of the backups, safe to print.
    pub backups: Option<String>,
    /// Whether backups were removed, not only named.
    pub confirmed: bool,
    /// The backups that stay, oldest first.
    pub kept: Vec<KeptBackup>,
    /// The backups that are removed, oldest first.
    pub removed: Vec<KnownBackup>,
    /// Size of their files in bytes.
    pub removed_bytes: u64,
    /// Removed files that the store did not delete, for example because of Object Lock; the next prune tries again.
    pub files_left: u64,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaReport>,
}

impl PruneReport {
    fn new(backups: &Backups, plan: &Plan, confirmed: bool, files_left: u64, replicas: Vec<ReplicaReport>) -> Self {
        Self {
            files_left,
            backups: Some(backups.url().to_owned()),
            confirmed,
            kept: plan.kept.clone(),
            removed_bytes: plan.removed.iter().map(|backup| backup.bytes).sum(),
            removed: plan.removed.clone(),
            replicas,
        }
    }
}

impl Report for PruneReport {
    fn exit(&self) -> ExitCode {
        replicas_exit(&self.replicas)
    }

    fn text(&self, style: Style) -> String {
        let line = |what: &str, backup: &KnownBackup, why: &str| {
            let at = backup.taken_at.to_seconds_string();
            let line = format!("{what:6}  {:>6}  {at}  {:>9}  {why}", backup.sequence, size(backup.bytes));
            format!("{}\n", style.fit(line.trim_end()))
        };
        let kept = self.kept.iter().map(|kept| line("keep", &kept.backup, &kept.reasons.join(", ")));
        let removed = self.removed.iter().map(|backup| line("remove", backup, ""));
        let lines = kept.chain(removed).collect::<String>();
        let (number, bytes) = (count(self.removed.len() as u64, "backup"), size(self.removed_bytes));
        let summary = match (self.removed.is_empty(), self.confirmed) {
            (true, _) => "nothing to remove".to_owned(),
            (false, true) if self.files_left > 0 => {
                format!("removed {number}, {bytes}; the store keeps {}", count(self.files_left, "file"))
            }
            (false, true) => format!("removed {number}, {bytes}"),
            (false, false) => format!("would remove {number}, {bytes}: add --confirm"),
        };
        format!("{lines}{}\n{}", style.fit(&summary), replica_table(&self.replicas, style))
    }

    fn failure(&self) -> Option<Failure> {
        replicas_failure(&self.replicas)
    }

    fn details(&self) -> Vec<Failure> {
        replica_failures(&self.replicas).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(sequence: u64, taken_at: &str, proved: Option<bool>) -> KnownBackup {
        KnownBackup {
            sequence,
            taken_at: taken_at.parse().unwrap(),
            database: "keeptrusts".to_owned(),
            bytes: 1,
            proved,
            failed: false,
            drilled_at: None,
            restore_seconds: None,
        }
    }

    fn nightly(days: u64) -> Vec<KnownBackup> {
        let first = "2026-01-01T02:00:00Z".parse::<archive_formats::Timestamp>().unwrap();
        let at = |day| first.plus(Duration::from_secs(day * 86_400)).to_seconds_string();
        (0..days).map(|day| backup(day + 1, &at(day), None)).collect()
    }

    fn kept(known: Vec<KnownBackup>, proved: Option<u64>, keep: Keep) -> Vec<u64> {
        choose(known, proved, keep).kept.iter().map(|kept| kept.backup.sequence).collect()
    }

    const DAILY: Keep = Keep { daily: Some(3), monthly: None, min: 1 };

    #[test]
    fn the_last_backup_of_each_day_and_month_is_kept() {
        let keep = Keep { daily: Some(2), monthly: Some(2), min: 1 };
        // 31 January is number 31, 28 February number 59.
        assert_eq!(kept(nightly(60), None, keep), [59, 60]);
        assert_eq!(kept(nightly(60), None, Keep { monthly: Some(3), ..keep }), [31, 59, 60]);
        let mut twice = nightly(2);
        twice.push(backup(3, "2026-01-02T14:00:00Z", None));
        assert_eq!(kept(twice, None, DAILY), [1, 3]);
    }

    #[test]
    fn the_newest_and_the_newest_proved_always_stay() {
        assert_eq!(kept(nightly(10), Some(2), Keep { daily: Some(0), monthly: None, min: 1 }), [2, 10]);
    }

    #[test]
    fn backups_that_a_drill_found_different_push_out_no_good_one() {
        let mut known = nightly(10);
        for bad in &mut known[5..] {
            bad.proved = Some(false);
        }
        assert_eq!(kept(known, Some(1), DAILY), [1, 3, 4, 5, 10]);
    }

    #[test]
    fn a_number_of_backups_stays_whatever_their_age() {
        assert_eq!(kept(nightly(10), None, Keep { daily: Some(1), monthly: None, min: 4 }), [7, 8, 9, 10]);
        assert_eq!(kept(Vec::new(), None, DAILY), [] as [u64; 0]);
    }
}

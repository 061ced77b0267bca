//! What a chain of backups proves: the newest backup, the newest that a restore has proved, and how long that took.

use super::open_backups;
use crate::{
    human,
    report::Failure,
    settings::{Objectives, Settings},
    style::Tone,
};
use archive_formats::{
    BackupManifest, Chain, Entry, Timestamp,
    backup_manifest::{BackupContent, DatabaseBackup, Drill},
};
use serde::Serialize;
use std::time::Duration;

/// The manifests whose files were not removed.
pub(super) fn kept(chain: &Chain<BackupManifest>) -> impl DoubleEndedIterator<Item = &Entry<BackupManifest>> {
    let removed = crate::archive::removed(chain.entries().iter().map(|entry| &entry.manifest));
    chain.entries().iter().filter(move |entry| !removed.contains(&entry.manifest.sequence))
}

/// The backups of databases whose files were not removed, in the order of their commits: the clock of a server may be wrong.
pub(super) fn databases(chain: &Chain<BackupManifest>) -> Vec<(&Entry<BackupManifest>, &DatabaseBackup)> {
    let databases = kept(chain).filter_map(|entry| match &entry.manifest.content {
        BackupContent::Database(backup) => Some((entry, backup.as_ref())),
        _ => None,
    });
    databases.collect()
}

/// The last drill, in the order of `manifests`, of the backup with the number `sequence`.
pub(super) fn last_drill<'a>(
    manifests: impl DoubleEndedIterator<Item = &'a BackupManifest>,
    sequence: u64,
) -> Option<(&'a BackupManifest, &'a Drill)> {
    manifests.rev().find_map(|manifest| match &manifest.content {
        BackupContent::Drill(drill) if drill.backup.sequence == sequence => Some((manifest, drill)),
        _ => None,
    })
}

/// What is known of a backup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownBackup {
    /// The number of its manifest.
    pub sequence: u64,
    /// The time of its snapshot, or that of its commit if a clock puts that before.
    pub taken_at: Timestamp,
    /// The name of the database.
    pub database: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its last drill found it equal; null if it had none, or one that compared nothing.
    pub proved: Option<bool>,
    /// Whether its last drill could not restore it.
    pub failed: bool,
    /// When that was.
    pub drilled_at: Option<Timestamp>,
    /// Seconds of that restore and comparison.
    pub restore_seconds: Option<f64>,
}

/// The state of the backups of databases.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DatabaseTier {
    /// How many can be restored.
    pub backups: u64,
    /// The newest.
    pub newest: Option<KnownBackup>,
    /// The newest that a drill found equal.
    pub newest_proved: Option<KnownBackup>,
    /// Age of the newest in seconds: what would be lost with the database now.
    pub rpo_seconds: Option<f64>,
    /// Seconds of the last drill that found its backup equal.
    pub rto_seconds: Option<f64>,
    /// What was promised and is not kept, as sentences.
    pub missed: Vec<String>,
}

/// What is known of the backups that can be restored, oldest first.
pub(super) fn known(chain: &Chain<BackupManifest>) -> Vec<KnownBackup> {
    databases(chain).into_iter().map(|(entry, backup)| KnownBackup::new(chain, entry, backup)).collect()
}

impl KnownBackup {
    fn new(chain: &Chain<BackupManifest>, entry: &Entry<BackupManifest>, backup: &DatabaseBackup) -> Self {
        let manifest = &entry.manifest;
        let drill = last_drill(chain.entries().iter().map(|entry| &entry.manifest), manifest.sequence);
        Self {
            sequence: manifest.sequence,
            taken_at: manifest.taken_at.min(manifest.committed_at),
            database: backup.source.database.clone(),
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            proved: drill.and_then(|(_, drill)| drill.proves()),
            failed: drill.is_some_and(|(_, drill)| drill.has_failed()),
            drilled_at: drill.map(|(manifest, _)| manifest.committed_at),
            restore_seconds: drill
                .filter(|(_, drill)| !drill.has_failed())
                .map(|(manifest, _)| manifest.seconds.values().sum()),
        }
    }
}

impl DatabaseTier {
    /// The state of `chain` at `now`, measured against `objectives`.
    pub fn new(chain: &Chain<BackupManifest>, objectives: Objectives, now: Timestamp) -> Self {
        let known = known(chain);
        let newest_proved = known.iter().rev().find(|backup| backup.proved == Some(true)).cloned();
        let newest = known.last().cloned();
        let rpo = newest.as_ref().map(|backup| age(backup.taken_at, now));
        let rto = newest_proved.as_ref().and_then(|backup| backup.restore_seconds);
        let missed = [rpo_missed(rpo, objectives.rpo), rto_missed(rto, objectives.rto)];
        Self {
            backups: known.len() as u64,
            newest,
            newest_proved,
            rpo_seconds: rpo.map(|age| age.as_secs_f64()),
            rto_seconds: rto,
            missed: missed.into_iter().flatten().collect(),
        }
    }
}

/// The state of backups beside the archive of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BackupStatus {
    /// Their URL, safe to print.
    pub url: String,
    /// The backups of databases; null if they could not be read.
    pub database: Option<DatabaseTier>,
    /// Why they could not be read.
    pub error: Option<Failure>,
    /// Whether an objective was named, which backups that cannot be read do not keep.
    #[serde(skip)]
    pub has_objectives: bool,
}

/// Reads the state of the backups of `settings` at `now`; `None` if none are named. Backups that cannot be read are a part of
/// the state.
pub async fn backup_status(settings: &Settings, now: Timestamp) -> Option<BackupStatus> {
    let location = settings.backup.location.as_ref()?;
    let read = Box::pin(open_backups(location)).await;
    let objectives = settings.backup.objectives;
    let (database, error) = match read {
        Ok(backups) => (Some(DatabaseTier::new(backups.chain(), objectives, now)), None),
        Err(error) => (None, Some(Failure::from(&error))),
    };
    let has_objectives = objectives != Objectives::default();
    Some(BackupStatus { url: location.url().to_owned(), database, error, has_objectives })
}

impl BackupStatus {
    /// Whether an objective is missed.
    pub fn misses(&self) -> bool {
        self.database.as_ref().map_or(self.has_objectives, |tier| !tier.missed.is_empty())
    }

    /// What is wrong, as sentences; the first is the reason of an exit code.
    pub fn lacks(&self) -> Vec<String> {
        let error = self.error.iter().map(|error| format!("the backups cannot be read: {}", error.message));
        error.chain(self.database.iter().flat_map(|tier| tier.missed.clone())).collect()
    }

    /// What is known, as sentences with a tone.
    pub fn sentences(&self) -> Vec<(Tone, String)> {
        let lacks = self.lacks().into_iter().map(|lack| (Tone::Bad, lack));
        let Some(tier) = &self.database else { return lacks.collect() };
        let newest = match &tier.newest {
            Some(newest) => format!("backup {} of {}", newest.sequence, described(newest)),
            None => "no backup of a database".to_owned(),
        };
        let newest = (if tier.newest.is_some() { Tone::Plain } else { Tone::Bad }, format!("{newest}, {}", self.url));
        let proved = match &tier.newest_proved {
            Some(proved) => {
                let seconds = tier
                    .rto_seconds
                    .map_or_else(String::new, |seconds| format!(", restored in {}", human::time(seconds)));
                (Tone::Plain, format!("proved: backup {} of {}{seconds}", proved.sequence, described(proved)))
            }
            None => (Tone::Warn, "no backup is proved: `kt-archive backup drill` restores one".to_owned()),
        };
        [newest, proved].into_iter().chain(lacks).collect()
    }
}

/// The time and the size of a backup.
fn described(backup: &KnownBackup) -> String {
    format!("{}, {}", backup.taken_at.to_seconds_string(), human::size(backup.bytes))
}

/// How old something is; a clock that went back makes it new.
pub(super) fn age(taken_at: Timestamp, now: Timestamp) -> Duration {
    let micros = now.as_micros().saturating_sub(taken_at.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn rpo_missed(measured: Option<Duration>, promised: Option<Duration>) -> Option<String> {
    let promised = promised?;
    match measured {
        None => Some("there is no backup of a database".to_owned()),
        Some(age) if age > promised => Some(format!(
            "the newest backup is {} old, and --rpo is {}",
            human::time(age.as_secs_f64()),
            human::time(promised.as_secs_f64())
        )),
        Some(_) => None,
    }
}

fn rto_missed(measured: Option<f64>, promised: Option<Duration>) -> Option<String> {
    let promised = promised?.as_secs_f64();
    match measured {
        None => Some("no drill has proved a backup, so that the time of a restore is not known".to_owned()),
        Some(seconds) if seconds > promised => {
            Some(format!("the last restore took {}, and --rto is {}", human::time(seconds), human::time(promised)))
        }
        Some(_) => None,
    }
}

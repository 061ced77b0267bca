//! The exit code of `status --check`, and why it is not zero.

use super::report::{DatasetStatus, StatusReport};
use crate::{
    backup::BackupStatus,
    exit::ExitCode,
    human::count,
    replicate::report::ReplicaState,
    report::{Failure, Report},
    style::Style,
    verify::known_failure,
};
use archive_formats::printable;

impl Report for StatusReport {
    fn text(&self, style: Style) -> String {
        super::text::text(self, style)
    }

    /// Zero unless `--check` asks: then damage comes first, then what is late, missing or not looked at. A missed objective of
    /// backups always counts: it was asked for.
    fn exit(&self) -> ExitCode {
        let misses = self.backups.as_ref().is_some_and(BackupStatus::misses);
        if !self.is_check {
            if misses { ExitCode::Incomplete } else { ExitCode::Done }
        } else if self.is_damaged() || self.has_damaged_replica() {
            ExitCode::Damaged
        } else if self.lacks().is_empty() {
            ExitCode::Done
        } else {
            ExitCode::Incomplete
        }
    }

    fn failure(&self) -> Option<Failure> {
        let exit = self.exit();
        let (message, hint) = match exit {
            ExitCode::Done => return None,
            ExitCode::Damaged if self.is_damaged() => return known_failure(&self.damage, self.is_more_damaged),
            ExitCode::Damaged => ("a replica is damaged, or of another archive".to_owned(), REPLICA),
            _ if !self.is_check => (self.backup_lacks().join("; "), "see the output, and back up or drill again"),
            _ => (self.lacks().join("; "), "see the output, and run what is missing again"),
        };
        Some(Failure { message, hint: hint.to_owned(), exit })
    }
}

const REPLICA: &str = "see the output; `kt-archive replicate --repair` mends a replica of this archive, then verify it";

impl StatusReport {
    pub(super) const fn is_damaged(&self) -> bool {
        !self.damage.is_empty() || self.is_more_damaged
    }

    fn has_damaged_replica(&self) -> bool {
        let mut errors = self.replicas.iter().filter_map(|replica| replica.error.as_ref());
        errors.any(|error| error.exit == ExitCode::Damaged)
    }

    /// What a healthy archive does not lack, in words.
    fn lacks(&self) -> Vec<String> {
        let late = self.datasets.iter().filter(|dataset| dataset.late > 0);
        let late = late.map(|status| format!("{} of {} late", count(status.late, "month"), status.dataset));
        let is_archived = |dataset: &DatasetStatus| dataset.totals().archived > 0;
        let is_empty = self.archive.is_some() && !self.datasets.iter().any(is_archived);
        let empty = is_empty.then(|| "no month is archived".to_owned());
        let replicas = self.replicas.iter().filter(|replica| replica.state != ReplicaState::Current);
        let replicas = replicas.map(|replica| format!("the replica {} is {}", printable(&replica.url), replica.state));
        let unlooked =
            self.unlooked.as_ref().map(|failure| format!("the files were not looked at: {}", failure.message));
        late.chain(empty).chain(replicas).chain(unlooked).chain(self.backup_lacks()).collect()
    }

    /// What is wrong with the backups, in words.
    fn backup_lacks(&self) -> Vec<String> {
        let none = self.backups.iter().filter(|backups| {
            backups.database.as_ref().is_some_and(|tier| tier.newest.is_none() && tier.missed.is_empty())
        });
        let none = none.map(|_| "there is no backup of a database".to_owned());
        none.chain(self.backups.iter().flat_map(BackupStatus::lacks)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        replicate::report::ReplicaStatus,
        status::{
            Presence,
            testing::{dataset, month},
        },
    };

    #[test]
    fn a_check_wants_months_replicas_and_a_look_at_the_files() {
        let good = || {
            let datasets = vec![dataset(vec![month("2025-03", Presence::Archived)])];
            StatusReport { archive: Some("./archive".to_owned()), is_check: true, datasets, ..StatusReport::default() }
        };
        let failure = Failure { message: "no answer".to_owned(), hint: "do this".to_owned(), exit: ExitCode::Store };
        let url = "s3://b".to_owned();
        let replica = ReplicaStatus { url, state: ReplicaState::Behind, behind: Some(1), error: None };
        for lacking in [
            StatusReport { datasets: Vec::new(), ..good() },
            StatusReport { replicas: vec![replica], ..good() },
            StatusReport { unlooked: Some(failure), ..good() },
        ] {
            assert_eq!(lacking.exit(), ExitCode::Incomplete, "{lacking:?}");
            assert!(!lacking.failure().unwrap().message.is_empty());
        }
    }
}

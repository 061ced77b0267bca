//! The report of `replicate`.

use crate::{
    archive::ArchiveRecord as _,
    exit::ExitCode,
    human,
    provenance::EventSource,
    report::{Failure, Report},
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use archive_formats::Manifest;
use serde::Serialize;
use std::fmt;

/// The report of `replicate`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplicateReport {
    /// The sources of the archive's events, in the order in which they were first used.
    pub sources: Vec<EventSource>,
    /// Every replica, in the order of the settings.
    pub replicas: Vec<ReplicaReport>,
    /// Damage of the archive that is known.
    pub known_damage: Option<Failure>,
}

/// The result for one replica.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaReport {
    /// Its URL, safe to print.
    pub url: String,
    /// Its state after the command.
    pub state: ReplicaState,
    /// The failure, if any.
    pub error: Option<Failure>,
    /// Number of manifests copied to it.
    #[serde(skip)]
    pub copied: u64,
    /// What they are called in counts.
    #[serde(skip)]
    pub unit: &'static str,
    /// Number of repaired objects of earlier manifests; only for repairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended: Option<u64>,
}

/// The state of a replica, determined from its last manifest.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaStatus {
    /// Its URL, safe to print.
    pub url: String,
    /// Whether it has the archive's chain. Its files are not checked: `replicate --repair` does that.
    pub state: ReplicaState,
    /// How many of the archive's commits it lacks; null if unknown.
    pub behind: Option<u64>,
    /// Why it could not be read, or is not a replica of this archive.
    pub error: Option<Failure>,
}

/// Whether a replica has everything that the archive has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaState {
    /// It does.
    Current,
    /// Possibly not: the command was stopped early, or there is no archive yet. A later one continues.
    Behind,
    /// It could not be updated.
    Failed,
}

impl fmt::Display for ReplicaState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Failed => "failed",
        })
    }
}

impl ReplicaReport {
    /// The report of a replica that was not tried, since there is no archive yet.
    pub fn behind(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            state: ReplicaState::Behind,
            error: None,
            copied: 0,
            unit: Manifest::UNIT,
            mended: None,
        }
    }
}

impl Report for ReplicateReport {
    fn exit(&self) -> ExitCode {
        let failures = self.replicas.iter().filter_map(|replica| replica.error.as_ref()).map(|failure| failure.exit);
        let good = self.replicas.iter().any(|replica| replica.state == ReplicaState::Current);
        ExitCode::combine(good, failures).or_known(self.known_damage.as_ref())
    }

    fn text(&self, style: Style) -> String {
        replica_table(&self.replicas, style)
    }

    fn failure(&self) -> Option<Failure> {
        let failures = self.details();
        let (first, exit) = (failures.first()?, self.exit());
        let message = match replica_failures(&self.replicas).count() {
            0 | 1 => first.message.clone(),
            failed => format!("{failed} of {} replicas failed; the first: {}", self.replicas.len(), first.message),
        };
        Some(Failure { message, hint: first.hint.clone(), exit })
    }

    fn details(&self) -> Vec<Failure> {
        replica_failures(&self.replicas).chain(self.known_damage.clone()).collect()
    }
}

/// The failures of replicas, each with its URL.
pub(crate) fn replica_failures(replicas: &[ReplicaReport]) -> impl Iterator<Item = Failure> {
    let failed = replicas.iter().filter_map(|replica| replica.error.as_ref().map(|error| (replica, error)));
    failed.map(|(replica, error)| Failure {
        message: format!("replica {}: {}", replica.url, error.message),
        ..error.clone()
    })
}

/// The exit code of a command whose own work succeeded.
pub(crate) fn replicas_exit(replicas: &[ReplicaReport]) -> ExitCode {
    ExitCode::combine(true, replica_failures(replicas).map(|failure| failure.exit))
}

/// Why [`replicas_exit`] is not zero: the first failure.
pub(crate) fn replicas_failure(replicas: &[ReplicaReport]) -> Option<Failure> {
    replica_failures(replicas).next().map(|failure| Failure { exit: replicas_exit(replicas), ..failure })
}

/// A line per replica; empty without replicas.
pub(crate) fn replica_table(replicas: &[ReplicaReport], style: Style) -> String {
    let titles = [("STATE", Align::Left), ("COPIED", Align::Right), ("MENDED", Align::Right), ("REPLICA", Align::Left)];
    let mut table = Table::new(titles);
    for replica in replicas {
        let state = match replica.state {
            ReplicaState::Current => Tone::Good,
            ReplicaState::Behind => Tone::Plain,
            ReplicaState::Failed => Tone::Bad,
        };
        table.push([
            Cell::toned(replica.state.to_string(), state),
            human::count(replica.copied, replica.unit).into(),
            replica.mended.map_or_else(|| "-".to_owned(), |mended| human::count(mended, "object")).into(),
            replica.url.as_str().into(),
        ]);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn replica(url: &str, exit: Option<ExitCode>) -> ReplicaReport {
        let error = exit.map(|exit| Failure { message: "no answer".to_owned(), hint: "do this".to_owned(), exit });
        let state = if error.is_some() { ReplicaState::Failed } else { ReplicaState::Current };
        ReplicaReport { url: url.to_owned(), state, error, copied: 12, unit: "month", mended: Some(1) }
    }

    #[test]
    fn prints_a_line_per_replica_and_a_summary_of_failures() {
        let replicas = vec![replica("/b", None), replica("s3://b/x", Some(ExitCode::Store))];
        let expected = "\
STATE       COPIED    MENDED  REPLICA
current  12 months  1 object  /b
failed   12 months  1 object  s3://b/x
";
        assert_eq!(replica_table(&replicas, Style::plain()), expected);
        let report = ReplicateReport { replicas, ..ReplicateReport::default() };
        let sentence = report.failure().unwrap();
        assert_eq!((sentence.message.as_str(), sentence.exit), ("replica s3://b/x: no answer", ExitCode::Partial));
    }

    #[test]
    fn failed_replicas_alone_give_the_most_severe_code() {
        let replicas = vec![replica("/b", Some(ExitCode::Store)), replica("/c", Some(ExitCode::Damaged))];
        assert_eq!(ReplicateReport { replicas, ..ReplicateReport::default() }.exit(), ExitCode::Damaged);
    }
}

//! What `replicate` did.

use crate::{
    exit::ExitCode,
    human,
    report::{Failure, Report},
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use serde::Serialize;
use std::fmt;

/// What `replicate` did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplicateReport {
    /// Every replica, as they were named.
    pub replicas: Vec<ReplicaReport>,
}

/// The state of a replica.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaReport {
    /// Its URL, printable.
    pub url: String,
    /// Whether it holds what the archive holds.
    pub state: ReplicaState,
    /// Why it does not.
    pub error: Option<Failure>,
    /// How many manifests it was given.
    #[serde(skip)]
    pub copied: u64,
    /// How many objects of earlier manifests were repaired; only of a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended: Option<u64>,
}

/// The state of a replica, by its last manifest alone.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaStatus {
    /// Its URL, printable.
    pub url: String,
    /// Whether it holds the archive's chain. Not whether it holds every file: `replicate --repair` checks that.
    pub state: ReplicaState,
    /// How many of the archive's commits it lacks; null when it could not be asked.
    pub behind: Option<u64>,
    /// Why it could not be asked, or is no replica of this archive.
    pub error: Option<Failure>,
}

/// Whether a replica holds what the archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaState {
    /// It does.
    Current,
    /// It may not: the command was stopped before it was done, or there is no archive yet. A later one goes on.
    Behind,
    /// It could not be brought up.
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
        Self { url: url.to_owned(), state: ReplicaState::Behind, error: None, copied: 0, mended: None }
    }
}

impl Report for ReplicateReport {
    fn exit(&self) -> ExitCode {
        let failures = self.replicas.iter().filter_map(|replica| replica.error.as_ref()).map(|failure| failure.exit);
        let good = self.replicas.iter().any(|replica| replica.state == ReplicaState::Current);
        ExitCode::combine(good, failures)
    }

    fn text(&self, style: Style) -> String {
        replica_table(&self.replicas, style)
    }

    fn failure(&self) -> Option<Failure> {
        let failures = self.details();
        let (first, exit) = (failures.first()?, self.exit());
        let message = match failures.len() {
            1 => first.message.clone(),
            failed => format!("{failed} of {} replicas failed; the first: {}", self.replicas.len(), first.message),
        };
        Some(Failure { message, hint: first.hint.clone(), exit })
    }

    fn details(&self) -> Vec<Failure> {
        replica_failures(&self.replicas).collect()
    }
}

/// The failed replicas, each with its name.
pub(crate) fn replica_failures(replicas: &[ReplicaReport]) -> impl Iterator<Item = Failure> {
    let failed = replicas.iter().filter_map(|replica| replica.error.as_ref().map(|error| (replica, error)));
    failed.map(|(replica, error)| Failure {
        message: format!("replica {}: {}", replica.url, error.message),
        ..error.clone()
    })
}

/// A line for each replica; nothing where there is none.
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
            human::count(replica.copied, "month").into(),
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
        let error = exit.map(|exit| Failure { message: "no answer".to_owned(), hint: None, exit });
        let state = if error.is_some() { ReplicaState::Failed } else { ReplicaState::Current };
        ReplicaReport { url: url.to_owned(), state, error, copied: 12, mended: Some(1) }
    }

    #[test]
    fn every_replica_is_a_line_and_failures_are_summed_up() {
        let replicas = vec![replica("/b", None), replica("s3://b/x", Some(ExitCode::Store))];
        let expected = "\
STATE       COPIED    MENDED  REPLICA
current  12 months  1 object  /b
failed   12 months  1 object  s3://b/x
";
        assert_eq!(replica_table(&replicas, Style::plain()), expected);
        let report = ReplicateReport { replicas };
        let sentence = report.failure().unwrap();
        assert_eq!((sentence.message.as_str(), sentence.exit), ("replica s3://b/x: no answer", ExitCode::Partial));
    }

    #[test]
    fn bad_replicas_alone_give_the_gravest_code() {
        let replicas = vec![replica("/b", Some(ExitCode::Store)), replica("/c", Some(ExitCode::Damaged))];
        assert_eq!(ReplicateReport { replicas }.exit(), ExitCode::Damaged);
    }
}

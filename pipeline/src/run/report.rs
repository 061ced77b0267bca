//! The report of `run` and `backfill`.

use crate::{
    exit::ExitCode,
    human::{self, head},
    plan::Planned,
    replicate::report::{ReplicaReport, replica_failures, replica_table},
    report::{Failure, Report},
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use archive_formats::{Dataset, Entry, FileFormat, Head, Manifest, Month, Sha256, key, manifest::EventCounts};
use serde::Serialize;

/// The report of `run` and `backfill`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// The archive's URL, safe to print.
    pub archive: Option<String>,
    /// The last manifest; null for an empty archive.
    pub head: Option<Head>,
    /// Every requested month, oldest first.
    pub months: Vec<MonthReport>,
    /// Every replica.
    pub replicas: Vec<ReplicaReport>,
}

/// The outcome of one month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthReport {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// Its outcome.
    pub state: MonthState,
    /// Sequence number of its manifest.
    pub sequence: Option<u64>,
    /// Digest of its manifest.
    pub manifest_sha256: Option<Sha256>,
    /// The manifest's event counts.
    pub events: Option<EventCounts>,
    /// Number of its files.
    pub files: u64,
    /// Total size of its files, in bytes.
    pub bytes: u64,
    /// Seconds that this run spent on it.
    pub seconds: f64,
    /// Why it failed; of an archived month, the rejects or conflicts that were kept.
    pub error: Option<Failure>,
}

/// Constructors that leave `seconds` at zero; the run sets it.
impl MonthReport {
    /// The report of a month that `entry` commits.
    pub fn committed(entry: &Entry, state: MonthState) -> Self {
        let manifest = &entry.manifest;
        Self {
            dataset: manifest.dataset.clone(),
            month: manifest.month,
            state,
            sequence: Some(manifest.sequence),
            manifest_sha256: Some(entry.sha256),
            events: Some(manifest.events),
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            seconds: 0.0,
            error: None,
        }
    }

    /// The report of a month that `entry` has just committed.
    pub fn archived(entry: &Entry) -> Self {
        Self { error: reservation(&entry.manifest), ..Self::committed(entry, MonthState::Archived) }
    }

    /// The report of a month that would be archived.
    pub fn planned(planned: &Planned) -> Self {
        Self {
            dataset: planned.dataset.clone(),
            month: planned.month,
            state: MonthState::Planned,
            sequence: None,
            manifest_sha256: None,
            events: None,
            files: 0,
            bytes: 0,
            seconds: 0.0,
            error: None,
        }
    }

    /// The report of a month that was not committed.
    pub fn failed(planned: &Planned, failure: Failure) -> Self {
        Self { state: MonthState::Failed, error: Some(failure), ..Self::planned(planned) }
    }
}

/// What an operator must check in a month that was committed.
fn reservation(manifest: &Manifest) -> Option<Failure> {
    let EventCounts { read, rejected, conflicts, .. } = manifest.events;
    let folder = key::month_folder(&manifest.dataset, FileFormat::Rejects, manifest.month);
    let rejects = (rejected > 0).then(|| {
        let hint = format!("the rows are in {folder}, each with its line and the reason");
        (format!("{rejected} of {read} rows were rejected"), hint)
    });
    let conflicts = (conflicts > 0).then(|| {
        let hint = "find out which version of each is right".to_owned();
        (format!("{conflicts} events share an id but not their content"), hint)
    });
    let (messages, hints): (Vec<_>, Vec<_>) = rejects.into_iter().chain(conflicts).unzip();
    let message = format!("archived, but {}", messages.join(", and "));
    (!messages.is_empty()).then(|| Failure { message, hint: hints.join("; "), exit: ExitCode::Incomplete })
}

/// The outcome of a month in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MonthState {
    /// Committed by this run.
    Archived,
    /// Committed by an earlier run.
    Already,
    /// Not committed.
    Failed,
    /// Would be archived (`--dry-run`).
    Planned,
}

impl MonthState {
    /// The state as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Planned => "planned",
        }
    }
}

impl Report for RunReport {
    /// Unchanged replicas do not turn a failed run into a partial one.
    fn exit(&self) -> ExitCode {
        let months = self.months.iter().filter_map(|month| month.error.as_ref());
        let replicas = self.replicas.iter().filter_map(|replica| replica.error.as_ref());
        let good = self.months.is_empty()
            || self.months.iter().any(|month| month.error.is_none())
            || self.replicas.iter().any(|replica| replica.copied > 0);
        ExitCode::combine(good, months.chain(replicas).map(|failure| failure.exit))
    }

    fn text(&self, style: Style) -> String {
        let mut table = Table::new([
            ("DATASET", Align::Left),
            ("MONTH", Align::Left),
            ("STATE", Align::Left),
            ("EVENTS", Align::Right),
            ("FILES", Align::Right),
            ("SIZE", Align::Right),
            ("TIME", Align::Right),
        ]);
        for month in &self.months {
            table.push(row(month));
        }
        let nothing = if self.months.is_empty() { "nothing to do: every month is archived\n" } else { "" };
        let archive = format!("archive {}", self.archive.as_deref().unwrap_or_default());
        let ending = style.beside(&head(self.head.as_ref()), &archive);
        let replicas = replica_table(&self.replicas, style);
        format!(
            "{}{nothing}{replicas}{head}  archive {}\n",
            table.render(style),
            self.archive.as_deref().unwrap_or_default()
        )
    }

    fn failure(&self) -> Option<Failure> {
        match self.details().as_slice() {
            [] => None,
            [only] => Some(Failure { exit: self.exit(), ..only.clone() }),
            [first, ..] => Some(Failure {
                message: format!("{} failed or are incomplete; the first: {}", share(self), first.message),
                hint: first.hint.clone(),
                exit: self.exit(),
            }),
        }
    }

    fn details(&self) -> Vec<Failure> {
        let failed = self.months.iter().filter_map(|month| month.error.as_ref().map(|error| (month, error)));
        let named = failed.map(|(month, error)| Failure {
            message: format!("{} {}: {}", month.dataset, month.month, error.message),
            ..error.clone()
        });
        named.chain(replica_failures(&self.replicas)).collect()
    }
}

/// How many months and replicas failed.
fn share(report: &RunReport) -> String {
    let months = report.months.iter().filter(|month| month.error.is_some()).count();
    let replicas = report.replicas.iter().filter(|replica| replica.error.is_some()).count();
    let months = (months > 0).then(|| format!("{months} of {} months", report.months.len()));
    let replicas = (replicas > 0).then(|| format!("{replicas} of {} replicas", report.replicas.len()));
    months.into_iter().chain(replicas).collect::<Vec<_>>().join(" and ")
}

fn row(month: &MonthReport) -> [Cell; 7] {
    let state = match month.state {
        MonthState::Archived => Cell::toned("archived", Tone::Good),
        MonthState::Already => Cell::from("already"),
        MonthState::Failed => Cell::toned("failed", Tone::Bad),
        MonthState::Planned => Cell::from("planned"),
    };
    let known = month.events.is_some();
    let or_dash = |text: String| Cell::from(if known { text } else { "-".to_owned() });
    let worked = matches!(month.state, MonthState::Archived | MonthState::Failed);
    [
        month.dataset.to_string().into(),
        month.month.to_string().into(),
        state,
        or_dash(month.events.map_or_else(String::new, |events| human::thousands(events.archived))),
        or_dash(human::thousands(month.files)),
        or_dash(human::size(month.bytes)),
        if worked { human::time(month.seconds).into() } else { "-".into() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(dataset: &str, month: &str, archived: Option<u64>) -> MonthReport {
        let events = archived.map(|archived| EventCounts { read: archived, archived, ..EventCounts::default() });
        let hint = "do this".to_owned();
        let failure = Failure { message: "no answer".to_owned(), hint, exit: ExitCode::Source };
        MonthReport {
            dataset: dataset.parse().unwrap(),
            month: month.parse().unwrap(),
            state: if archived.is_some() { MonthState::Archived } else { MonthState::Failed },
            sequence: None,
            manifest_sha256: None,
            events,
            files: 12_345,
            bytes: 1_098_437_885_952,
            seconds: 42_000.0,
            error: archived.is_none().then_some(failure),
        }
    }

    fn report(months: Vec<MonthReport>) -> RunReport {
        let head = Some(Head { sequence: 3, sha256: Sha256::digest(b"abc") });
        RunReport { archive: Some("./archive".to_owned()), head, months, replicas: Vec::new() }
    }

    #[test]
    fn summary_table_fits_into_80_columns() {
        let months = vec![month("escalations", "2025-03", Some(1_234_567_890)), month("events", "2025-04", None)];
        let text = report(months).text(Style::plain());
        let expected = "\
DATASET      MONTH    STATE            EVENTS   FILES        SIZE     TIME
escalations  2025-03  archived  1,234,567,890  12,345  1023.0 GiB  11h 40m
events       2025-04  failed                -       -           -  11h 40m
head 3:ba7816bf8f01cfea…  archive ./archive
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn names_failures_and_summarises_them() {
        let one = report(vec![month("events", "2025-03", Some(1)), month("events", "2025-04", None)]);
        let sentence = one.failure().unwrap();
        assert_eq!((sentence.message.as_str(), sentence.exit), ("events 2025-04: no answer", ExitCode::Partial));
        let two = report(vec![month("events", "2025-04", None), month("events", "2025-05", None)]);
        let sentence = two.failure().unwrap();
        assert_eq!(sentence.message, "2 of 2 months failed or are incomplete; the first: events 2025-04: no answer");
        assert_eq!(report(vec![month("events", "2025-03", Some(1))]).failure(), None);
    }

    #[test]
    fn reports_a_complete_archive() {
        let empty = RunReport { head: None, ..report(Vec::new()) };
        let expected = "nothing to do: every month is archived\nhead none  archive ./archive\n";
        assert_eq!(empty.text(Style::plain()), expected);
    }
}

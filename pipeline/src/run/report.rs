//! The report of `run` and `backfill`.

use crate::{
    exit::ExitCode,
    human::{self, head},
    plan::Planned,
    provenance::EventSource,
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
    /// The sources of the months that are archived, in the order of the months.
    pub sources: Vec<EventSource>,
    /// Every requested month, oldest first.
    pub months: Vec<MonthReport>,
    /// Every replica.
    pub replicas: Vec<ReplicaReport>,
    /// Damage of the archive that is known besides the failures of these months.
    pub known_damage: Option<Failure>,
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
    /// Whether the run worked on it, or would have; false if an earlier failure or a signal came first.
    #[serde(skip)]
    pub is_tried: bool,
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
            is_tried: true,
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
            is_tried: true,
        }
    }

    /// The report of a month that was not committed.
    pub fn failed(planned: &Planned, failure: Failure) -> Self {
        Self { state: MonthState::Failed, error: Some(failure), ..Self::planned(planned) }
    }

    /// The report of a month that was not tried since `earlier` ended the run, or its dataset.
    pub fn not_tried(planned: &Planned, earlier: Failure) -> Self {
        let message = format!("not tried, since an earlier month failed: {}", earlier.message);
        Self { is_tried: false, ..Self::failed(planned, Failure { message, ..earlier }) }
    }

    /// Returns whether a signal kept the run from committing it.
    pub fn is_stopped(&self) -> bool {
        self.error.as_ref().is_some_and(|failure| matches!(failure.exit, ExitCode::Interrupted | ExitCode::Terminated))
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
        let own = ExitCode::combine(good, months.chain(replicas).map(|failure| failure.exit));
        own.or_known(self.known_damage.as_ref())
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
        for month in self.months.iter().filter(|month| month.is_tried) {
            table.push(row(month));
        }
        let untried = match untried(&self.months) {
            untried if untried.is_empty() => untried,
            untried => format!("{}\n", style.fit(&format!("not tried: {untried}"))),
        };
        let nothing = if self.months.is_empty() { "nothing to do: every month is archived\n" } else { "" };
        let archive = format!("archive {}", self.archive.as_deref().unwrap_or_default());
        let ending = style.beside(&head(self.head.as_ref()), &archive);
        let replicas = replica_table(&self.replicas, style);
        format!("{}{untried}{nothing}{replicas}{ending}\n", table.render(style))
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

    /// Months that were not tried have one failure together, and months that a signal stopped none: the signal is the
    /// failure of the command.
    fn details(&self) -> Vec<Failure> {
        let failed = self.months.iter().filter(|month| month.is_tried && !month.is_stopped());
        let failed = failed.filter_map(|month| month.error.as_ref().map(|error| (month, error)));
        let named = failed.map(|(month, error)| Failure {
            message: format!("{} {}: {}", month.dataset, month.month, error.message),
            ..error.clone()
        });
        let first = self.months.iter().find(|month| !month.is_tried && !month.is_stopped());
        let rest = first.and_then(|month| month.error.as_ref()).map(|error| Failure {
            message: format!("not tried, since an earlier month failed: {}", untried(&self.months)),
            ..error.clone()
        });
        named.chain(rest).chain(replica_failures(&self.replicas)).chain(self.known_damage.clone()).collect()
    }
}

/// The months that were not tried, as ranges of each dataset; empty if there are none.
fn untried(months: &[MonthReport]) -> String {
    let mut datasets: Vec<(&Dataset, Vec<Month>)> = Vec::new();
    for MonthReport { dataset, month, .. } in months.iter().filter(|month| !month.is_tried) {
        match datasets.last_mut() {
            Some((last, months)) if *last == dataset => months.push(*month),
            _ => datasets.push((dataset, vec![*month])),
        }
    }
    let names = datasets.into_iter().map(|(dataset, months)| format!("{dataset} {}", human::month_ranges(months)));
    names.collect::<Vec<_>>().join(", ")
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
        MonthState::Failed if month.is_stopped() => Cell::from("stopped"),
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
            is_tried: true,
        }
    }

    fn report(months: Vec<MonthReport>) -> RunReport {
        let head = Some(Head { sequence: 3, sha256: Sha256::digest(b"abc") });
        RunReport { archive: Some("./archive".to_owned()), head, months, ..RunReport::default() }
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

    fn untried(name: &str, exit: ExitCode) -> MonthReport {
        let month = month("events", name, None);
        let planned = Planned { dataset: month.dataset, month: month.month, action: crate::plan::Action::Archive };
        let earlier = Failure { message: "no answer".to_owned(), hint: "do this".to_owned(), exit };
        MonthReport::not_tried(&planned, earlier)
    }

    #[test]
    fn months_that_were_not_tried_are_one_line_and_one_failure() {
        let tried = month("events", "2025-03", None);
        let untried = ["2025-04", "2025-05", "2025-07"].map(|name| untried(name, ExitCode::Source));
        let report = report([vec![tried], untried.to_vec()].concat());
        let text = report.text(Style::plain());
        assert!(text.contains("\nnot tried: events 2025-04 to 2025-05, 2025-07\nhead "), "{text}");
        assert!(!text.contains("events   2025-04"), "{text}");
        let messages = report.details().into_iter().map(|failure| failure.message).collect::<Vec<_>>();
        let expected = "not tried, since an earlier month failed: events 2025-04 to 2025-05, 2025-07";
        assert_eq!(messages, ["events 2025-03: no answer", expected]);
    }

    #[test]
    fn months_that_a_signal_stopped_are_no_failures() {
        let mut stopped = month("events", "2025-03", None);
        stopped.error = stopped.error.map(|failure| Failure { exit: ExitCode::Interrupted, ..failure });
        let report = report(vec![stopped, untried("2025-04", ExitCode::Interrupted)]);
        assert_eq!((report.details(), report.exit()), (Vec::new(), ExitCode::Interrupted));
        let text = report.text(Style::plain());
        assert!(text.contains("2025-03  stopped") && text.contains("not tried: events 2025-04\n"), "{text}");
    }

    #[test]
    fn reports_a_complete_archive() {
        let empty = RunReport { head: None, ..report(Vec::new()) };
        let expected = "nothing to do: every month is archived\nhead none  archive ./archive\n";
        assert_eq!(empty.text(Style::plain()), expected);
    }
}
